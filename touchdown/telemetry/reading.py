"""Exported spans back into records; what is missing between them is named, never guessed."""

import math
import os
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from touchdown.records import ModelCall, Record, Told
from touchdown.telemetry import attributes as names
from touchdown.telemetry.checking import check_of
from touchdown.telemetry.context_read import without_context
from touchdown.telemetry.facts import CutError, read_pairs
from touchdown.telemetry.foreign.reading import Read, read_span
from touchdown.telemetry.foreign.trace import Trace
from touchdown.telemetry.missing import Tally
from touchdown.telemetry.model_call import read_call
from touchdown.telemetry.otlp import read_spans
from touchdown.telemetry.otlp_file import Said, refuse
from touchdown.telemetry.outcome import own_error_type
from touchdown.telemetry.serving.joining import Joiner
from touchdown.telemetry.span import SpanView
from touchdown.telemetry.steps import (
    EXECUTE_TOOL,
    INVOKE_AGENT,
    INVOKE_WORKFLOW,
    read_agent,
    read_task,
    read_tool,
)
from touchdown.telemetry.writing import BESIDE

_READERS: dict[str, Callable[[dict[str, Any], int, int], Record]] = {
    EXECUTE_TOOL: read_tool,
    INVOKE_AGENT: read_agent,
    INVOKE_WORKFLOW: read_task,
}


class SpanRecords:
    """Spans as they come, in any order and more than once, into what they tell: ours and those of others.

    What engines tell of calls is joined to these. Times of arrival (``now_s``) are seconds of any one clock.
    """

    def __init__(self) -> None:
        self._tally = Tally()
        self._traces: dict[str, Trace] = {}
        self.engines = Joiner()

    def take(self, span: SpanView, now_s: float = 0.0) -> Record | None:
        """The record of a span of ours; what others' spans tell comes once all are there."""
        if not is_ours(span):
            if self.engines.span(span, now_s):
                return None
            # Another's span that knows the call's id was told of in a span of ours behind it.
            known = names.CALL_ID in span.attributes
            self._trace(span).note(Read(span) if known else read_span(span))
            return None
        record, cut = read_record(span)
        if record is None:
            self._tally.unreadable(span)
            return None
        self._tally.note(span, record, cut)
        self._trace(span).note_own(span, record)
        if isinstance(record, ModelCall):
            self.engines.call(record, now_s)
        return record

    def _trace(self, span: SpanView) -> Trace:
        return self._traces.setdefault(span.trace_id, Trace())

    def of_trace(self, trace_id: str, now_s: float = 0.0) -> Iterator[Record]:
        """What others' spans of this trace tell, now that it is whole. It is forgotten."""
        trace = self._traces.pop(trace_id, None)
        return iter(()) if trace is None else self._of_others(trace, now_s)

    def _of_others(self, trace: Trace, now_s: float) -> Iterator[Record]:
        for record in trace.records():
            if isinstance(record, ModelCall):
                self.engines.call(record, now_s)
            yield record

    def rest(self) -> Iterator[Told]:
        """All spans were taken: the records of others' spans, and what is missing of ours."""
        for trace in self._traces.values():
            yield from self._of_others(trace, 0.0)
        yield from self.engines.joined(math.inf)
        yield from self._tally.missing()

    def missing(self, most: int = 0) -> Iterator[Told]:
        """What is missing of our tasks, the oldest first, until no more than ``most`` are remembered."""
        return self._tally.let_go(most)

    @property
    def reported_usd(self) -> dict[str, Decimal]:
        """Trace id to what others' instrumentations say its calls cost, where they say it of each."""
        told = {name: trace.reported_usd for name, trace in self._traces.items()}
        return {name: usd for name, usd in told.items() if usd is not None}


def read_otlp(path: str | os.PathLike[str], *, said: Said = refuse) -> Iterator[Told]:
    """The records of an OTLP file, JSON or protobuf, and what is missing of them.

    Errors: ``OtlpError`` at the first request that cannot be read; with ``said`` given, that is told
    instead and the rest is read on.
    """
    return read_records(read_spans(path, said))


def read_records(spans: Iterable[SpanView]) -> Iterator[Told]:
    """The records that these spans tell of: ours as they come, then those of others' spans; behind the
    last one what is missing of ours.
    """
    told = SpanRecords()
    for span in spans:
        record = told.take(span)
        if record is not None:
            yield record
    yield from told.rest()


def is_ours(span: SpanView) -> bool:
    """Whether touchdown wrote a finished record to this span, whoever made it."""
    return span.scope == names.SCOPE or names.SPAN_CHECK in span.attributes


def read_record(span: SpanView) -> tuple[Record | None, str]:
    """The record of one of our spans, and how it is cut: empty when all of it came through.

    No record when the span does not say what it is of. A context that is cut is left out whole.
    """
    attributes = dict(span.attributes)
    try:
        if names.CALL_SENT in attributes:
            # Under the conventions' names stands what the span's own maker says.
            ours = {n: v for n, v in attributes.items() if n.startswith("touchdown.")}
            attributes = ours | read_pairs(names.SPAN_OWN, attributes)
        read = _READERS.get(str(attributes.get(names.OPERATION)), read_call)
        record = read(attributes, *_times(span, attributes))
        record = replace(
            record,
            error_type=own_error_type(record, attributes.get(names.ERROR_TYPE)),
            trace_id=span.trace_id,
            span_id=span.parent_id if span.name == BESIDE else span.span_id,
        )
    except (CutError, TypeError) as error:
        return None, str(error)
    cut = _how_cut(record, attributes)
    if cut and isinstance(record, ModelCall):
        record = replace(record, context=without_context(record.context))
    return record, cut


def _times(span: SpanView, attributes: dict[str, Any]) -> tuple[int, int]:
    if names.CALL_SENT not in attributes:
        return span.began_ns, span.ended_ns - span.began_ns
    try:
        return int(attributes[names.CALL_SENT]), int(attributes[names.CALL_LASTED])
    except (KeyError, TypeError, ValueError) as error:
        raise CutError(f"{names.CALL_LASTED} cannot be read: {error}") from error


def _how_cut(record: Record, attributes: dict[str, Any]) -> str:
    if names.CONTEXT_TRUNCATED in attributes:
        return "context longer than a span tells"
    whole = attributes.get(names.SPAN_CHECK) == check_of(record)
    return "" if whole else "attributes cut"
