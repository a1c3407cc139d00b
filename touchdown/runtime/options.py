"""What the capture side must know of what ``instrument()`` was asked for."""

import os

from msgspec import Struct

from touchdown.runtime.content import LIMIT_CHARS, PLACES, ContentOptions, Redact, Where
from touchdown.runtime.guard import warn_once

CONTENT_VARIABLE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
"""The conventions' own switch."""


class Options(Struct, frozen=True):
    """What ``instrument()`` was asked for and the capture side must know."""

    __repr__ = object.__repr__

    stream_usage: bool = False
    cache_diagnostics: bool = False
    digest_key: bytes | None = None
    propagate_to: frozenset[str] = frozenset()
    """Hosts, with or without a port, that may be told whose call it is."""
    content: ContentOptions | None = None
    """``None``: no content is shown, and nothing is done for it."""


def read_content_options(
    capture: bool | str | None, redact: Redact | None, limit: int | None
) -> ContentOptions | None:
    """What ``instrument()`` and the variable ask for; ``None`` for no content.

    Errors: ``ValueError`` for a place or a limit that is none, ``TypeError`` for no function.
    """
    if redact is not None and not callable(redact):
        raise TypeError(f"redact is a function of a text, not {redact!r}")
    if limit is not None and (type(limit) is not int or limit < 1):
        raise ValueError(f"content_limit is a number of characters above 0, not {limit!r}")
    where = _where(capture)
    if where == "NO_CONTENT":
        return None
    return ContentOptions(where, redact, LIMIT_CHARS if limit is None else limit)


def _where(capture: bool | str | None) -> Where:
    if capture is None:
        return where_by_variable()[0]
    if isinstance(capture, bool):
        return "SPAN_ONLY" if capture else "NO_CONTENT"
    for place in PLACES:
        if str(capture).upper() == place:
            return place
    raise ValueError(f"capture_content is True, False or one of {', '.join(PLACES)}")


def where_by_variable() -> tuple[Where, str]:
    """What the variable asks for, and what is wrong with it (empty: nothing)."""
    asked = os.environ.get(CONTENT_VARIABLE, "").strip()
    for place in PLACES:
        if asked.upper() == place:
            return place, ""
    if not asked:
        return "NO_CONTENT", ""
    problem = f"{asked!r} is none of {', '.join(PLACES)}; no content is shown"
    warn_once(f"content:{asked}", "touchdown: %s: %s", CONTENT_VARIABLE, problem)
    return "NO_CONTENT", problem
