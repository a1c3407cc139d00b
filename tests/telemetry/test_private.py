"""The provider that touchdown builds: what it was given is sent, or told as lost, and nothing else is."""

import threading

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from touchdown.telemetry.private import CountedProcessor, OwnProvider


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
