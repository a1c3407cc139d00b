"""The sink that shows records as spans: opened where the call begins, written where records are folded."""

from collections.abc import Callable, Mapping, Sequence

from opentelemetry.context import Context, get_current
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import (
    INVALID_SPAN,
    Span,
    Tracer,
    TracerProvider,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AttributeValue

from touchdown.records import CallStart, CallVerdict, Record, Start, TaskRecord
from touchdown.runtime.handing import Above
from touchdown.runtime.place import standing_place
from touchdown.telemetry import attributes as names
from touchdown.telemetry.begun import begun, call_attributes, start_attributes
from touchdown.telemetry.forks import in_forked_children
from touchdown.telemetry.held import Adopted, Held, missing
from touchdown.telemetry.metrics import Lost, Metrics, nothing_lost
from touchdown.telemetry.nesting import place_in, span_to_enrich
from touchdown.telemetry.providers import (
    METRICS,
    TRACES,
    Private,
    Source,
    flush_all,
    shut_down_all,
)
from touchdown.telemetry.quiet import BROKEN, failed
from touchdown.telemetry.recent import Recent
from touchdown.telemetry.writing import Writer

Settled = Callable[[str], Mapping[str, AttributeValue]]
"""Task id to the settled figures of its ledger, by the names in `attributes`."""

_MOST_TASKS = 10_000


def nothing_settled(_task_id: str) -> Mapping[str, AttributeValue]:
    """No figures: the ledger is not shown."""
    return {}


class SpanSink:
    """Spans and metrics of what happens. Nothing it does raises, waits, or is seen by the host.

    Spans go to the given provider, else to the host's global one, else to one built from ``OTEL_*``;
    without any of these there are none. Metrics likewise. `settled` gives a closed task's figures, `lost`
    what was lost so far, by kind; `metric_tags` are the tags of a task that may become labels.
    `traceparent` (as in W3C Trace Context) is the parent of spans that have none in this process.
    """

    def __init__(
        self,
        *,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
        settled: Settled = nothing_settled,
        lost: Lost = nothing_lost,
        metric_tags: Sequence[str] = (),
        version: str = "",
        traceparent: str = "",
    ) -> None:
        self._tracers = Source(TRACES, tracer_provider, version)
        self._meters = Source(METRICS, meter_provider, version)
        self._settled = settled
        self._above = _remote(traceparent) if traceparent else None
        self._tasks: Recent[TaskRecord] = Recent(_MOST_TASKS)
        self._writer = Writer(self._tasks)
        self._metrics = Metrics(self._meters.current, self._tasks, tuple(metric_tags), lost)
        self._is_forked = False
        in_forked_children(self._note_fork)
        self._tracers.warm_up()
        self._meters.warm_up()

    def open(self, start: Start) -> Held | None:
        """Begin a span in the caller's thread; ``None`` when there is nobody to tell."""
        try:
            # Both before there is something to tell: at the interpreter's end no thread can be started.
            meter, tracer = self._meters.current(), self._tracers.current()
            if self._is_forked:
                self._keep()
            here = get_current()
            if isinstance(start, CallStart):
                span = span_to_enrich(start.adopt, here)
                if span is not None:
                    return self._adopt(span, start)
            elif isinstance(start, TaskRecord):
                self._tasks.put(start.id, start)
            # Calls outside any task() have one that is only kept for the books.
            if tracer is None or (isinstance(start, TaskRecord) and start.implicit):
                return Held(self) if meter is not None else None
            return Held(self, self._begin(tracer, start, here), isinstance(start, CallStart))
        except BROKEN as error:
            failed("opening a span", error)
            return None

    def _begin(self, tracer: Tracer, start: Start, here: Context) -> Span:
        parent, context = place_in(here), here
        if parent is None:
            around = _around() or self._above
            if around is not None:
                parent, context = place_in(around), around
        begin = getattr(tracer, "begin_own", None)
        span: Span | None = None if begin is None else begin(start, parent)
        if span is not None:
            return span
        first = begun(start)
        return tracer.start_span(
            first.name,
            context,
            first.kind,
            attributes=start_attributes(start),
            start_time=first.at_ns,
        )

    def current_trace_id(self) -> str:
        """The trace that is current where the caller stands, or an empty string."""
        place = place_in(get_current())
        return "" if place is None else f"{place.trace_id:032x}"

    def current_traceparent(self) -> str:
        """The span that is current where the caller stands, or an empty string."""
        place = place_in(get_current())
        if place is None:
            return ""
        return f"00-{place.trace_id:032x}-{place.span_id:016x}-{place.trace_flags:02x}"

    def tend(self) -> None:
        """From time to time: hold what waits to be sent in little room."""
        for private in self._privates():
            private.tend()

    def flush(self, timeout_s: float) -> bool:
        """Send what providers of our own hold; the host flushes its own."""
        return flush_all(self._privates(), timeout_s)

    def shutdown(self, timeout_s: float) -> list[str]:
        """Send and let go of what is our own, within the time; nothing is made or sent afterwards.

        Hands back what was lost, in a few words each.
        """
        privates = self._privates()
        self._tracers.close()
        self._meters.close()
        return shut_down_all(privates, timeout_s)

    def finish(self, held: Held, record: Record, verdict: CallVerdict | None) -> None:
        """Write the finished record to its span and to the metrics, behind the queue."""
        settled = self._settle(record)
        if isinstance(held, Adopted):
            self._writer.enrich(held, record, verdict or settled, self._tracers.current())
        else:
            self._writer.finish(held, record, verdict or settled)
        try:
            self._metrics.record(record, verdict, settled, held.span)
        except Exception as error:
            failed("recording metrics", error)

    def _settle(self, record: Record) -> Mapping[str, AttributeValue]:
        try:
            return self._settled(record.id) if isinstance(record, TaskRecord) else {}
        except Exception as error:
            failed("settling a task's figures", error)
            return {}

    def _adopt(self, span: Span, start: CallStart) -> Held:
        held = Adopted(self, span)
        if span.is_recording():
            # Now, for the host may have ended its span when the record comes.
            known = call_attributes(start)
            known[names.CALL_ID] = start.id
            known[names.TASK_ID] = start.task_id
            span.set_attributes(missing(span, known))
        return held

    def _note_fork(self) -> None:
        self._is_forked = True

    def _keep(self) -> None:
        self._is_forked = False
        for private in self._privates():
            private.keep()

    def _privates(self) -> list[Private]:
        return [own for own in (self._tracers.private, self._meters.private) if own is not None]


def _around() -> Context | None:
    """The span of the task or agent that this thread goes on with, where none is current in it."""
    here = standing_place()
    for held in here.opened if here is not None else ():
        if isinstance(held, Held) and held.span is not INVALID_SPAN:
            return set_span_in_context(held.span, Context())
        if isinstance(held, Above):
            return _remote(f"00-{held.trace_id}-{held.span_id}-01")
    return None


def _remote(traceparent: str) -> Context:
    return TraceContextTextMapPropagator().extract({"traceparent": traceparent})
