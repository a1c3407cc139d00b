"""Reading fields of payloads that are SDK objects or plain mappings."""

from decimal import Decimal, InvalidOperation
from typing import Any

from touchdown.context.fields import either as either
from touchdown.context.fields import get as get
from touchdown.context.fields import getter as getter
from touchdown.context.fields import items as items
from touchdown.context.fields import text as text
from touchdown.context.fields import words as words

NOTHING: dict[str, Any] = {}

KEEP_TEXT_CHARS = 100_000
"""A streamed answer's text is held, by reference, up to this length: a longer one is no summary."""


def has(source: object, name: str) -> bool:
    """Whether a payload has this field at all, also where it is null."""
    if isinstance(source, dict):
        return name in source
    return name in getattr(source, "model_fields_set", ())


def fields_of(source: object) -> dict[str, Any]:
    """The declared fields of an SDK object, or a mapping: quicker where several are asked for."""
    try:
        return source.__dict__
    except AttributeError:
        return source if isinstance(source, dict) else NOTHING


def field_of(source: object, name: str) -> object:
    """An attribute that an object of the SDK holds itself; asked for where it does not.

    What such an object lacks is looked for by pydantic, or by the SDK, which takes long.
    """
    try:
        return source.__dict__[name]
    except (AttributeError, KeyError):
        return getattr(source, name, None)


def count(source: object, name: str) -> int | None:
    """A token count; ``None`` when it is missing or no whole number."""
    return whole(get(source, name))


def whole(value: object) -> int | None:
    """A whole number; ``None`` for anything else."""
    if type(value) is int or value is None:
        return value
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def length(value: object) -> int:
    """Characters of a string; 0 for anything else."""
    return len(value) if isinstance(value, str) else 0


def dollars(value: object) -> Decimal | None:
    """An amount a provider put into its answer; ``None`` when it is no number."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() else None
