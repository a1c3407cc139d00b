"""Small spans of our own provider leave in the same bytes as those that the SDK makes and encodes."""

import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from msgspec.structs import replace
from opentelemetry import context as otel_context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
    get_current_span,
    set_span_in_context,
)

from tests.telemetry.receiver import Receiver, plain_attributes, receiving
from tests.telemetry.samples import (
    AGENT,
    AGENT_START,
    BARE_CALL,
    CALL,
    CALL_START,
    TASK,
    TASK_START,
    TOOL,
    TOOL_START,
    VERDICT,
)
from tests.telemetry.test_otlp_exporter import KNOWN
from touchdown.records import CallVerdict, ModelCall
from touchdown.runtime.content import Content
from touchdown.telemetry import SpanSink, exporters, private, waiting
from touchdown.telemetry.encoded import Pack
from touchdown.telemetry.own_span import OwnSpan

pytestmark = pytest.mark.skipif(not KNOWN, reason="the SDK makes every span")
PLACES: list[tuple[Any, ...]] = []
"""Where the spans stood that were current inside a call."""
ABOVE = SpanContext(7, 8, True, TraceFlags(1), TraceState([("a", "b"), ("c", "d")]))


def call(
    sink: SpanSink,
    touch: Callable[[Any], object] = lambda span: None,
    record: ModelCall = CALL,
    verdict: CallVerdict | None = VERDICT,
) -> None:
    """One model call, its span touched by the host while it runs."""
    opened = sink.open(CALL_START)
    assert opened is not None
    with opened.activate():
        PLACES.append(tuple(get_current_span().get_span_context()))
        touch(get_current_span())
    opened.close(record, verdict)


def everything(sink: SpanSink) -> None:
    task = sink.open(TASK_START)
    assert task is not None
    with task.activate():
        call(sink)
        call(sink, record=replace(BARE_CALL, status="error", error_type="RateLimitError"))
        call(sink, record=replace(BARE_CALL, status="cancelled"))
        for start, record in ((TOOL_START, TOOL), (AGENT_START, AGENT)):
            step = sink.open(start)
            assert step is not None
            step.close(record, None)
    task.close(replace(TASK, outcome="unknown", score=None), None)


def told(sink: SpanSink) -> None:
    task = sink.open(TASK_START)
    assert task is not None
    task.close(TASK, None)


def below(place: SpanContext) -> Callable[[SpanSink], None]:
    def run(sink: SpanSink) -> None:
        token = otel_context.attach(set_span_in_context(NonRecordingSpan(place)))
        call(sink)
        otel_context.detach(token)

    return run


def touched(span: Any) -> None:
    """What a host may do to the current span."""
    assert span.is_recording()
    span.set_attribute("a", 1)
    span.set_attributes({"b": b"bytes", "gen_ai.request.model": "mine", "c": {"d": [1, None]}})
    span.add_event("first", {"at": 1}, 5)
    try:
        raise ValueError("no")
    except ValueError as error:
        span.record_exception(error, {"more": 1}, 6)
    span.add_link(SpanContext(3, 4, False))
    span.set_status(Status(StatusCode.ERROR, "mine"))
    span.update_name("mine")


def read(span: Any) -> None:
    assert span.name == "chat gpt-5"
    assert span.attributes["server.port"] == 443
    assert span.start_time == CALL_START.sent_at_ns
    assert span.events == ()
    assert not hasattr(span, "_not_there")


def shown(sink: SpanSink) -> None:
    opened = sink.open(CALL_START)
    assert opened is not None
    opened.show(Content("SPAN_AND_EVENT", {"input_messages": "hello"}))
    opened.close(CALL, None)


DONE: dict[str, tuple[Callable[[SpanSink], None], dict[str, str]]] = {
    "everything": (everything, {}),
    "an outcome": (told, {}),
    "content": (shown, {}),
    "below another process": (below(ABOVE), {}),
    "below one not sampled": (below(SpanContext(7, 8, True, TraceFlags(0))), {}),
    "below one of random bits": (below(SpanContext(7, 8, False, TraceFlags(3))), {}),
    "touched": (lambda sink: call(sink, touched), {}),
    "read": (lambda sink: call(sink, read), {}),
    "ended": (lambda sink: call(sink, lambda span: span.end(7)), {}),
    "with": (lambda sink: call(sink, lambda span: span.__exit__(None, None, None)), {}),
    "few attributes": (everything, {"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "20"}),
    "short values": (everything, {"OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": "5"}),
    "never sampled": (everything, {"OTEL_TRACES_SAMPLER": "always_off"}),
    "always sampled": (
        below(SpanContext(7, 8, True, TraceFlags(0))),
        {"OTEL_TRACES_SAMPLER": "always_on"},
    ),
    "half of them sampled": (
        lambda sink: [everything(sink) for _ in range(8)] and None,
        {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.5"},
    ),
    "half a character": (lambda sink: call(sink, record=replace(CALL, speed="\ud800")), {}),
    "more than 64 bits": (lambda sink: call(sink, record=replace(CALL, chunks=2**64)), {}),
}


@contextmanager
def counted_ids() -> Iterator[None]:
    """The same ids for both ways, every second trace one that is sampled at half the rate."""
    numbers, traces = itertools.count(1), itertools.count(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RandomIdGenerator, "generate_span_id", lambda _self: next(numbers))
        patch.setattr(
            RandomIdGenerator,
            "generate_trace_id",
            lambda _self: (n := next(traces)) + ((n % 2) << 63),
        )
        patch.setattr("opentelemetry.sdk.trace.time_ns", lambda: 9)
        yield


def sent(run: Callable[[SpanSink], None]) -> tuple[list[Any], list[ExportTraceServiceRequest]]:
    with receiving() as backend, counted_ids(), pytest.MonkeyPatch.context() as patch:
        patch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", f"{backend.endpoint}/v1/traces")
        patch.setenv("OTEL_RESOURCE_ATTRIBUTES", "service.instance.id=1")
        sink = SpanSink(version="1.2")
        PLACES.clear()
        run(sink)
        assert sink.shutdown(5.0) == []
        return PLACES[:], backend.traces


@pytest.mark.parametrize(("run", "environment"), DONE.values(), ids=DONE)
def test_the_same_as_the_sdk(
    run: Callable[[SpanSink], None], environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    ours = sent(run)
    monkeypatch.setattr(private, "own_tracer", lambda sdk, _on_end: sdk)
    place = ("traces", "http/protobuf")
    exporter = f"{OTLPSpanExporter.__module__}:{OTLPSpanExporter.__name__}"
    monkeypatch.setitem(exporters._PLACES, place, exporter)
    assert ours == sent(run)


def test_the_quick_way_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were the SDK's own way taken every time, the test above would hold too."""
    twins: list[OwnSpan] = []
    monkeypatch.setattr("touchdown.telemetry.own_tracer._SdkTracer.twin", twins.append)
    _, (request,) = sent(everything)
    assert len(request.resource_spans[0].scope_spans[0].spans) == 6
    assert twins == []


@pytest.mark.parametrize(
    "environment",
    [
        {"OTEL_TRACES_EXPORTER": "console"},
        {"OTEL_TRACES_EXPORTER": "otlp,otlp"},
        {"OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED": "true", "OTEL_TRACES_EXPORTER": "otlp"},
    ],
    ids=lambda told: " ".join(told.values()),
)
def test_what_is_unusual_is_left_to_the_sdk(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    opened = SpanSink().open(CALL_START)
    assert opened is not None
    assert not isinstance(opened.span, OwnSpan)
    assert opened.span.is_recording()


def test_a_span_of_ours_is_over_when_it_ended(own: SpanSink, backend: Receiver) -> None:
    opened = own.open(CALL_START)
    assert opened is not None
    span = opened.span
    assert isinstance(span, OwnSpan)
    opened.close(BARE_CALL, None)
    assert not span.is_recording()
    span.set_attribute("late", 1)
    span.end()
    opened.close(BARE_CALL, None)
    own.flush(5.0)
    assert len(backend.spans()) == 1


def test_an_encoder_that_breaks_costs_no_span(
    own: SpanSink,
    backend: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("touchdown.telemetry.own_tracer.encode_own", None)
    call(own)
    own.flush(5.0)
    (span,) = backend.spans()
    assert len(span.attributes) > 60
    assert "encoding a span failed" in caplog.text


def test_a_twin_that_cannot_be_made_is_not_the_hosts_trouble(
    own: SpanSink,
    backend: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("touchdown.telemetry.own_tracer._Span", None)

    def touch(span: Any) -> None:
        span.set_attribute("a", 1)
        span.add_event("b")
        assert not hasattr(span, "attributes")

    call(own, touch)
    own.flush(5.0)
    (span,) = backend.spans()
    assert "a" not in plain_attributes(span)
    assert "making a span of the SDK failed" in caplog.text


def test_a_request_that_would_be_too_large_goes_in_parts(
    own: SpanSink,
    backend: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(OTLPSpanExporter, "_max_request_size", 9_000, raising=False)
    call(own)
    exporter: Any = own._tracers.private
    exporter._processors[0].span_exporter._exporter._max_request_size = 9_000
    for _ in range(7):
        call(own)
    call(own, record=replace(CALL, scope="x" * 9_000))
    assert not own.flush(5.0)
    assert len(backend.spans()) == 8
    assert len(backend.traces) > 2
    assert "larger than a request may be" in caplog.text


@pytest.mark.parametrize("wait", ["a batch", "stuck", "refused"])
def test_spans_that_are_not_taken_are_compressed(
    wait: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """And arrive as they were, all that the queue has room for."""
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "400")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "100" if wait == "a batch" else "400")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100000000")
    exporter = Gate()
    monkeypatch.setattr(private, "span_exporter", lambda _name: exporter)
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "otlp")
    packs: list[Any] = []
    monkeypatch.setattr(waiting, "Pack", lambda group: packs.append(Pack(group)))
    sink = SpanSink()
    tracing: Any = sink._tracers
    assert tracing.current() is not None
    held = tracing.private._processors[0]._waiting
    if wait == "stuck":
        monkeypatch.setattr(waiting, "STUCK_S", -1.0)
        held.sending([])
    elif wait == "refused":
        held.answered(False)
    for _ in range(350):
        call(sink)
    assert len(packs) >= 3
    assert all(len(pack._zipped) < 64 * 3_000 / 5 for pack in packs)
    exporter.let_go.set()
    assert sink.shutdown(10.0) == []
    told = [Span.FromString(data[data.index(b"\x0a\x10") :]) for data in exporter.came]
    assert len(told) == 350
    assert len({span.span_id for span in told}) == 350
    assert {span.name for span in told} == {"chat gpt-5"}


class Gate(SpanExporter):
    """Takes bytes once it is let."""

    takes_bytes = True

    def __init__(self) -> None:
        self.let_go = threading.Event()
        self.came: list[bytes] = []

    def export(self, spans: Sequence[Any]) -> SpanExportResult:
        self.let_go.wait(60)
        self.came += [span.data for span in spans]
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None: ...


@pytest.fixture
def backend() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def own(backend: Receiver, monkeypatch: pytest.MonkeyPatch) -> Iterator[SpanSink]:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", f"{backend.endpoint}/v1/traces")
    sink = SpanSink()
    yield sink
    sink.shutdown(5.0)
