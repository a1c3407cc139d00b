"""Spans in the bytes of OTLP: what the SDK's encoder makes of them, at less than half of its price.

That one builds an object of protobuf for every attribute and every value. The format is stable (OTLP 1.x) and
small; what is not met in our own spans is left to the SDK. Field numbers: opentelemetry-proto,
``trace/v1/trace.proto`` and ``common/v1/common.proto``.
"""

from collections.abc import Iterable, Mapping, Sequence
from struct import pack
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext

_MOST_NAMES = 4_096
_SMALL = 128
"""Numbers below take one byte."""
_BYTES = [bytes((number,)) for number in range(_SMALL)]

_HAS_REMOTE, _REMOTE = 0x100, 0x200
_FLAGS = b"\x85\x01"


class UnusualError(ValueError):
    """Something that is not encoded here."""


def encode_request(spans: Sequence[ReadableSpan]) -> bytes:
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
        encoded.append(_field(b"\x12", _span(span)))
    return b"".join(
        _field(b"\x0a", _resource(resource) + b"".join(_scope(*one) for one in scopes.values()))
        for resource, scopes in groups.values()
    )


def _resource(resource: Any) -> bytes:
    told = _field(b"\x0a", b"".join(_pairs(b"\x0a", resource.attributes)))
    return told + (_text(b"\x1a", resource.schema_url) if resource.schema_url else b"")


def _scope(scope: Any, spans: Iterable[bytes]) -> bytes:
    about = _text(b"\x0a", scope.name)
    if scope.version:
        about += _text(b"\x12", scope.version)
    about += b"".join(_pairs(b"\x1a", scope.attributes or {}))
    url = _text(b"\x1a", scope.schema_url) if scope.schema_url else b""
    return _field(b"\x12", _field(b"\x0a", about) + b"".join(spans) + url)


def _span(span: Any) -> bytes:
    place: SpanContext = span.context
    parent: SpanContext | None = span.parent
    if span.links or span.dropped_links:
        raise UnusualError("a span with links")
    parts = [b"\x0a\x10", place.trace_id.to_bytes(16, "big"), b"\x12\x08"]
    parts.append(place.span_id.to_bytes(8, "big"))
    if place.trace_state:
        parts.append(_text(b"\x1a", ",".join([f"{k}={v}" for k, v in place.trace_state.items()])))
    flags = _HAS_REMOTE
    if parent is not None:
        parts += (b"\x22\x08", parent.span_id.to_bytes(8, "big"))
        flags |= _REMOTE if parent.is_remote else 0
    parts.append(_text(b"\x2a", span.name))
    parts.append(b"\x30%c" % (span.kind.value + 1))
    parts.append(pack("<BQBQ", 0x39, span.start_time or 0, 0x41, span.end_time or 0))
    parts += _pairs(b"\x4a", span.attributes or {})
    parts.append(_count(b"\x50", span.dropped_attributes))
    for event in span.events:
        parts.append(_field(b"\x5a", _event(event)))
    parts.append(_count(b"\x60", span.dropped_events))
    parts.append(_field(b"\x7a", _status(span.status)))
    parts += (_FLAGS, flags.to_bytes(4, "little"))
    return b"".join(parts)


def _event(event: Any) -> bytes:
    at = pack("<BQ", 0x09, event.timestamp)
    told = b"".join(_pairs(b"\x1a", event.attributes or {}))
    return at + _text(b"\x12", event.name) + told + _count(b"\x20", event.dropped_attributes)


def _status(status: Any) -> bytes:
    told = _text(b"\x12", status.description) if status.description else b""
    return told + _count(b"\x18", status.status_code.value)


def _pairs(tag: bytes, attributes: Mapping[str, Any]) -> list[bytes]:
    """Each attribute as a field with this tag, all in pieces."""
    pieces: list[bytes] = []
    for name, value in attributes.items():
        head = _heads.get(name) or _head(name)
        told = _value(value)
        size = len(told)
        whole = len(head) + size + 2
        if whole < _SMALL:
            pieces += (tag, _BYTES[whole], head, b"\x12", _BYTES[size], told)
        else:
            pieces.append(_field(tag, head + _field(b"\x12", told)))
    return pieces


_heads: dict[str, bytes] = {}


def _head(name: str) -> bytes:
    head = _text(b"\x0a", name)
    if len(_heads) < _MOST_NAMES:
        _heads[name] = head
    return head


def _value(value: Any) -> bytes:
    kind = type(value)
    if kind is str:
        text: bytes = value.encode()
        size = len(text)
        return b"\x0a" + (_BYTES[size] if size < _SMALL else _varint(size)) + text
    if kind is int:
        return b"\x18" + (_BYTES[value] if 0 <= value < _SMALL else _whole(value))
    if kind is float:
        return pack("<Bd", 0x21, value)
    if kind is bool:
        return b"\x10\x01" if value else b"\x10\x00"
    if kind is tuple or kind is list:
        parts = [_field(b"\x0a", _value(item)) for item in value]
        return _field(b"\x2a", b"".join(parts))
    raise UnusualError(f"an attribute of type {kind.__name__}")


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
