"""Exported spans back into records; what is missing between them is named, never guessed."""

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

from touchdown.records import ModelCall, Record, Told
from touchdown.telemetry import attributes as names
from touchdown.telemetry.checking import check_of, facts_of
from touchdown.telemetry.context_read import without_context
from touchdown.telemetry.facts import CutError, read_pairs
from touchdown.telemetry.missing import Tally
from touchdown.telemetry.model_call import read_call
from touchdown.telemetry.otlp import Said, read_spans, refuse
from touchdown.telemetry.outcome import own_error_type
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

Foreign = Callable[[SpanView], Iterable[Record]]
"""Reads a span that touchdown did not write: none, one or more records."""


def _nothing(_span: SpanView) -> Iterable[Record]:
    return ()


def read_otlp(
    path: str | os.PathLike[str], *, foreign: Foreign = _nothing, said: Said = refuse
) -> Iterator[Told]:
    """The records of an OTLP file, JSON or protobuf, and what is missing of them.

    Errors: ``OtlpError`` at the first request that cannot be read; with ``said`` given, that is told
    instead and the rest is read on.
    """
    return read_records(read_spans(path, said), foreign=foreign)


def read_records(spans: Iterable[SpanView], *, foreign: Foreign = _nothing) -> Iterator[Told]:
    """The records that these spans tell of, as they come; behind the last one what is missing of them.

    Spans may come in any order and more than once.
    """
    tally = Tally()
    for span in spans:
        if not is_ours(span):
            # Another's span that knows the call's id was told of in a span of ours behind it.
            if names.CALL_ID not in span.attributes:
                yield from foreign(span)
            continue
        record, cut = read_record(span)
        if record is None:
            tally.unreadable(span)
            continue
        tally.note(span, record, cut)
        yield record
    yield from tally.missing()


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
    whole = attributes.get(names.SPAN_CHECK) == check_of(record, facts_of(record))
    return "" if whole else "attributes cut"
