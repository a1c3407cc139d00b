"""Writes finished records to their spans, in one step per span."""

from collections.abc import Mapping

from opentelemetry.context import Context
from opentelemetry.trace import Span, Status, StatusCode, Tracer, set_span_in_context
from opentelemetry.util.types import AttributeValue

from touchdown.records import CallVerdict, ModelCall, Record, TaskRecord, ToolCall
from touchdown.telemetry import attributes as names
from touchdown.telemetry.context_read import context_attributes
from touchdown.telemetry.held import Held, missing, own
from touchdown.telemetry.model_call import call_attributes
from touchdown.telemetry.outcome import began_and_ended_ns, error_type
from touchdown.telemetry.quiet import failed
from touchdown.telemetry.recent import Recent
from touchdown.telemetry.steps import agent_attributes, task_attributes, tool_attributes
from touchdown.telemetry.verdict import verdict_attributes

BESIDE = "touchdown.call"
"""Name of the span that says what a host's own span of the call could not be told any more."""

MOST_ATTRIBUTES = 120
"""Told at the end of a span: with those of its start, fewer than the SDK's own limit of 128."""

_MOST_CALLS = 10_000
_LEAST = names.REQUEST_OTHER.partition("{")[0]


class Writer:
    """Turns records into attributes; remembers which span a call had, for its successors to name."""

    def __init__(self, tasks: Recent[TaskRecord]) -> None:
        self._tasks = tasks
        self._spans: Recent[str] = Recent(_MOST_CALLS)

    def finish(self, held: Held, record: Record, more: Mapping[str, AttributeValue]) -> None:
        """Write and end a span of our own; it ends even when it could not be written."""
        span = held.span
        if not span.is_recording():
            return
        try:
            wrong = error_type(record)
            written = _within_limit(self.attributes(held, record, more))
            if wrong is not None:
                written[names.ERROR_TYPE] = wrong
                span.set_status(Status(StatusCode.ERROR, wrong))
            span.set_attributes(written)
        except Exception as error:
            failed("writing a span", error)
        try:
            span.end(began_and_ended_ns(record)[1])
        except Exception as error:
            failed("ending a span", error)

    def enrich(
        self,
        held: Held,
        record: Record,
        more: Mapping[str, AttributeValue],
        tracer: Tracer | None,
    ) -> None:
        """Tell a host's own span what it lacks; beside it, when it has ended or tells of another call."""
        try:
            written = _within_limit(self.attributes(held, record, more))
            wrong = error_type(record)
            if wrong is not None:
                written[names.ERROR_TYPE] = wrong
            if held.span.is_recording() and _tells_of(held.span, record.id):
                held.span.set_attributes(missing(held.span, written))
            elif tracer is not None:
                _tell_beside(held.span, record, own(written), tracer)
        except Exception as error:
            failed("enriching a span", error)

    def attributes(
        self, held: Held, record: Record, more: Mapping[str, AttributeValue]
    ) -> dict[str, AttributeValue]:
        """Everything to say, the essential last: under a lower limit the SDK drops what is oldest."""
        if isinstance(record, TaskRecord):
            return {**more, **task_attributes(record)}
        if isinstance(record, ModelCall):
            shape = record.context
            before = self._spans.get(shape.predecessor) if shape.predecessor else None
            if held.span_id:
                self._spans.put(record.id, held.span_id)
            told = {**context_attributes(shape, before), **more, **call_attributes(record)}
        elif isinstance(record, ToolCall):
            told = {**more, **tool_attributes(record)}
        else:
            told = {**more, **agent_attributes(record)}
        task = self._tasks.get(record.task_id)
        if task is not None and task.name:
            told[names.TASK_NAME] = task.name
        return told


def facts_beside(
    record: Record, verdict: CallVerdict | None, settled: Mapping[str, AttributeValue]
) -> Mapping[str, AttributeValue]:
    """What others say of the record: the accountant's provisional verdict, or a task's settled ledger."""
    if isinstance(record, TaskRecord):
        return settled
    return {} if verdict is None else verdict_attributes(verdict)


def _within_limit(written: dict[str, AttributeValue]) -> dict[str, AttributeValue]:
    if len(written) <= MOST_ATTRIBUTES:
        return written
    return {name: value for name, value in written.items() if not name.startswith(_LEAST)}


def _tells_of(span: Span, call_id: str) -> bool:
    present = getattr(span, "attributes", None)
    return not isinstance(present, Mapping) or present.get(names.CALL_ID, call_id) == call_id


def _tell_beside(
    span: Span, record: Record, written: Mapping[str, AttributeValue], tracer: Tracer
) -> None:
    began, ended = began_and_ended_ns(record)
    beside = tracer.start_span(
        BESIDE, context=set_span_in_context(span, Context()), start_time=began, attributes=written
    )
    beside.end(ended)
