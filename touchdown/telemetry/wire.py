"""Spans in the bytes of OTLP: what the SDK's encoder makes of them, at a small part of its price.

That one builds an object of protobuf for every attribute and every value. The format is stable (OTLP 1.x) and
small; what is not met in our own spans is left to the SDK. Field numbers: opentelemetry-proto,
``trace/v1/trace.proto``.
"""

from collections.abc import Iterable, Sequence
from struct import Struct
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext

from touchdown.telemetry.encoded import Encoded
from touchdown.telemetry.protobuf import BYTES, UnusualError, field, pairs, text, varint

_HAS_REMOTE, _REMOTE = 0x100, 0x200
_FLAGS = b"\x85\x01"
_ERROR = b"\x18\x02"
_SPAN = b"\x12"
_times = Struct("<BQBQ").pack
_time = Struct("<BQ").pack


Piece = bytes | Encoded
"""A part of a request: as it is, or a span that is unpacked when its turn comes."""


def encode_request(spans: Sequence[ReadableSpan | Encoded]) -> bytes:
    """An ``ExportTraceServiceRequest`` of these spans. Errors: as :func:`pieces_of`."""
    return b"".join(map(bytes_of, pieces_of(spans)))


def bytes_of(piece: Piece) -> bytes:
    """The piece as it is sent."""
    return piece if isinstance(piece, bytes) else piece.data


def size_of(pieces: Iterable[Piece]) -> int:
    """How many bytes they are together."""
    return sum([len(one) if isinstance(one, bytes) else one.size for one in pieces])


def pieces_of(spans: Sequence[ReadableSpan | Encoded]) -> list[Piece]:
    """An ``ExportTraceServiceRequest`` of these spans, piece by piece.

    Errors: :class:`UnusualError` for links, and for values that are no text, number, truth or list of such;
    ``UnicodeEncodeError`` for half a character.
    """
    groups: dict[int, tuple[Any, dict[int, tuple[Any, list[Piece]]]]] = {}
    for span in spans:
        resource, scope = span.resource, span.instrumentation_scope
        if scope is None:
            raise UnusualError("a span without a scope")
        _, scopes = groups.setdefault(id(resource), (resource, {}))
        _, encoded = scopes.setdefault(id(scope), (scope, []))
        encoded.append(span if isinstance(span, Encoded) else field_of(_span(span)))
    found: list[Piece] = []
    for resource, scopes in groups.values():
        inside = [_resource(resource), *[p for one in scopes.values() for p in _scope(*one)]]
        found += _framed(b"\x0a", inside)
    return found


def _framed(tag: bytes, pieces: list[Piece]) -> list[Piece]:
    return [tag + varint(size_of(pieces)), *pieces]


def field_of(span: bytes) -> bytes:
    """A span's message as the field of ``ScopeSpans`` that it stands in."""
    return field(_SPAN, span)


def encode_own(
    place: SpanContext,
    parent: SpanContext | None,
    about: tuple[str, int, int, int],
    attributes: Iterable[bytes],
    error: str | None,
) -> bytes:
    """A span without events and links as a field; `about`: its name, kind, beginning and end.

    `attributes` are fields of it, some empty. `error` describes its status, which is unset without.
    """
    parts = _beginning(place, parent, *about)
    parts += attributes
    status = b"" if error is None else _described(error) + _ERROR
    parts += (field(b"\x7a", status), _FLAGS, _flags(parent))
    return field_of(b"".join(parts))


def _resource(resource: Any) -> bytes:
    told = field(b"\x0a", pairs(b"\x0a", resource.attributes))
    return told + (text(b"\x1a", resource.schema_url) if resource.schema_url else b"")


def _scope(scope: Any, spans: list[Piece]) -> list[Piece]:
    about = text(b"\x0a", scope.name)
    if scope.version:
        about += text(b"\x12", scope.version)
    about += pairs(b"\x1a", scope.attributes or {})
    url = text(b"\x1a", scope.schema_url) if scope.schema_url else b""
    return _framed(b"\x12", [field(b"\x0a", about), *spans, url])


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
    parts.append(pairs(b"\x4a", dict(span.attributes or {})))
    parts.append(_count(b"\x50", span.dropped_attributes))
    for event in span.events:
        parts.append(field(b"\x5a", _event(event)))
    parts.append(_count(b"\x60", span.dropped_events))
    parts += (field(b"\x7a", _status(span.status)), _FLAGS, _flags(span.parent))
    return b"".join(parts)


def _beginning(
    place: SpanContext, parent: SpanContext | None, name: str, kind: int, began: int, ended: int
) -> list[bytes]:
    trace_id, span_id, _, _, state, *_ = place
    parts = [b"\x0a\x10", trace_id.to_bytes(16, "big"), b"\x12\x08", span_id.to_bytes(8, "big")]
    if state:
        parts.append(text(b"\x1a", ",".join([f"{k}={v}" for k, v in state.items()])))
    if parent is not None:
        parts += (b"\x22\x08", parent.span_id.to_bytes(8, "big"))
    parts += (text(b"\x2a", name), b"\x30", BYTES[kind + 1], _times(0x39, began, 0x41, ended))
    return parts


def _flags(parent: SpanContext | None) -> bytes:
    remote = parent is not None and parent.is_remote
    return (_HAS_REMOTE | _REMOTE if remote else _HAS_REMOTE).to_bytes(4, "little")


def _event(event: Any) -> bytes:
    at = _time(0x09, event.timestamp)
    told = pairs(b"\x1a", event.attributes or {})
    return at + text(b"\x12", event.name) + told + _count(b"\x20", event.dropped_attributes)


def _status(status: Any) -> bytes:
    return _described(status.description) + _count(b"\x18", status.status_code.value)


def _described(description: str | None) -> bytes:
    return text(b"\x12", description) if description else b""


def _count(tag: bytes, count: int) -> bytes:
    return tag + varint(count) if count else b""
