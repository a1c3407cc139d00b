"""The providers that touchdown builds from ``OTEL_*`` when the host has none; never installed globally."""

import os
import threading
from collections.abc import Sequence
from typing import Any, cast
from uuid import uuid4

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    MetricExporter,
    MetricExportResult,
    MetricsData,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.resources import SERVICE_INSTANCE_ID, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Tracer

from touchdown.telemetry.encoded import Encoded
from touchdown.telemetry.environment import batch_size
from touchdown.telemetry.errands import Errand, Runner
from touchdown.telemetry.exporters import metric_exporters, span_exporter
from touchdown.telemetry.forks import in_forked_children
from touchdown.telemetry.own_tracer import own_tracer
from touchdown.telemetry.quiet import failed
from touchdown.telemetry.waiting import Waiting


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
    """An exporter whose successes are counted and whose errors are failures like any other.

    A forked child gets one of its own: on a connection shared with the parent answers would be mixed up.
    """

    def __init__(self, name: str, exporter: SpanExporter, count: Count, waiting: Waiting) -> None:
        self._name = name
        self._exporter: SpanExporter | None = exporter
        self._count = count
        self._waiting = waiting
        in_forked_children(self._let_go)

    def _let_go(self) -> None:
        self._exporter = None

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send `spans`."""
        result = SpanExportResult.FAILURE
        self._waiting.sending(spans)
        try:
            exporter = self._exporter = self._exporter or span_exporter(self._name)
            if exporter is not None:
                result = exporter.export(spans)
        except Exception as error:
            failed("the span exporter", error)
        self._waiting.answered(result is SpanExportResult.SUCCESS)
        if result is SpanExportResult.SUCCESS:
            self._count.add(sent=len(spans))
        else:
            self._count.add(refused=len(spans))
        return result

    def shutdown(self) -> None:
        """Let go of the exporter."""
        if self._exporter is not None:
            self._exporter.shutdown()


class CountedProcessor(BatchSpanProcessor):
    """The SDK's batch processor, with its own bounds (``OTEL_BSP_*``), and what it was given counted."""

    def __init__(self, name: str, exporter: SpanExporter) -> None:
        self.count = Count()
        self._closed = False
        self._renew()
        in_forked_children(self._renew)
        self._waiting = Waiting(batch_size(os.environ))
        super().__init__(CountedExporter(name, exporter, self.count, self._waiting))
        self.takes_bytes: bool = getattr(exporter, "takes_bytes", False)

    def _renew(self) -> None:
        # Re-entrant: a handler of the host's, for what the SDK logs, may end another span.
        self._gate = threading.RLock()

    def on_end(self, span: ReadableSpan | Encoded) -> None:
        """Queue a span that ended; after the end nothing is queued, and so nothing lost."""
        with self._gate:
            if self._closed:
                return
            sampled = span.context is not None and span.context.trace_flags.sampled
            if type(span) is Encoded or sampled:
                self.count.add(given=1)
            super().on_end(cast(ReadableSpan, span))
        if type(span) is Encoded:
            self._waiting.note(span)

    def tend(self) -> None:
        """From time to time."""
        self._waiting.tend()

    def shutdown(self) -> None:
        """Send what was queued, and take nothing more."""
        with self._gate:
            self._closed = True
        super().shutdown()  # type: ignore[no-untyped-call]


class OwnProvider(TracerProvider):
    """The SDK's provider; its tracers make small spans where one exporter takes them as bytes."""

    def __init__(self, processors: tuple[CountedProcessor, ...]) -> None:
        super().__init__(shutdown_on_exit=False)
        self._ours = processors
        for processor in processors:
            self.add_span_processor(processor)

    def get_tracer(self, *args: Any, **kwargs: Any) -> Tracer:
        """A tracer, its spans not looked at by any processor but those given."""
        tracer = super().get_tracer(*args, **kwargs)
        if len(self._ours) != 1 or not self._ours[0].takes_bytes:
            return tracer
        return cast(Tracer, own_tracer(tracer, self._ours[0].on_end))


class PrivateTracing:
    """A tracer provider of our own, with its exporters."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self._runner = Runner("touchdown-spans-out")
        self._processors = tuple(
            CountedProcessor(name, exporter) for name in names if (exporter := span_exporter(name))
        )
        self.provider = OwnProvider(self._processors)

    def keep(self) -> None:
        """In a forked child: start what sends, while it can be started."""
        self._runner.keep()

    def serves_children(self) -> bool:
        """The SDK's processors begin anew in a forked child, and so do exporters and counts."""
        return True

    def tend(self) -> None:
        """From time to time: hold what waits in little room."""
        for processor in self._processors:
            processor.tend()

    def flush(self) -> Errand:
        """Begin to send what is held."""
        return self._runner.hand_over(self._flush)

    def _flush(self) -> None:
        refused = [processor.count.refused for processor in self._processors]
        self.provider.force_flush()
        if refused != [processor.count.refused for processor in self._processors]:
            raise ConnectionError("the backend refused spans")

    def shutdown(self) -> Errand:
        """Begin to send what is held and to let go."""
        return self._runner.hand_over(self.provider.shutdown)

    def lost(self, why: str) -> list[str]:
        """What was not sent."""
        counts = [processor.count for processor in self._processors]
        return [
            f"{count.given - count.sent:,} of {count.given:,} spans ({why})"
            for count in counts
            if count.given > count.sent
        ]


class CountedMetricExporter(MetricExporter):
    """An exporter that remembers whether the last measurements went out."""

    def __init__(self, exporter: MetricExporter) -> None:
        super().__init__(exporter._preferred_temporality, exporter._preferred_aggregation)
        self._exporter = exporter
        self.sent = False

    def export(
        self, metrics_data: MetricsData, timeout_millis: float = 10_000, **options: Any
    ) -> MetricExportResult:
        """Send measurements."""
        self.sent = False
        result = MetricExportResult.FAILURE
        try:
            result = self._exporter.export(metrics_data, timeout_millis, **options)
        except Exception as error:
            failed("the metric exporter", error)
        self.sent = result is MetricExportResult.SUCCESS
        return result

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Send what the exporter itself holds."""
        return self._exporter.force_flush(timeout_millis)

    def shutdown(self, timeout_millis: float = 30_000, **options: Any) -> None:
        """Let go of the exporter."""
        self._exporter.shutdown(timeout_millis, **options)


class OneProcessReader(PeriodicExportingMetricReader):
    """The SDK's reader, which does not go on in a forked child: the parent's sums are not the child's."""

    def _at_fork_reinit(self) -> None:
        """Nothing: a child that measures something builds a provider of its own."""


class PrivateMetrics:
    """A meter provider of our own, with its exporters."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self._exporters = [CountedMetricExporter(made) for made in metric_exporters(names)]
        self._runner = Runner("touchdown-metrics-out")
        self.provider = MeterProvider(
            metric_readers=[OneProcessReader(exporter) for exporter in self._exporters],
            resource=_of_this_process(),
            shutdown_on_exit=False,
        )

    def keep(self) -> None:
        """Nothing is left to start."""

    def tend(self) -> None:
        """Nothing waits."""

    def serves_children(self) -> bool:
        """A child would send the parent's sums once more."""
        return False

    def flush(self) -> Errand:
        """Begin to send what is held."""
        return self._runner.hand_over(self._flush)

    def _flush(self) -> None:
        self.provider.force_flush()
        if not all(exporter.sent for exporter in self._exporters):
            raise ConnectionError("the backend refused metrics")

    def shutdown(self) -> Errand:
        """Begin to send what is held and to let go."""
        return self._runner.hand_over(self.provider.shutdown)

    def lost(self, why: str) -> list[str]:
        """What was not sent."""
        return [f"the last metrics ({why})" for exporter in self._exporters if not exporter.sent]


def _of_this_process() -> Resource:
    """The resource of ``OTEL_*``; forked workers differ by an instance id, lest their sums be mixed up."""
    resource = Resource.create()
    if SERVICE_INSTANCE_ID in resource.attributes:
        return resource
    return resource.merge(Resource({SERVICE_INSTANCE_ID: str(uuid4())}))
