"""What breaks in a host's telemetry, or in ours, never reaches the call."""

import asyncio
import os
import threading
import time
from collections.abc import Sequence

import pytest
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from tests.telemetry.samples import BARE_CALL, CALL_START
from touchdown.telemetry import SpanSink, private


class Broken(SpanProcessor):
    """A processor that raises where it is told to."""

    def __init__(self, where: str) -> None:
        self._where = where

    def on_start(self, span: object, parent_context: object = None) -> None:
        if self._where == "start":
            raise RuntimeError("broken at the start")

    def on_end(self, span: ReadableSpan) -> None:
        if self._where == "end":
            raise RuntimeError("broken at the end")


class Exporter(SpanExporter):
    """An exporter that does what it is told: works, refuses, raises, or hangs."""

    def __init__(self, how: str) -> None:
        self.how = how
        self.let_go = threading.Event()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        if self.how == "hangs":
            self.let_go.wait(30)
        if self.how == "raises":
            raise ConnectionError("no route")
        return SpanExportResult.SUCCESS if self.how == "works" else SpanExportResult.FAILURE

    def shutdown(self) -> None:
        """Nothing to let go of."""


def own_sink(monkeypatch: pytest.MonkeyPatch, how: str) -> tuple[SpanSink, Exporter]:
    """A sink with a provider of our own and this exporter behind it."""
    exporter = Exporter(how)
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "otlp")
    monkeypatch.setattr(private, "span_exporter", lambda _name: exporter)
    return SpanSink(), exporter


def one_call(sink: SpanSink) -> None:
    opened = sink.open(CALL_START)
    assert opened is not None
    with opened.activate():
        pass
    opened.close(BARE_CALL, None)


def test_a_processor_that_raises_at_the_start_costs_the_span(
    caplog: pytest.LogCaptureFixture,
) -> None:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(Broken("start"))
    sink = SpanSink(tracer_provider=provider)
    assert sink.open(CALL_START) is None
    assert sink.open(CALL_START) is None
    (line,) = caplog.messages
    assert line.startswith("touchdown: opening a span failed (RuntimeError at telemetry/test_break")
    assert line.endswith("; the host's call is not affected")
    assert "broken at the start" not in caplog.text


@pytest.mark.parametrize("error", [asyncio.CancelledError, GeneratorExit])
def test_what_ends_coroutines_ends_no_call(error: type[BaseException]) -> None:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(Raising(error))
    assert SpanSink(tracer_provider=provider).open(CALL_START) is None


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_what_ends_the_program_passes(error: type[BaseException]) -> None:
    """The interpreter may raise it anywhere, in a processor as well."""
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(Raising(error))
    with pytest.raises(error):
        SpanSink(tracer_provider=provider).open(CALL_START)


class Raising(SpanProcessor):
    """A processor that raises what is no ``Exception``."""

    def __init__(self, error: type[BaseException]) -> None:
        self._error = error

    def on_start(self, span: object, parent_context: object = None) -> None:
        raise self._error


def test_a_processor_that_raises_at_the_end_does_not_reach_the_worker(
    caplog: pytest.LogCaptureFixture,
) -> None:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(Broken("end"))
    sink = SpanSink(tracer_provider=provider)
    one_call(sink)
    one_call(sink)
    assert len(caplog.records) == 1


def test_an_exporter_that_raises_is_counted_and_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    sink, _ = own_sink(monkeypatch, "raises")
    one_call(sink)
    assert not sink.flush(5.0)
    assert sink.shutdown(2.0) == ["1 of 1 spans (the backend refused them)"]
    (line,) = caplog.messages
    assert line.startswith("touchdown: the span exporter failed (ConnectionError at telemetry/")


def test_all_that_was_sent_is_not_reported(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    sink, _ = own_sink(monkeypatch, "works")
    one_call(sink)
    assert sink.flush(5.0)
    one_call(sink)
    assert sink.shutdown(2.0) == []
    assert sink.shutdown(2.0) == []
    assert caplog.records == []


def test_a_backend_that_hangs_holds_flush_and_shutdown_only_so_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sink, exporter = own_sink(monkeypatch, "hangs")
    one_call(sink)
    began = time.monotonic()
    assert not sink.flush(0.2)
    lost = sink.shutdown(0.5)
    took_s = time.monotonic() - began
    exporter.let_go.set()
    assert took_s < 2.0
    assert lost == ["1 of 1 spans (not sent within 0.5 s)"]


def test_a_hanging_backend_does_not_hold_a_close(monkeypatch: pytest.MonkeyPatch) -> None:
    sink, exporter = own_sink(monkeypatch, "hangs")
    one_call(sink)
    began = time.monotonic()
    for _ in range(3_000):
        one_call(sink)
    took_s = time.monotonic() - began
    sink.shutdown(0.1)
    exporter.let_go.set()
    assert took_s < 10


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_child_sends_and_counts_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    sink, _ = own_sink(monkeypatch, "works")
    one_call(sink)
    child = os.fork()
    if child == 0:
        sent = False
        try:
            one_call(sink)
            sent = sink.flush(5.0)
        finally:
            os._exit(0 if sent else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    sink.shutdown(2.0)
