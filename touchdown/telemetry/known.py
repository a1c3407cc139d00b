"""Attributes of our own spans in bytes, at C speed for those that were met before.

Of some fifty attributes of a call half are what they were in the last one: model, provider, host, task.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from operator import getitem
from struct import Struct
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
Write = Callable[[Any], Any]


def one_attribute(name: str, of: Any) -> bytes:
    """One attribute as a field of a span. Errors: as :func:`add_attributes`."""
    return _names[name][of]


def add_attributes(parts: list[bytes], told: Mapping[str, Any]) -> None:
    """Add each attribute as a field of a span.

    Errors: :class:`UnusualError` for values that are no text, number, truth or list of such;
    ``UnicodeEncodeError`` for half a character.
    """
    try:
        parts += map(getitem, map(_names.__getitem__, told), told.values())
    except TypeError as error:
        raise UnusualError(str(error)) from error


def _before(name: bytes, kind: bytes, size: int) -> bytes:
    """What stands before a value of this size."""
    size += len(kind)
    inner = name + b"\x12" + varint(size) + kind
    return _ATTRIBUTE + varint(len(inner) - len(kind) + size) + inner


class _Before(dict[int, bytes]):
    """What stands before a text or a list, by its size in bytes."""

    def __init__(self, name: bytes, kind: bytes) -> None:
        super().__init__()
        self._name, self._kind = name, kind

    def __missing__(self, size: int) -> bytes:
        told = _before(self._name, self._kind + varint(size), size)
        if len(self) < _MOST_SIZES:
            self[size] = told
        return told


class Numbers:
    """Several numbers of one form, each of its own name: all of them in one step."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names
        heads = [_before(text(b"\x0a", name), b"\x21", 8) for name in names]
        self._told: list[Any] = list(chain.from_iterable((head, 0.0) for head in heads))
        self._pack = Struct("<" + "".join([f"{len(head)}sd" for head in heads])).pack

    def encode(self, values: Iterable[float]) -> bytes:
        """The fields of these numbers."""
        told = self._told.copy()
        told[1::2] = values
        return self._pack(*told)


class Values(dict[Any, bytes]):
    """The fields of one name by value. Only texts are kept: 1, 1.0 and ``True`` would be one key."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._first: dict[Any, bytes] = {}
        self._name = text(b"\x0a", name)
        self._numbers = [self._before(b"\x18", size) for size in range(_MOST_DIGITS)]
        self._small = self._numbers[1]
        self._double = self._before(b"\x21", 8)
        self._texts = _Before(self._name, b"\x0a")
        self._lists = _Before(self._name, b"\x2a")

    def __missing__(self, of: Any) -> bytes:
        told = self.encode(of)
        kind = type(of)
        if kind is str or (kind is tuple and _TEXT.issuperset(map(type, of))):
            self.keep(of, told)
        return told

    def encode(self, of: Any) -> bytes:
        """The field of this value; it is not kept."""
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
            data = str.encode(of)
            return self._texts[len(data)] + data
        if kind is tuple:
            data = items(of)
            return self._lists[len(data)] + data
        return field(_ATTRIBUTE, self._name + field(b"\x12", value(of)))

    def keep(self, of: Any, told: bytes) -> None:
        """Remember a field that is not long; of many values the latest."""
        if len(told) > _MOST_SIZE:
            return
        if len(self) >= _MOST_VALUES:
            self.clear()
            self.update(self._first)
        self[of] = told

    def _before(self, kind: bytes, size: int) -> bytes:
        return _before(self._name, kind, size)


class Kept(Values):
    """The same by what a field of a record holds, where that is known to be of one type.

    `write` makes of it what is told. ``None`` is not told, nor is what is empty unless `zero` is given.
    """

    def __init__(self, name: str, kind: type, write: Write | None, zero: bool) -> None:
        super().__init__(name)
        self._kind = kind
        self._write = write
        self._first = dict.fromkeys((None,) if zero else (None, "", 0, ()), b"")
        self.update(self._first)

    def __missing__(self, of: Any) -> bytes:
        told = self.encode(of if self._write is None else self._write(of))
        if type(of) is self._kind:
            self.keep(of, told)
        return told


class Ids(dict[Any, bytes]):
    """The fields of one name by a text that is another one each time; the empty one is not told."""

    def __init__(self, name: str) -> None:
        super().__init__({None: b"", "": b""})
        self._before = _Before(text(b"\x0a", name), b"\x0a")

    def __missing__(self, of: str) -> bytes:
        data = str.encode(of)
        return self._before[len(data)] + data


class Fresh(Values):
    """By what a field of a record holds that is hardly ever the same twice."""

    def __init__(self, name: str, write: Write | None, zero: bool) -> None:
        super().__init__(name)
        self._write = write
        self._zero = zero

    def __getitem__(self, of: Any) -> bytes:
        if not of and (of is None or not self._zero):
            return b""
        told = of if self._write is None else self._write(of)
        if type(told) is not str:
            return self.encode(told)
        data = told.encode()
        return self._texts[len(data)] + data


class _Names(dict[str, Values]):
    def __missing__(self, name: str) -> Values:
        values = Values(name)
        if len(self) < _MOST_NAMES:
            self[name] = values
        return values


_names = _Names()
