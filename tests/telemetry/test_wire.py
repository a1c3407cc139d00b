"""The bytes that spans are sent in say the same as those of the SDK's own encoder."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
    set_span_in_context,
)

from tests.telemetry.test_otlp_exporter import KNOWN
from touchdown.telemetry import known
from touchdown.telemetry.known import add_attributes
from touchdown.telemetry.protobuf import UnusualError
from touchdown.telemetry.wire import encode_request

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
WHOLE = st.integers(-(2**63), 2**63 - 1)
NUMBER = st.floats(allow_nan=False)
VALUE = st.one_of(
    TEXT,
    st.booleans(),
    WHOLE,
    NUMBER,
    st.lists(TEXT, max_size=40),
    st.lists(WHOLE, max_size=40),
    st.lists(NUMBER, max_size=4),
    st.lists(st.booleans(), max_size=4),
)
TOLD = st.dictionaries(TEXT.filter(bool), VALUE, max_size=12)


def made(told: dict[str, Any], events: Sequence[dict[str, Any]] = (), **more: Any) -> Any:
    """Spans of two scopes: with a parent, a remote one, or none; one failed, one has dropped attributes."""
    out = InMemorySpanExporter()
    provider = TracerProvider(
        resource=Resource({"service.name": "s"}, "https://example.org/1"),
        span_limits=SpanLimits(
            max_span_attributes=10, max_events=2, max_span_attribute_length=None
        ),
        shutdown_on_exit=False,
    )
    provider.add_span_processor(SimpleSpanProcessor(out))
    first, second = (
        provider.get_tracer("first", "1", "https://example.org/2"),
        provider.get_tracer("2"),
    )
    above = SpanContext(1, 2, True, TraceFlags(1), TraceState([("a", "b"), ("c", "d")]))
    root = first.start_span("root", kind=SpanKind.CLIENT, attributes=told, **more)
    below = second.start_span("below", set_span_in_context(root))
    for event in events:
        below.add_event("happened", event)
    below.set_status(Status(StatusCode.ERROR, "broken"))
    below.end()
    root.end()
    first.start_span("far", set_span_in_context(NonRecordingSpan(above))).end()
    return out.get_finished_spans()


@pytest.mark.skipif(not KNOWN, reason="the SDK encodes")
@given(TOLD, st.lists(TOLD, max_size=3))
def test_the_same_as_the_sdk(told: dict[str, Any], events: list[dict[str, Any]]) -> None:
    spans = made(told, events)
    assert ExportTraceServiceRequest.FromString(encode_request(spans)) == encode_spans(spans)


@pytest.mark.skipif(not KNOWN, reason="the SDK encodes, and drops such values")
@pytest.mark.parametrize(
    "told", [{"big": 2**63}, {"bytes": b"x"}, {"map": {"a": 1}}, {"half": "\ud800"}], ids=str
)
def test_what_is_unusual_is_left_to_the_sdk(told: dict[str, Any]) -> None:
    with pytest.raises((UnusualError, UnicodeEncodeError)):
        encode_request(made(told))
    with pytest.raises(UnusualError):
        encode_request(made({}, links=[Link(SpanContext(1, 2, False))]))


@pytest.mark.skipif(not KNOWN, reason="the SDK encodes")
@given(st.lists(TOLD, max_size=3))
def test_attributes_met_before(told: list[dict[str, Any]]) -> None:
    for some in [*told, *told]:
        parts: list[bytes] = []
        add_attributes(parts, {n: tuple(v) if isinstance(v, list) else v for n, v in some.items()})
        assert list(Span.FromString(b"".join(parts)).attributes) == encoded(some)


def test_equal_values_of_other_types() -> None:
    """They are one key of a dict."""
    for value in (1, True, 1.0, (1,), (True,), (1.0,), "1", ("1",), 0.0, -0.0):
        for _ in range(2):
            parts: list[bytes] = []
            add_attributes(parts, {"same": value})
            assert list(Span.FromString(b"".join(parts)).attributes) == encoded({"same": value})


def test_a_name_of_many_values_keeps_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known, "_names", known._Names())
    for number in range(100):
        add_attributes([], {"many": f"value {number}", "lists": (f"value {number}",)})
        add_attributes([], {f"name {number * 1_000 + n}": "" for n in range(20)})
    assert len(known._names["many"]) < 20
    assert len(known._names["lists"]) < 20
    assert len(known._names) <= known._MOST_NAMES


def encoded(attributes: Mapping[str, Any]) -> list[Any]:
    readable = ReadableSpan(
        "",
        SpanContext(1, 2, False),
        attributes=attributes,
        resource=Resource({}),
        instrumentation_scope=InstrumentationScope("s"),
    )
    return list(encode_spans([readable]).resource_spans[0].scope_spans[0].spans[0].attributes)


def test_no_span() -> None:
    empty: list[ReadableSpan] = []
    assert encode_request(empty) == b""
