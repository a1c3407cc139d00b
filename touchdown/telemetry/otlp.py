"""OTLP files: JSON (one document, or one request per line) and protobuf, plain or gzipped, as spans.

A log record that bears an event's name is taken for a span of no length: agents tell of calls so, too.
"""

import base64
import os
from collections.abc import Iterator, Mapping
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from touchdown.telemetry.otlp_file import Said, read_requests, refuse
from touchdown.telemetry.span import SpanEvent, SpanView

_STATUS = {0: "UNSET", 1: "OK", 2: "ERROR"}
_STATUS_NAMES = {f"STATUS_CODE_{name}": name for name in _STATUS.values()}
_SCALARS = frozenset({"string_value", "bool_value", "int_value", "double_value", "bytes_value"})
_PLAIN = ("stringValue", "boolValue", "doubleValue", "bytesValue")
_NOT_FINITE = ("NaN", "Infinity", "-Infinity")


def read_spans(path: str | os.PathLike[str], said: Said = refuse) -> Iterator[SpanView]:
    """The spans of an OTLP file, request by request; a half-written end is passed over.

    Fields that are not known are passed over.

    Errors: ``said`` is told of a request that cannot be read, and raises :class:`OtlpError` unless
    something else is given; the rest is then read on.
    """
    for request in read_requests(path, said):
        if isinstance(request, ExportTraceServiceRequest):
            yield from spans_of_message(request)
        else:
            yield from spans_of_request(request)


def spans_of_request(request: object) -> Iterator[SpanView]:
    """The spans and events of one decoded OTLP/JSON request, or of a list of them."""
    if isinstance(request, list):
        for one in request:
            yield from spans_of_request(one)
        return
    yield from _events_of_request(request)
    for group in _items(request, "resourceSpans"):
        resource = _attributes(_get(_get(group, "resource"), "attributes"))
        for scope in _items(group, "scopeSpans"):
            name = str(_get(_get(scope, "scope"), "name") or "")
            for span in _items(scope, "spans"):
                if isinstance(span, Mapping):
                    yield _span(span, name, resource)


def spans_of_message(message: ExportTraceServiceRequest) -> Iterator[SpanView]:
    """The spans of one request in protobuf."""
    for group in message.resource_spans:
        resource = _of_pairs(group.resource.attributes)
        for scope in group.scope_spans:
            name = scope.scope.name
            for span in scope.spans:
                yield _of_message(span, name, resource)


def _of_message(span: Any, scope: str, resource: Mapping[str, Any]) -> SpanView:
    status = span.status
    return SpanView(
        span.name,
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        span.start_time_unix_nano,
        span.end_time_unix_nano,
        _of_pairs(span.attributes),
        tuple(SpanEvent(e.name, e.time_unix_nano, _of_pairs(e.attributes)) for e in span.events),
        _STATUS.get(status.code, "UNSET"),
        status.message,
        scope,
        resource,
        span.dropped_attributes_count,
    )


def _span(span: Mapping[str, Any], scope: str, resource: Mapping[str, Any]) -> SpanView:
    status = _get(span, "status")
    code = _get(status, "code") or 0
    name, began_ns = str(span.get("name") or ""), _whole(_get(span, "startTimeUnixNano"))
    return SpanView(
        name=name,
        trace_id=_id(_get(span, "traceId"), 32),
        # Without an id nothing can lie below it, and its usage is still there.
        span_id=_id(_get(span, "spanId"), 16) or f"{name}/{began_ns}",
        parent_id=_id(_get(span, "parentSpanId"), 16),
        began_ns=began_ns,
        ended_ns=_whole(_get(span, "endTimeUnixNano")),
        attributes=_attributes(_get(span, "attributes")),
        events=tuple(
            SpanEvent(
                str(_get(event, "name") or ""),
                _whole(_get(event, "timeUnixNano")),
                _attributes(_get(event, "attributes")),
            )
            for event in _items(span, "events")
        ),
        status=_STATUS_NAMES.get(str(code)) or _STATUS.get(_whole(code), "UNSET"),
        status_message=str(_get(status, "message") or ""),
        scope=scope,
        resource=resource,
        dropped_attributes=_whole(_get(span, "droppedAttributesCount")),
    )


def _events_of_request(request: object) -> Iterator[SpanView]:
    for group in _items(request, "resourceLogs"):
        resource = _attributes(_get(_get(group, "resource"), "attributes"))
        for scope in _items(group, "scopeLogs"):
            name = str(_get(_get(scope, "scope"), "name") or "")
            for number, log in enumerate(_items(scope, "logRecords")):
                event = _event(log, name, resource, number)
                if event is not None:
                    yield event


def _event(log: object, scope: str, resource: Mapping[str, Any], number: int) -> SpanView | None:
    """A log record as a span; without ids of its own it lies in its session's trace."""
    attributes = _attributes(_get(log, "attributes"))
    body = _value(_get(log, "body"))
    name = _get(log, "eventName") or attributes.get("event.name")
    if not isinstance(name, str) or not name:
        return None
    at_ns = _whole(_get(log, "timeUnixNano")) or _whole(_get(log, "observedTimeUnixNano"))
    if isinstance(body, Mapping):
        attributes = {**body, **attributes}
    elif isinstance(body, str) and body.endswith(f".{name}"):
        name = body  # the name is whole only in the text
    session = str(attributes.get("session.id") or "")
    # A session that is resumed counts its events from the beginning again.
    order = f"{at_ns}.{attributes.get('event.sequence', f'#{number}')}"
    return SpanView(
        name=name,
        trace_id=_id(_get(log, "traceId"), 32) or session,
        span_id=_id(_get(log, "spanId"), 16) or f"{session}/{order}",
        parent_id="",
        began_ns=at_ns,
        ended_ns=at_ns,
        attributes=attributes,
        scope=scope,
        resource=resource,
    )


def _get(of: object, name: str) -> Any:
    """A field by its JSON name, or by that of the protobuf definition."""
    if not isinstance(of, Mapping):
        return None
    if name in of:
        return of[name]
    return of.get("".join(f"_{c.lower()}" if c.isupper() else c for c in name))


def _items(of: object, name: str) -> list[Any]:
    found = _get(of, name)
    return found if isinstance(found, list) else []


def _attributes(pairs: Any) -> dict[str, Any]:
    found = {}
    for pair in pairs if isinstance(pairs, list) else ():
        if isinstance(pair, Mapping):
            found[str(pair.get("key") or "")] = _value(pair.get("value"))
    return {name: value for name, value in found.items() if value is not None}


def _of_pairs(pairs: Any) -> dict[str, Any]:
    """The same in protobuf."""
    found = {}
    for pair in pairs:
        value = pair.value
        kind = value.WhichOneof("value")
        if kind in _SCALARS:
            found[pair.key] = getattr(value, kind)
        elif kind is not None:
            found[pair.key] = _of_message_value(value, kind)
    return found


def _value(value: Any) -> Any:
    for kind in _PLAIN:
        plain = _get(value, kind)
        if plain is not None:
            return float(plain) if kind == "doubleValue" and plain in _NOT_FINITE else plain
    whole = _get(value, "intValue")
    if whole is not None:
        return _integer(whole)
    array = _get(value, "arrayValue")
    if array is not None:
        return [_value(item) for item in _items(array, "values")]
    pairs = _get(value, "kvlistValue")
    return None if pairs is None else _attributes(_items(pairs, "values"))


def _of_message_value(value: Any, kind: str | None) -> Any:
    if kind == "array_value":
        items = value.array_value.values
        return [_of_message_value(item, item.WhichOneof("value")) for item in items]
    if kind == "kvlist_value":
        return _of_pairs(value.kvlist_value.values)
    return None if kind is None else getattr(value, kind)


_BITS = 64


def _whole(value: object) -> int:
    return _integer(value) or 0


def _integer(value: object) -> int | None:
    """A whole number of at most 64 bits, as OTLP has them; ``None`` for anything else."""
    try:
        number = int(value)  # type: ignore[call-overload]
    except (TypeError, ValueError, OverflowError):
        return None
    return number if number.bit_length() <= _BITS else None


def _id(value: object, digits: int) -> str:
    """Hex as OTLP has it; base64, as generic protobuf-to-JSON writers have it, is turned into hex."""
    text = str(value or "")
    if len(text) == digits or not text:
        return text.lower()
    try:
        return base64.b64decode(text, validate=True).hex()
    except ValueError:
        return text
