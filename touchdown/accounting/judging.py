"""Judging: a task with the outcomes that were told of it by its id."""

from collections.abc import Iterable
from typing import Any

from msgspec.structs import replace

from touchdown.records import TaskOutcome, TaskRecord


def judged(task: TaskRecord, told: Iterable[TaskOutcome]) -> TaskRecord:
    """The task with what was told of it last."""
    for one in sorted(told, key=lambda one: (one.said_at_ns, repr(one))):
        fields: dict[str, Any] = {}
        if one.outcome is not None:
            fields = {"outcome": one.outcome, "outcome_reason": one.reason}
        if one.score is not None:
            fields["score"] = one.score
        task = replace(task, **fields)
    return task
