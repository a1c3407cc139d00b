"""The provider that touchdown builds: what it was given is sent, or told as lost, and nothing else is."""

import os
import subprocess
import sys
import threading

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from tests.telemetry.receiver import receiving
from touchdown.telemetry.private import CountedProcessor, OwnProvider

FIRST_EXPORT = """
import sys
import touchdown
from touchdown.telemetry.private import CountedExporter, CountedMetricExporter

touchdown.instrument(clients=())


@touchdown.tool
def look():
    return "seen"


def watched(kind):
    export = kind.export

    def watch(self, *given, **more):
        before = set(sys.modules)
        done = export(self, *given, **more)
        sys.stdout.write(" ".join([kind.__name__, *sorted(set(sys.modules) - before)]) + "\\n")
        return done

    kind.export = watch


watched(CountedExporter)
watched(CountedMetricExporter)
look()
touchdown.flush(30)
"""


class Backend(SpanExporter):
    """Takes spans, and says how many."""

    def __init__(self) -> None:
        self.taken = 0

    def export(self, spans: list[ReadableSpan]) -> SpanExportResult:  # type: ignore[override]
        self.taken += len(spans)
        return SpanExportResult.SUCCESS


@pytest.fixture
def backend() -> Backend:
    return Backend()


def test_a_span_that_ends_after_the_end_is_not_lost_to_the_backend(backend: Backend) -> None:
    processor = CountedProcessor("otlp", backend)
    tracer = OwnProvider((processor,)).get_tracer("test")
    late = tracer.start_span("late")
    tracer.start_span("in time").end()
    processor.shutdown()
    late.end()
    assert (backend.taken, processor.count.given, processor.count.sent) == (1, 1, 1)


def test_what_is_counted_is_sent_however_the_end_falls_between(backend: Backend) -> None:
    processor = CountedProcessor("otlp", backend)
    tracer = OwnProvider((processor,)).get_tracer("test")
    going = threading.Event()

    def end_many() -> None:
        for number in range(500):
            tracer.start_span("one").end()
            if number == 100:
                going.set()

    threads = [threading.Thread(target=end_many) for _ in range(4)]
    for thread in threads:
        thread.start()
    going.wait(30)
    processor.shutdown()
    for thread in threads:
        thread.join()
    assert processor.count.given == processor.count.sent == backend.taken


def test_nothing_is_imported_while_it_sends_for_a_fork_may_fall_into_it() -> None:
    """The child waits for ever for an import that a thread of its parent had begun."""
    with receiving() as receiver:
        done = subprocess.run(
            [sys.executable, "-c", FIRST_EXPORT],
            env={**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
    assert set(done.stdout.splitlines()) == {"CountedExporter", "CountedMetricExporter"}
