"""OTLP as it goes over the wire: requests read and answered in both encodings."""

import zlib
from collections.abc import Iterator
from typing import Any, Literal

import msgspec
from google.protobuf.json_format import MessageToDict, MessageToJson  # type: ignore[import-untyped]
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from google.rpc.code_pb2 import INVALID_ARGUMENT, RESOURCE_EXHAUSTED, UNAVAILABLE  # type: ignore[import-untyped]
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from msgspec import Struct
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as logs
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as traces

from touchdown.telemetry.otlp import spans_of_message, spans_of_request
from touchdown.telemetry.span import SpanView

Signal = Literal["traces", "metrics", "logs"]
SIGNALS: tuple[Signal, ...] = ("traces", "metrics", "logs")

PROTOBUF, JSON = "application/x-protobuf", "application/json"

_REQUESTS: dict[Signal, Any] = {
    "traces": traces.ExportTraceServiceRequest,
    "metrics": metrics.ExportMetricsServiceRequest,
    "logs": logs.ExportLogsServiceRequest,
}
_RESPONSES: dict[Signal, Any] = {
    "traces": traces.ExportTraceServiceResponse,
    "metrics": metrics.ExportMetricsServiceResponse,
    "logs": logs.ExportLogsServiceResponse,
}
_GROUPS: dict[Signal, str] = {
    "traces": "resourceSpans",
    "metrics": "resourceMetrics",
    "logs": "resourceLogs",
}
_TRACE_BYTES, _SPAN_BYTES = 16, 8
_decode = msgspec.json.Decoder().decode

REJECTED = "spans without a valid trace id and span id are not taken in"


class Refused(Exception):  # noqa: N818 - it says what became of the request, not that we failed
    """A request that is not taken in. ``code``: gRPC's number for the same."""

    def __init__(self, status: int, reason: str, code: int = INVALID_ARGUMENT) -> None:
        super().__init__(reason)
        self.status, self.reason, self.code = status, reason, code


def too_large(most: int) -> Refused:
    """What becomes of a request with more bytes."""
    return Refused(413, f"a request has at most {most:,} bytes, also unzipped", RESOURCE_EXHAUSTED)


def too_busy() -> Refused:
    """What becomes of a request for which there is no room now."""
    return Refused(503, "too many requests wait to be read; come again", UNAVAILABLE)


class Export(Struct, frozen=True):
    """One request. ``body`` and ``headers`` are as they came, to be handed on unchanged."""

    signal: Signal
    body: bytes
    headers: dict[str, str]
    message: Any
    """In protobuf; of JSON the spans already."""
    spans: int = 0
    rejected: int = 0

    def views(self) -> Iterator[SpanView]:
        """The spans, and the events of agents that tell of calls so; those without valid ids left out."""
        if self.signal == "metrics":
            return iter(())
        if isinstance(self.message, list):
            found = iter(self.message)
        elif self.signal == "logs":
            found = spans_of_request(MessageToDict(self.message))
        else:
            found = spans_of_message(self.message)
        return filter(_is_valid, found) if self.rejected else found


def read_export(
    signal: Signal, body: bytes, content_type: str, encoding: str, most_bytes: int
) -> Export:
    """Decode one request.

    Errors: :class:`Refused` for another content type or encoding, for what is not whole, and for too much.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind not in (PROTOBUF, JSON):
        raise Refused(415, f"the content type is {PROTOBUF} or {JSON}, not {kind or 'empty'!r}")
    headers = {"content-type": content_type}
    plain = body
    if encoding and encoding != "identity":
        if encoding != "gzip":
            raise Refused(415, f"the content encoding is gzip or none, not {encoding!r}")
        headers["content-encoding"] = encoding
        plain = unzipped(body, most_bytes)
    if kind == PROTOBUF:
        return of_protobuf(signal, plain, body, headers)
    views = [] if signal == "metrics" else list(spans_of_request(_from_json(signal, plain)))
    if signal != "traces":
        return Export(signal, body, headers, views)
    rejected = sum(not _is_valid(view) for view in views)
    return Export(signal, body, headers, views, len(views), rejected)


def of_protobuf(signal: Signal, data: bytes, body: bytes, headers: dict[str, str]) -> Export:
    """A request in protobuf. Errors: :class:`Refused` for what is none."""
    try:
        message = _REQUESTS[signal].FromString(data)
    except DecodeError as error:
        raise Refused(400, f"not an OTLP request in protobuf: {error}") from None
    spans, rejected = _counted(message) if signal == "traces" else (0, 0)
    return Export(signal, body, headers, message, spans, rejected)


def _is_valid(view: SpanView) -> bool:
    """Whether both ids are there, and not all zeros."""
    ids = (view.trace_id, 2 * _TRACE_BYTES), (view.span_id, 2 * _SPAN_BYTES)
    return all(len(name) == digits and name.strip("0") for name, digits in ids)


def _from_json(signal: Signal, data: bytes) -> Any:
    try:
        message = _decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refused(400, f"not JSON: {error}") from None
    snake = "".join(f"_{c.lower()}" if c.isupper() else c for c in _GROUPS[signal])
    groups = None
    if isinstance(message, dict):
        groups = message.get(_GROUPS[signal], message.get(snake, []))
    if not isinstance(groups, list) or not all(isinstance(group, dict) for group in groups):
        raise Refused(400, f"not OTLP JSON: an object with a list {_GROUPS[signal]}")
    return message


def unzipped(data: bytes, most: int) -> bytes:
    """What is in gzip. Errors: :class:`Refused` for what is no whole gzip, or too much."""
    found = b""
    while data:
        unzip = zlib.decompressobj(zlib.MAX_WBITS | 16)
        try:
            found += unzip.decompress(data, most + 1 - len(found))
        except zlib.error as error:
            raise Refused(400, f"not readable gzip: {error}") from None
        if len(found) > most:
            raise too_large(most)
        if not unzip.eof:
            raise Refused(400, "the gzip is cut off")
        data = unzip.unused_data
    return found


def _counted(message: Any) -> tuple[int, int]:
    """The spans of a request in protobuf, and how many of them have no valid ids."""
    spans = rejected = 0
    for group in message.resource_spans:
        for scope in group.scope_spans:
            spans += len(scope.spans)
            rejected += sum(
                not (_is_id(span.trace_id, _TRACE_BYTES) and _is_id(span.span_id, _SPAN_BYTES))
                for span in scope.spans
            )
    return spans, rejected


def _is_id(data: bytes, length: int) -> bool:
    return len(data) == length and any(data)


def answer(signal: Signal, is_json: bool, rejected: int = 0) -> bytes:
    """The body of the answer to a request that was taken in."""
    response = _RESPONSES[signal]()
    if rejected and signal == "traces":
        response.partial_success.rejected_spans = rejected
        response.partial_success.error_message = REJECTED
    return _encoded(response, is_json)


def refusal(refused: Refused, is_json: bool) -> bytes:
    """The body of the answer to one that was not: a ``Status``."""
    return _encoded(Status(code=refused.code, message=refused.reason), is_json)


def _encoded(message: Any, is_json: bool) -> bytes:
    if is_json:
        return MessageToJson(message, indent=None).encode()  # type: ignore[no-any-return]
    return message.SerializeToString()  # type: ignore[no-any-return]
