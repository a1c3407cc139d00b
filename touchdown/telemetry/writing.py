"""Writes finished records to their spans, in one step per span."""

from collections.abc import Iterator, Mapping

from opentelemetry.context import Context
from opentelemetry.trace import Span, Status, StatusCode, Tracer, set_span_in_context
from opentelemetry.util.types import AttributeValue

from touchdown.records import ModelCall, Record, TaskRecord
from touchdown.telemetry import attributes as names
from touchdown.telemetry.checking import check_of, facts_of
from touchdown.telemetry.facts import write_pairs
from touchdown.telemetry.filling import fill
from touchdown.telemetry.held import Held, missing, own
from touchdown.telemetry.numbering import Numbering
from touchdown.telemetry.outcome import EVENT, began_and_ended_ns, error_type, evaluations
from touchdown.telemetry.own_fields import PREDECESSOR, Beside, Predecessor, own_fields, tell_beside
from touchdown.telemetry.own_span import OwnSpan
from touchdown.telemetry.quiet import BROKEN, failed
from touchdown.telemetry.recent import Recent
from touchdown.telemetry.telling import AsAttributes

BESIDE = "touchdown.call"
"""Name of the span that says what a host's own span of the call could not be told any more."""

MOST_ATTRIBUTES = 128
"""The SDK's own limit: one more, and a span loses its oldest."""

_MOST_CALLS = 10_000
_MOST_TASKS = 10_000


class Writer:
    """Turns records into attributes; remembers which span a call had, for its successors to name."""

    def __init__(self, tasks: Recent[TaskRecord]) -> None:
        self._numbering = Numbering(tasks, _MOST_TASKS)
        self._spans: Recent[Predecessor] = Recent(_MOST_CALLS)

    def finish(self, held: Held, record: Record, beside: Beside) -> None:
        """Write and end a span of our own; it ends even when it could not be written."""
        place = self._place(record)
        span = held.span
        if not span.is_recording():
            return
        ended_ns = began_and_ended_ns(record)[1]
        try:
            before = self._predecessor(held, record)
            if type(span) is OwnSpan and not any(_outcome(record)):
                fields = own_fields(span.start, record, before, beside, place)
                if fields and span.finish(fields, error_type(record), ended_ns):
                    return
            _write(span, record, _told(record, before, beside, facts_of(record), place))
        except BROKEN as error:
            failed("writing a span", error)
        try:
            span.end(ended_ns)
        except BROKEN as error:
            failed("ending a span", error)

    def enrich(
        self,
        held: Held,
        record: Record,
        beside: Beside,
        tracer: Tracer | None,
    ) -> None:
        """Tell a host's own span what it lacks; beside it, when it has ended or tells of another call."""
        place = self._place(record)
        try:
            facts = facts_of(record)
            began, ended = began_and_ended_ns(record)
            place[names.CALL_SENT] = began
            place[names.CALL_LASTED] = (began if ended is None else ended) - began
            # What the host's span says under the same names may differ, and stays as it is.
            others = {name: value for name, value in facts.items() if name not in own(facts)}
            place |= write_pairs(names.SPAN_OWN, others)
            told = _told(record, self._predecessor(held, record), beside, facts, place)
            if held.span.is_recording() and _tells_of(held.span, record.id):
                held.span.set_attributes(_within_limit(held.span, missing(held.span, told)))
            elif tracer is not None:
                _tell_beside(held.span, record, own(told), tracer)
        except BROKEN as error:
            failed("enriching a span", error)

    def _place(self, record: Record) -> dict[str, AttributeValue]:
        try:
            return self._numbering.of(record)
        except Exception as error:
            failed("numbering a span", error)
            return {}

    def _predecessor(self, held: Held, record: Record) -> Predecessor | None:
        if not isinstance(record, ModelCall):
            return None
        shape = record.context
        # Nobody else goes on from that call: a shape names the agent's call before it.
        known = self._spans.pop(shape.predecessor) if shape.predecessor else None
        span_id = held.span_id
        if span_id:
            self._spans.put(record.id, Predecessor(span_id, shape.digest))
        return known


def _told(
    record: Record,
    before: Predecessor | None,
    beside: Beside,
    facts: Mapping[str, AttributeValue],
    place: Mapping[str, AttributeValue],
) -> AsAttributes:
    """Everything to say, the essential last: under a lower limit the SDK drops what is oldest."""
    told = AsAttributes()
    if before is not None:
        told.facts(PREDECESSOR, before)
    tell_beside(beside, told)
    told.update(facts)
    told.update(place)
    told[names.SPAN_CHECK] = check_of(record)
    return told


def _write(span: Span, record: Record, told: Mapping[str, AttributeValue]) -> None:
    wrong = error_type(record)
    if wrong is not None:
        span.set_status(Status(StatusCode.ERROR, wrong))
    fill(span, told)
    for event in _outcome(record):
        span.add_event(EVENT, event)


def _outcome(record: Record) -> Iterator[dict[str, AttributeValue]]:
    return evaluations(record) if isinstance(record, TaskRecord) else iter(())


def _within_limit(span: Span, told: dict[str, AttributeValue]) -> Mapping[str, AttributeValue]:
    """As much as there is room for, the essential first: what a host's span has is not pushed out."""
    room = MOST_ATTRIBUTES - len(getattr(span, "attributes", None) or ())
    return dict(list(told.items())[-room:]) if room > 0 else {}


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
