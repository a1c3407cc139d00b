"""The outcome of a task as the conventions' evaluation event on the task's span."""

from collections.abc import Iterator
from typing import Final

from opentelemetry.util.types import AttributeValue

from touchdown.records import TaskRecord

EVENT: Final = "gen_ai.evaluation.result"
NAME: Final = "gen_ai.evaluation.name"
SCORE_VALUE: Final = "gen_ai.evaluation.score.value"
SCORE_LABEL: Final = "gen_ai.evaluation.score.label"
EXPLANATION: Final = "gen_ai.evaluation.explanation"

OUTCOME = "touchdown.outcome"
SCORE = "touchdown.score"


def evaluations(task: TaskRecord) -> Iterator[dict[str, AttributeValue]]:
    """What was said of the task, as attributes of an event each: outcome and score, where they are known."""
    if task.outcome != "unknown":
        said: dict[str, AttributeValue] = {NAME: OUTCOME, SCORE_LABEL: task.outcome}
        if task.outcome_reason:
            said[EXPLANATION] = task.outcome_reason
        yield said
    if task.score is not None:
        yield {NAME: SCORE, SCORE_VALUE: task.score}
