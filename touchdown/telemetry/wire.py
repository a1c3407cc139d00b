"""Spans in the bytes of OTLP: what the SDK's encoder makes of them, at a small part of its price.

That one builds an object of protobuf for every attribute and every value. The format is stable (OTLP 1.x) and
small; what is not met in our own spans is left to the SDK. Field numbers: opentelemetry-proto,
``trace/v1/trace.proto`` and ``common/v1/common.proto``.
"""

from collections.abc import Iterable, Mapping, Sequence
from struct import Struct
from typing import Any, NamedTuple

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext

from touchdown.telemetry.encoded import Encoded

_MOST_NAMES = 4_096
_SMALL = 128
"""Numbers below take one byte."""
_BYTES = [bytes((number,)) for number in range(_SMALL)]

_HAS_REMOTE, _REMOTE = 0x100, 0x200
_FLAGS = b"\x85\x01"
_ERROR = b"\x18\x02"
_SPAN = b"\x12"
_ATTRIBUTE, _ATTRIBUTE_OF_EVENT, _ATTRIBUTE_OF_OTHERS = b"\x4a", b"\x1a", b"\x0a"
_double = Struct("<d").pack
_times = Struct("<BQBQ").pack
_time = Struct("<BQ").pack


class UnusualError(ValueError):
    """Something that is not encoded here."""


def encode_request(spans: Sequence[ReadableSpan | Encoded]) -> bytes:
    """An ``ExportTraceServiceRequest`` of these spans.

    Errors: :class:`UnusualError` for links, and for values that are no text, number, truth or list of such;
    ``UnicodeEncodeError`` for half a character.
    """
    groups: dict[int, tuple[Any, dict[int, tuple[Any, list[bytes]]]]] = {}
    for span in spans:
        resource, scope = span.resource, span.instrumentation_scope
        if scope is None:
            raise UnusualError("a span without a scope")
        _, scopes = groups.setdefault(id(resource), (resource, {}))
        _, encoded = scopes.setdefault(id(scope), (scope, []))
        encoded.append(span.data if isinstance(span, Encoded) else field_of(_span(span)))
    return b"".join(
        _field(b"\x0a", _resource(resource) + b"".join(_scope(*one) for one in scopes.values()))
        for resource, scopes in groups.values()
    )


def field_of(span: bytes) -> bytes:
    """A span's message as the field of ``ScopeSpans`` that it stands in."""
    return _field(_SPAN, span)


def encode_own(
    place: SpanContext,
    parent: SpanContext | None,
    about: tuple[str, int, int, int],
    attributes: Mapping[str, Any],
    error: str | None,
) -> bytes:
    """A span without events and links as a field; `about`: its name, kind, beginning and end.

    `error` describes its status, which is unset without. Errors: as :func:`encode_request`.
    """
    parts = _beginning(place, parent, *about)
    _add_pairs(parts, _ATTRIBUTE, attributes)
    status = b"" if error is None else _described(error) + _ERROR
    parts += (_field(b"\x7a", status), _FLAGS, _flags(parent))
    return field_of(b"".join(parts))


def _resource(resource: Any) -> bytes:
    told = _field(b"\x0a", _pairs(_ATTRIBUTE_OF_OTHERS, resource.attributes))
    return told + (_text(b"\x1a", resource.schema_url) if resource.schema_url else b"")


def _scope(scope: Any, spans: Iterable[bytes]) -> bytes:
    about = _text(b"\x0a", scope.name)
    if scope.version:
        about += _text(b"\x12", scope.version)
    about += _pairs(b"\x1a", scope.attributes or {})
    url = _text(b"\x1a", scope.schema_url) if scope.schema_url else b""
    return _field(b"\x12", _field(b"\x0a", about) + b"".join(spans) + url)


def _span(span: Any) -> bytes:
    if span.links or span.dropped_links:
        raise UnusualError("a span with links")
    parts = _beginning(
        span.context,
        span.parent,
        span.name,
        span.kind.value,
        span.start_time or 0,
        span.end_time or 0,
    )
    _add_pairs(parts, _ATTRIBUTE, dict(span.attributes or {}))
    parts.append(_count(b"\x50", span.dropped_attributes))
    for event in span.events:
        parts.append(_field(b"\x5a", _event(event)))
    parts.append(_count(b"\x60", span.dropped_events))
    parts += (_field(b"\x7a", _status(span.status)), _FLAGS, _flags(span.parent))
    return b"".join(parts)


def _beginning(
    place: SpanContext, parent: SpanContext | None, name: str, kind: int, began: int, ended: int
) -> list[bytes]:
    trace_id, span_id, _, _, state, *_ = place
    parts = [b"\x0a\x10", trace_id.to_bytes(16, "big"), b"\x12\x08", span_id.to_bytes(8, "big")]
    if state:
        parts.append(_text(b"\x1a", ",".join([f"{k}={v}" for k, v in state.items()])))
    if parent is not None:
        parts += (b"\x22\x08", parent.span_id.to_bytes(8, "big"))
    parts += (_text(b"\x2a", name), b"\x30", _BYTES[kind + 1], _times(0x39, began, 0x41, ended))
    return parts


def _flags(parent: SpanContext | None) -> bytes:
    remote = parent is not None and parent.is_remote
    return (_HAS_REMOTE | _REMOTE if remote else _HAS_REMOTE).to_bytes(4, "little")


def _event(event: Any) -> bytes:
    at = _time(0x09, event.timestamp)
    told = _pairs(_ATTRIBUTE_OF_EVENT, event.attributes or {})
    return at + _text(b"\x12", event.name) + told + _count(b"\x20", event.dropped_attributes)


def _status(status: Any) -> bytes:
    return _described(status.description) + _count(b"\x18", status.status_code.value)


def _described(description: str | None) -> bytes:
    return _text(b"\x12", description) if description else b""


def _pairs(tag: bytes, attributes: Mapping[str, Any]) -> bytes:
    """Each attribute as a field with this tag."""
    parts: list[bytes] = []
    _add_pairs(parts, tag, attributes)
    return b"".join(parts)


class _Name(NamedTuple):
    """A name as it stands before a value: alone, and in front of values whose size is known."""

    alone: bytes
    around: int
    """What its size and those of a short text's own two fields come to."""
    whole: bytes
    """Before a number of one byte."""
    truth: bytes
    number: bytes


_names: dict[str, _Name] = {}


def _name(name: str) -> _Name:
    alone = _text(b"\x0a", name)
    size = len(alone)
    made = _Name(
        alone,
        size + 4,
        _varint(size + 4) + alone + b"\x12\x02\x18",
        _varint(size + 4) + alone + b"\x12\x02\x10",
        _varint(size + 11) + alone + b"\x12\x09\x21",
    )
    if len(_names) < _MOST_NAMES:
        _names[name] = made
    return made


def _add_pairs(parts: list[bytes], tag: bytes, attributes: Mapping[str, Any]) -> None:
    for name, value in attributes.items():
        alone, around, whole, truth, number = _names.get(name) or _name(name)
        kind = type(value)
        if kind is str:
            text = value.encode()
            size = len(text)
            if size + around < _SMALL:
                parts += (tag, _BYTES[size + around], alone, _TEXTS[size], text)
            else:
                parts.append(_field(tag, alone + _field(b"\x12", _field(b"\x0a", text))))
        elif kind is int and 0 <= value < _SMALL:
            parts += (tag, whole, _BYTES[value])
        elif kind is bool:
            parts += (tag, truth, b"\x01" if value else b"\x00")
        elif kind is float:
            parts += (tag, number, _double(value))
        else:
            parts.append(_field(tag, alone + _field(b"\x12", _value(value))))


_TEXTS = [b"\x12%c\x0a%c" % (size + 2, size) for size in range(_SMALL - 2)]
"""What stands between a name and a text of this size."""
_ITEMS = [b"\x0a\x02\x18%c" % number for number in range(_SMALL)]
_UNSEEN = b"\x0a\x0b\x18" + b"\xff" * 9 + b"\x01"
"""-1 in a list."""


def _value(value: Any) -> bytes:
    kind = type(value)
    if kind is str:
        return _text(b"\x0a", value)
    if kind is int:
        return b"\x18" + _whole(value)
    if kind is float:
        return b"\x21" + _double(value)
    if kind is bool:
        return b"\x10\x01" if value else b"\x10\x00"
    if kind is tuple or kind is list:
        return _field(b"\x2a", b"".join([_item(item) for item in value]))
    raise UnusualError(f"an attribute of type {kind.__name__}")


def _item(value: Any) -> bytes:
    if type(value) is int:
        if 0 <= value < _SMALL:
            return _ITEMS[value]
        if value == -1:
            return _UNSEEN
    return _field(b"\x0a", _value(value))


def _text(tag: bytes, text: str) -> bytes:
    return _field(tag, text.encode())


def _field(tag: bytes, data: bytes) -> bytes:
    size = len(data)
    return tag + (_BYTES[size] if size < _SMALL else _varint(size)) + data


def _count(tag: bytes, count: int) -> bytes:
    return tag + _varint(count) if count else b""


def _whole(value: int) -> bytes:
    if not -(2**63) <= value < 2**63:
        raise UnusualError("a number of more than 64 bits")
    return _varint(value if value >= 0 else value + 2**64)


def _varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first; all but the last have the eighth bit set."""
    if value < 1 << 7:
        return b"%c" % value
    if value < 1 << 14:
        return b"%c%c" % (value & 127 | 128, value >> 7)
    if value < 1 << 21:
        return b"%c%c%c" % (value & 127 | 128, value >> 7 & 127 | 128, value >> 14)
    low = b"%c%c%c" % (value & 127 | 128, value >> 7 & 127 | 128, value >> 14 & 127 | 128)
    return low + _varint(value >> 21)
