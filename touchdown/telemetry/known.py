"""Attributes of our own spans in bytes, at C speed for those that were met before.

Of some fifty attributes of a call half are what they were in the last one: model, provider, host, task.
"""

from collections.abc import Mapping
from operator import getitem
from typing import Any

from touchdown.telemetry.protobuf import (
    BYTES,
    SMALL,
    UnusualError,
    double,
    field,
    items,
    text,
    value,
    varint,
    whole,
)

_ATTRIBUTE = b"\x4a"
_MOST_NAMES = 1_024
_MOST_VALUES = 16
"""Of one name; then it begins anew."""
_MOST_SIZE = 150
_MOST_SIZES = 64
_MOST_DIGITS = 11
"""Bytes of a whole number, and one."""
_TEXT = frozenset({str})


def add_attributes(parts: list[bytes], told: Mapping[str, Any]) -> None:
    """Add each attribute as a field of a span.

    Errors: :class:`UnusualError` for values that are no text, number, truth or list of such;
    ``UnicodeEncodeError`` for half a character.
    """
    try:
        parts += map(getitem, map(_names.__getitem__, told), told.values())
    except TypeError as error:
        raise UnusualError(str(error)) from error


class _Values(dict[Any, bytes]):
    """The fields of one name by value. Only texts are kept: 1, 1.0 and ``True`` would be one key."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = text(b"\x0a", name)
        self._numbers = [self._before(b"\x18", size) for size in range(_MOST_DIGITS)]
        self._small = self._numbers[1]
        self._double = self._before(b"\x21", 8)
        self._texts: dict[int, bytes] = {}
        """By its size in bytes, what stands before a text."""
        self._lists: dict[int, bytes] = {}
        """The same of lists."""

    def __missing__(self, of: Any) -> bytes:
        kind = type(of)
        if kind is int:
            if 0 <= of < SMALL:
                digit: bytes = BYTES[of]
                return self._small + digit
            number = whole(of)
            return self._numbers[len(number)] + number
        if kind is float:
            return self._double + double(of)
        if kind is str:
            told = self._sized(self._texts, b"\x0a", str.encode(of))
            if len(told) <= _MOST_SIZE:
                self._keep(of, told)
            return told
        if kind is not tuple:
            return field(_ATTRIBUTE, self._name + field(b"\x12", value(of)))
        told = self._sized(self._lists, b"\x2a", items(of))
        if len(told) <= _MOST_SIZE and _TEXT.issuperset(map(type, of)):
            self._keep(of, told)
        return told

    def _sized(self, before: dict[int, bytes], kind: bytes, data: bytes) -> bytes:
        size = len(data)
        known = before.get(size)
        if known is None:
            known = self._before(kind + varint(size), size)
            if len(before) < _MOST_SIZES:
                before[size] = known
        return known + data

    def _before(self, kind: bytes, size: int) -> bytes:
        """What stands before a value of this size."""
        size += len(kind)
        inner = self._name + b"\x12" + varint(size) + kind
        return _ATTRIBUTE + varint(len(inner) - len(kind) + size) + inner

    def _keep(self, of: Any, told: bytes) -> None:
        if len(self) >= _MOST_VALUES:
            self.clear()
        self[of] = told


class _Names(dict[str, _Values]):
    def __missing__(self, name: str) -> _Values:
        values = _Values(name)
        if len(self) < _MOST_NAMES:
            self[name] = values
        return values


_names = _Names()
