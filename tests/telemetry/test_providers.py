"""Which provider is used: asked at the first span, and again when the host sets one later."""

from unittest.mock import Mock

import pytest
from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider

from tests.telemetry.conftest import memory_provider
from tests.telemetry.samples import BARE_CALL, CALL_START
from touchdown.telemetry import SpanSink
from touchdown.telemetry.environment import otlp_protocol, wanted_exporters
from touchdown.telemetry.providers import TRACES, Source

NOWHERE = "http://127.0.0.1:1"


def set_global(monkeypatch: pytest.MonkeyPatch, provider: object) -> None:
    monkeypatch.setattr("opentelemetry.trace._TRACER_PROVIDER", provider)


def one_call(sink: SpanSink) -> None:
    opened = sink.open(CALL_START)
    if opened is not None:
        opened.close(BARE_CALL, None)


def test_a_given_provider_wins_over_all_others(monkeypatch: pytest.MonkeyPatch) -> None:
    given, in_given = memory_provider()
    other, in_other = memory_provider()
    set_global(monkeypatch, other)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", NOWHERE)
    one_call(SpanSink(tracer_provider=given))
    assert len(in_given.get_finished_spans()) == 1
    assert in_other.get_finished_spans() == ()


def test_a_global_one_is_found_though_it_was_set_after_the_sink_was_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sink = SpanSink()
    host, memory = memory_provider()
    set_global(monkeypatch, host)
    one_call(sink)
    assert len(memory.get_finished_spans()) == 1


def test_a_global_one_that_comes_later_takes_over(monkeypatch: pytest.MonkeyPatch) -> None:
    sink = SpanSink()
    assert sink.open(CALL_START) is None
    host, memory = memory_provider()
    set_global(monkeypatch, host)
    one_call(sink)
    assert len(memory.get_finished_spans()) == 1


def test_a_global_one_takes_over_from_one_of_our_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "otlp")
    source = Source(TRACES, None, "")
    own = source.current()
    assert own is not None
    assert source.current() is own
    host, _ = memory_provider()
    set_global(monkeypatch, host)
    hosts = source.current()
    assert hosts is not None
    assert hosts is not own
    assert isinstance(trace.get_tracer_provider(), TracerProvider)
    # Ours is still there to be flushed and shut down.
    assert source.private is not None


@pytest.mark.parametrize("provider", [None, trace.NoOpTracerProvider()])
def test_without_a_provider_or_with_one_that_does_nothing_there_is_no_span(
    monkeypatch: pytest.MonkeyPatch, provider: object
) -> None:
    set_global(monkeypatch, provider)
    assert SpanSink().open(CALL_START) is None


def test_a_disabled_sdk_stops_spans_of_a_given_provider_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given, memory = memory_provider()
    monkeypatch.setenv("OTEL_SDK_DISABLED", "TRUE")
    sink = SpanSink(tracer_provider=given)
    assert sink.open(CALL_START) is None
    assert memory.get_finished_spans() == ()


def test_ids_of_a_parent_are_not_taken_for_those_of_a_span_never_made() -> None:
    """The API's tracer that does nothing hands back the parent's own context."""
    host, _ = memory_provider()
    sink = SpanSink(tracer_provider=trace.NoOpTracerProvider())
    with host.get_tracer("host").start_as_current_span("a request"):
        assert sink.open(CALL_START) is None


def test_a_provider_that_the_environment_names_and_that_is_missing_is_said_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_PYTHON_TRACER_PROVIDER", "not_installed")
    sink = SpanSink()
    for _ in range(3):
        assert sink.open(CALL_START) is None
    ours = [record for record in caplog.records if record.name.startswith("touchdown")]
    assert len(ours) == 1
    assert "global provider" in ours[0].getMessage()


def test_metrics_alone_are_enough_to_be_told_of_a_call() -> None:
    reader = InMemoryMetricReader()
    sink = SpanSink(meter_provider=MeterProvider([reader], shutdown_on_exit=False))
    opened = sink.open(CALL_START)
    assert opened is not None
    assert (opened.trace_id, opened.span_id) == ("", "")
    with opened.activate():
        assert not trace.get_current_span().get_span_context().is_valid
    opened.close(BARE_CALL, None)
    assert reader.get_metrics_data() is not None


def test_a_global_meter_provider_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = InMemoryMetricReader()
    host = MeterProvider([reader], shutdown_on_exit=False)
    monkeypatch.setattr("opentelemetry.metrics._internal._METER_PROVIDER", host)
    one_call(SpanSink())
    assert reader.get_metrics_data() is not None


def test_a_hosts_provider_is_neither_flushed_nor_shut_down() -> None:
    host, memory = memory_provider()
    shut = Mock()
    host.shutdown = shut  # type: ignore[method-assign]
    host.force_flush = shut  # type: ignore[method-assign]
    sink = SpanSink(tracer_provider=host)
    one_call(sink)
    assert sink.flush(1.0)
    sink.shutdown(1.0)
    assert not shut.called
    assert sink.open(CALL_START) is None
    assert len(memory.get_finished_spans()) == 1


@pytest.mark.parametrize(
    ("environment", "traces", "metrics_"),
    [
        ({}, (), ()),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": NOWHERE}, ("otlp",), ("otlp",)),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": " "}, (), ()),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": NOWHERE}, ("otlp",), ()),
        ({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": NOWHERE}, (), ("otlp",)),
        ({"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": NOWHERE}, (), ()),
        ({"OTEL_TRACES_EXPORTER": "OTLP"}, ("otlp",), ()),
        ({"OTEL_TRACES_EXPORTER": "console, otlp"}, ("console", "otlp"), ()),
        (
            {"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": NOWHERE},
            (),
            ("otlp",),
        ),
        ({"OTEL_METRICS_EXPORTER": "console"}, (), ("console",)),
    ],
)
def test_what_the_environment_asks_for(
    environment: dict[str, str], traces: tuple[str, ...], metrics_: tuple[str, ...]
) -> None:
    assert wanted_exporters("traces", environment) == traces
    assert wanted_exporters("metrics", environment) == metrics_


@pytest.mark.parametrize(
    ("environment", "protocol"),
    [
        ({}, "http/protobuf"),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "grpc"),
        (
            {
                "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
                "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf",
            },
            "http/protobuf",
        ),
    ],
)
def test_the_protocol_of_the_signal_wins(environment: dict[str, str], protocol: str) -> None:
    assert otlp_protocol("traces", environment) == protocol
