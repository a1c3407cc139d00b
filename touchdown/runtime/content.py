"""Content for those who asked for it: redacted, cut to a length, and written behind the queue.

Nothing here runs unless ``instrument(capture_content=...)`` or the standard variable asks for content.
"""

import json
from asyncio import CancelledError
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from touchdown.context.blocks import Block, count_chars
from touchdown.runtime.guard import failed, must_be_awaited, warn_once

Where = Literal["NO_CONTENT", "SPAN_ONLY", "EVENT_ONLY", "SPAN_AND_EVENT"]
PLACES: tuple[Where, ...] = ("NO_CONTENT", "SPAN_ONLY", "EVENT_ONLY", "SPAN_AND_EVENT")
LIMIT_CHARS = 10_000
"""Characters of each of the attributes; ``content_limit`` sets another."""

Redact = Callable[[str], str]

BROKEN = (Exception, CancelledError, GeneratorExit, SystemExit)
"""What is a failure where the user's function raises it: it runs wherever somebody asks for totals."""


class Failures(msgspec.Struct):
    """How often the user's function failed. Counted behind the queue, by one at a time."""

    count: int = 0


@dataclass(frozen=True, slots=True)
class ContentOptions:
    """What of content is to be shown, and where. Units: ``limit`` characters per attribute."""

    where: Where
    redact: Redact | None = None
    limit: int = LIMIT_CHARS
    failures: Failures = field(default_factory=Failures, compare=False)


class Content(msgspec.Struct, frozen=True):
    """What was said in one call or step, ready to be shown: JSON texts by what they are."""

    __repr__ = object.__repr__

    where: Where
    texts: Mapping[str, str] = msgspec.field(default_factory=dict)
    cut_chars: int = 0
    """Characters that there was no room for."""
    dropped: str = ""
    """Why nothing of it is shown."""


class RedactionError(Exception):
    """The user's function failed, or gave no text."""


class Room:
    """The room that one attribute has, and the user's function that every text goes through first."""

    def __init__(self, options: ContentOptions) -> None:
        self._redact = options.redact
        self.left = options.limit
        self.cut_chars = 0

    def text(self, text: str) -> str:
        """As much of a text as may be shown; redacted as a whole, then cut.

        Errors: :class:`RedactionError`.
        """
        if not text or self.left <= 0:
            self.cut_chars += len(text)
            return ""
        shown = text if self._redact is None else redacted(self._redact, text)
        kept = shown[: self.left]
        self.cut_chars += len(shown) - len(kept)
        self.left -= len(kept)
        return kept

    def data(self, value: object) -> object:
        """The same of something that is JSON, or its text: as JSON again where it still is."""
        if isinstance(value, str):
            value = _parsed(value)  # so that the user's function sees letters, not escapes of them
        return _parsed(self.text(value if isinstance(value, str) else as_json(value)))

    def take(self, chars: int) -> None:
        """Room that is used up."""
        self.left -= chars

    def skip(self, block: Block) -> None:
        """There is no room for this."""
        self.cut_chars += count_chars(block.content)


def redacted(redact: Callable[[str], object], text: str) -> str:
    """A text as the user's function lets it be shown.

    Errors: :class:`RedactionError`, without the text of what the function raised.
    """
    try:
        shown = redact(text)
    except BROKEN:
        failed("the function redact")
        raise RedactionError from None
    if must_be_awaited("redact", shown):
        raise RedactionError
    if not isinstance(shown, str):
        kind = type(shown).__name__
        warn_once("redact", "touchdown: redact gave %s, not a text; the content is dropped", kind)
        raise RedactionError
    return shown


def as_json(value: object) -> str:
    """JSON; objects of the host's own types are only named, for their ``repr`` may run any code."""
    try:
        return json.dumps(value, default=_type_name, ensure_ascii=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError):
        return ""


def _parsed(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _type_name(value: object) -> str:
    return type(value).__name__


Shape = Callable[[Room], object]
"""Makes one attribute's value, in the room that it has."""


def make_content(options: ContentOptions, shapes: Mapping[str, Shape]) -> Content:
    """All that is shown of one call or step, or nothing of it where the user's function failed."""
    texts, cut = {}, 0
    try:
        for name, shape in shapes.items():
            room = Room(options)
            value = shape(room)
            cut += room.cut_chars
            if value:
                written = value if isinstance(value, str) else as_json(value)
                # A lone surrogate would make an exporter refuse the whole batch.
                texts[name] = written.encode("utf-8", "replace").decode()
    except RedactionError:
        options.failures.count += 1
        return Content(options.where, dropped="redact failed")
    return Content(options.where, texts, cut)


def content_of_tool(options: ContentOptions, arguments: Any, result: str | None) -> Content:
    """What was said in one tool call."""
    shapes: dict[str, Shape] = {
        "tool_call_arguments": lambda room: None if not arguments else room.data(arguments),
        "tool_call_result": lambda room: None if result is None else room.text(result),
    }
    return make_content(options, shapes)
