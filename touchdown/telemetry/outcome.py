"""How a record ended: whether it is an error, of what type, how long it took, and a task's evaluation."""

from collections.abc import Iterator
from typing import Final

from opentelemetry.util.types import AttributeValue

from touchdown.records import AgentRun, ModelCall, Record, TaskRecord, ToolCall

EVENT: Final = "gen_ai.evaluation.result"
NAME: Final = "gen_ai.evaluation.name"
SCORE_VALUE: Final = "gen_ai.evaluation.score.value"
SCORE_LABEL: Final = "gen_ai.evaluation.score.label"
EXPLANATION: Final = "gen_ai.evaluation.explanation"

OUTCOME = "touchdown.outcome"
SCORE = "touchdown.score"

OTHER = "_OTHER"
CANCELLED = "cancelled"
TOOL_ERROR = "tool_error"
"""A tool that answered, but with a failure: the word of the conventions for MCP tools."""


def error_type(record: Record) -> str | None:
    """The conventions' ``error.type``; ``None`` when nothing went wrong.

    A stream that its reader closed early, and an answer left unread, are the host's choice, no error.
    """
    if isinstance(record, TaskRecord):
        return record.error_type
    if record.status == "error":
        return record.error_type or OTHER
    if record.status == "cancelled":
        return record.error_type or CANCELLED
    if isinstance(record, ToolCall) and record.failed:
        return record.error_type or TOOL_ERROR
    return None


def own_error_type(record: Record, told: object) -> str | None:
    """The error type that a record without one had, by its span: a word that only fills in is none."""
    return None if told is None or told == error_type(record) else str(told)


def began_and_ended_ns(record: Record) -> tuple[int, int | None]:
    """Nanoseconds since the epoch; no end when the record has none."""
    began = record.sent_at_ns if isinstance(record, ModelCall) else record.started_at_ns
    return began, None if record.duration_ns is None else began + record.duration_ns


def duration_s(record: ModelCall | ToolCall | AgentRun | TaskRecord) -> float | None:
    """Seconds; ``None`` when the record does not say."""
    return None if record.duration_ns is None else record.duration_ns / 1e9


def evaluations(task: TaskRecord) -> Iterator[dict[str, AttributeValue]]:
    """What was said of the task, as attributes of an event each: outcome and score, where they are known."""
    if task.outcome != "unknown":
        said: dict[str, AttributeValue] = {NAME: OUTCOME, SCORE_LABEL: task.outcome}
        if task.outcome_reason:
            said[EXPLANATION] = task.outcome_reason
        yield said
    if task.score is not None:
        yield {NAME: SCORE, SCORE_VALUE: task.score}
