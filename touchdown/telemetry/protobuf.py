"""Values and attributes in the bytes of protobuf. Field numbers: ``common/v1/common.proto``."""

from collections.abc import Callable, Mapping, Sequence
from struct import Struct
from typing import Any

SMALL = 128
"""Numbers below take one byte."""
BYTES = [bytes((number,)) for number in range(SMALL)]
double: Callable[[float], bytes] = Struct("<d").pack


class UnusualError(ValueError):
    """Something that is not encoded here."""


def pairs(tag: bytes, attributes: Mapping[str, Any]) -> bytes:
    """Each attribute as a field with this tag.

    Errors: :class:`UnusualError` for values that are no text, number, truth or list of such;
    ``UnicodeEncodeError`` for half a character.
    """
    told = attributes.items()
    return b"".join([field(tag, text(b"\x0a", n) + field(b"\x12", value(v))) for n, v in told])


def value(of: Any) -> bytes:
    """An ``AnyValue``. Errors: as :func:`pairs`."""
    kind = type(of)
    if kind is str:
        return text(b"\x0a", of)
    if kind is int:
        return b"\x18" + whole(of)
    if kind is float:
        return b"\x21" + double(of)
    if kind is bool:
        return b"\x10\x01" if of else b"\x10\x00"
    if kind is tuple or kind is list:
        return field(b"\x2a", items(of))
    raise UnusualError(f"an attribute of type {kind.__name__}")


_WHOLE = frozenset({int})
_MOST_NUMBERS = 512


def items(of: Sequence[Any]) -> bytes:
    """An ``ArrayValue``. Errors: as :func:`pairs`."""
    if not _WHOLE.issuperset(map(type, of)):
        return b"".join([field(b"\x0a", value(item)) for item in of])
    return b"".join(map(_numbers.__getitem__, of))


class _Numbers(dict[int, bytes]):
    """Whole numbers as items: -1, 0 and a thread's number come again and again."""

    def __missing__(self, of: int) -> bytes:
        number = whole(of)
        told = _BEFORE_ITEM[len(number)] + number
        if len(self) >= _MOST_NUMBERS:
            self.clear()
        self[of] = told
        return told


_numbers = _Numbers()
_BEFORE_ITEM = [b"\x0a" + BYTES[size + 1] + b"\x18" for size in range(11)]


def text(tag: bytes, of: str) -> bytes:
    """A text as a field."""
    return field(tag, of.encode())


def field(tag: bytes, data: bytes) -> bytes:
    """Bytes as a field."""
    size = len(data)
    return tag + (BYTES[size] if size < SMALL else varint(size)) + data


def whole(of: int) -> bytes:
    """A whole number, which may be negative."""
    if 0 <= of < 1 << 63:
        return varint(of)
    if of < -(2**63) or of > 0:
        raise UnusualError("a number of more than 64 bits")
    return varint(of + 2**64)


def varint(of: int) -> bytes:
    """Seven bits a byte, the lowest first; all but the last have the eighth bit set."""
    if of < 1 << 7:
        return BYTES[of]
    if of < 1 << 14:
        return _MORE[of & 127] + BYTES[of >> 7]
    if of < 1 << 21:
        return _MORE[of & 127] + _MORE[of >> 7 & 127] + BYTES[of >> 14]
    if of >= 1 << 56:
        return (_spread(of & (1 << 56) - 1) | _ALL).to_bytes(8, "little") + varint(of >> 56)
    size = (of.bit_length() + 6) // 7
    return (_spread(of) | _CONTINUED[size]).to_bytes(size, "little")


def _spread(of: int) -> int:
    """56 bits, seven in each byte: they part in halves, thrice."""
    of = of & 0xFFFFFFF | (of & 0xFFFFFFF0000000) << 4
    of = of & 0x3FFF00003FFF | (of & 0xFFFC0000FFFC000) << 2
    return of & 0x7F007F007F007F | (of & 0x3F803F803F803F80) << 1


_MORE = [bytes((number | 128,)) for number in range(SMALL)]
_ALL = int.from_bytes(b"\x80" * 8, "little")
_CONTINUED = [_ALL >> 8 * (9 - size) for size in range(9)]
"""The eighth bits of all bytes but the last, by the number of bytes."""
