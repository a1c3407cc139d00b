"""The providers that touchdown builds from ``OTEL_*`` when the host has none; never installed globally."""

import threading
from collections.abc import Sequence

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from touchdown.telemetry.errands import Errand, Runner
from touchdown.telemetry.exporters import metric_exporters, span_exporters
from touchdown.telemetry.forks import in_forked_children
from touchdown.telemetry.quiet import failed, say


class Count:
    """Spans given to an exporter, sent and refused by it; counted anew in a forked child."""

    def __init__(self) -> None:
        self._restart()
        in_forked_children(self._restart)

    def _restart(self) -> None:
        self._lock = threading.Lock()
        self.given = self.sent = self.refused = 0

    def add(self, given: int = 0, sent: int = 0, refused: int = 0) -> None:
        """Count some more."""
        with self._lock:
            self.given += given
            self.sent += sent
            self.refused += refused


class CountedExporter(SpanExporter):
    """An exporter whose successes are counted and whose errors are failures like any other."""

    def __init__(self, exporter: SpanExporter, count: Count) -> None:
        self._exporter = exporter
        self._count = count

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send `spans`."""
        try:
            result = self._exporter.export(spans)
        except Exception as error:
            failed("the span exporter", error)
            result = SpanExportResult.FAILURE
        if result is SpanExportResult.SUCCESS:
            self._count.add(sent=len(spans))
        else:
            self._count.add(refused=len(spans))
        return result

    def shutdown(self) -> None:
        """Let go of the exporter."""
        self._exporter.shutdown()


class CountedProcessor(BatchSpanProcessor):
    """The SDK's batch processor, with its own bounds (``OTEL_BSP_*``), and what it was given counted."""

    def __init__(self, exporter: SpanExporter) -> None:
        self.count = Count()
        super().__init__(CountedExporter(exporter, self.count))

    def on_end(self, span: ReadableSpan) -> None:
        """Queue a span that ended."""
        if span.context is not None and span.context.trace_flags.sampled:
            self.count.add(given=1)
        super().on_end(span)


class PrivateTracing:
    """A tracer provider whose exporter comes with the first finished span, off the host's threads."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self._names = names
        self._processors: tuple[CountedProcessor, ...] | None = None
        self._runner: Runner | None = None
        self.provider = TracerProvider(shutdown_on_exit=False)
        self._renew_lock()
        in_forked_children(self._renew_lock)

    def _renew_lock(self) -> None:
        self._lock = threading.Lock()

    def prepare(self) -> None:
        """Make the exporters and start to send; called where a wait costs nobody anything."""
        if self._processors is not None:
            return
        with self._lock:
            if self._processors is None:
                self._runner = Runner("touchdown-spans-out")
                made = tuple(CountedProcessor(exporter) for exporter in span_exporters(self._names))
                for processor in made:
                    self.provider.add_span_processor(processor)
                self._processors = made

    def flush(self) -> Errand | None:
        """Begin to send what is held."""
        return None if self._runner is None else self._runner.hand_over(self._flush)

    def _flush(self) -> None:
        refused = [processor.count.refused for processor in self._processors or ()]
        self.provider.force_flush()
        if refused != [processor.count.refused for processor in self._processors or ()]:
            raise ConnectionError("the backend refused spans")

    def shutdown(self) -> Errand | None:
        """Begin to send what is held and to let go."""
        return None if self._runner is None else self._runner.hand_over(self.provider.shutdown)

    def report(self, ended: bool, timeout_s: float) -> None:
        """Say in one line what was not sent."""
        why = "the backend refused them" if ended else f"no end within {timeout_s:g} s"
        for processor in self._processors or ():
            lost = processor.count.given - processor.count.sent
            if lost > 0:
                say(f"{lost} of {processor.count.given} spans were not sent ({why})")


class PrivateMetrics:
    """A meter provider of our own; built behind the queue, with the first measurement."""

    def __init__(self, names: tuple[str, ...]) -> None:
        readers: list[MetricReader] = [
            PeriodicExportingMetricReader(exporter) for exporter in metric_exporters(names)
        ]
        self._runner = Runner("touchdown-metrics-out")
        self.provider = MeterProvider(metric_readers=readers, shutdown_on_exit=False)

    def prepare(self) -> None:
        """Nothing is left to make."""

    def flush(self) -> Errand | None:
        """Begin to send what is held."""
        return self._runner.hand_over(self.provider.force_flush)

    def shutdown(self) -> Errand | None:
        """Begin to send what is held and to let go."""
        return self._runner.hand_over(self.provider.shutdown)

    def report(self, ended: bool, timeout_s: float) -> None:
        """Say that the last metrics were not sent."""
        if not ended:
            say(f"the last metrics were not sent (no end within {timeout_s:g} s)")
