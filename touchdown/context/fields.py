"""Fields of payloads that are SDK objects or plain mappings."""

from collections.abc import Callable
from functools import partial
from typing import Any

_MISSING: Any = object()
_NOTHING: dict[str, object] = {}

MOST_ABSENT = 1_000
_absent: set[tuple[type, str]] = set()
"""Names that a class of SDK objects is known to lack: asked for one, pydantic takes long to say so."""


def get(source: object, name: str) -> object:
    """A field of an SDK object or a mapping; ``None`` when it is not there."""
    if isinstance(source, dict):
        return source.get(name)
    if source is None:
        return None
    try:
        value = source.__dict__.get(name, _MISSING)
    except AttributeError:
        value = getattr(source, name, None)
    return value if value is not _MISSING else _undeclared(source, name)


def _undeclared(source: object, name: str) -> object:
    """What no field of the object holds: something of its class, or what came beside its fields."""
    kind = type(source)
    if (kind, name) in _absent and not getattr(source, "__pydantic_extra__", None):
        return None
    value = getattr(source, name, _MISSING)
    if value is not _MISSING:
        return value
    if hasattr(kind, "__pydantic_fields__") and len(_absent) < MOST_ABSENT:
        _absent.add((kind, name))
    return None


def getter(source: object) -> Callable[[str], object]:
    """Reads fields as ``get`` does: quicker where many are asked for."""
    if isinstance(source, dict):
        return source.get
    if source is None:
        return _NOTHING.get
    try:
        own, more = source.__dict__, source.__pydantic_extra__  # type: ignore[attr-defined]
    except AttributeError:
        return partial(get, source)
    if not more:
        return own.get
    return {**more, **own}.get if isinstance(more, dict) else partial(get, source)


def words(value: object) -> str:
    """A string; empty for anything else."""
    return value if isinstance(value, str) else ""


def text(source: object, name: str) -> str:
    """A string field; empty when it is missing or something else."""
    value = get(source, name)
    return value if isinstance(value, str) else ""


def items(value: object) -> list[object]:
    """A list's items; nothing for anything else."""
    return list(value) if isinstance(value, (list, tuple)) else []


def either(source: object, *names: str) -> object:
    """The first of these fields that is there."""
    for name in names:
        value = get(source, name)
        if value is not None:
            return value
    return None
