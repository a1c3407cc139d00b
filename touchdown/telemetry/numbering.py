"""Numbers that spans carry, so that whoever reads them sees when one is missing."""

from collections import Counter

from opentelemetry.util.types import AttributeValue

from touchdown.records import AgentRun, ModelCall, Record, TaskRecord
from touchdown.telemetry import attributes as names
from touchdown.telemetry.facts import write_template
from touchdown.telemetry.recent import Recent

KINDS = ("model_calls", "tool_calls", "agents", "tasks")
"""Kinds of spans, each counted on its own; ``tasks`` are the tasks directly inside a task."""


def kind_of(record: Record) -> str:
    """The kind that a record's span is counted under."""
    if isinstance(record, ModelCall):
        return "model_calls"
    if isinstance(record, TaskRecord):
        return "tasks"
    return "agents" if isinstance(record, AgentRun) else "tool_calls"


class Numbering:
    """Counts the spans of each task, the unsampled ones too. Used behind the queue only."""

    def __init__(self, tasks: Recent[TaskRecord], most: int) -> None:
        self._tasks = tasks
        self._counts: Recent[Counter[str]] = Recent(most)

    def of(self, record: Record) -> dict[str, AttributeValue]:
        """What the span of `record` says of its place; called once for each."""
        told: dict[str, AttributeValue] = {}
        if isinstance(record, TaskRecord):
            inside = self._count(record.id)
            told = write_template(names.TASK_SPANS, {kind: inside[kind] for kind in KINDS})
        around = record.parent_id if isinstance(record, TaskRecord) else record.task_id
        if around:
            counted = self._count(around)
            counted[kind_of(record)] += 1
            told[names.SPAN_NUMBER] = counted[kind_of(record)]
        return {**told, **self._task(record.task_id)}

    def _count(self, task_id: str) -> "Counter[str]":
        counted = self._counts.get(task_id)
        if counted is None:
            counted = Counter()
            self._counts.put(task_id, counted)
        return counted

    def _task(self, task_id: str) -> dict[str, AttributeValue]:
        task = self._tasks.get(task_id)
        if task is None or task.implicit:
            return {names.TASK_IMPLICIT: True}
        told: dict[str, AttributeValue] = {names.TASK_NAME: task.name} if task.name else {}
        root = task
        while root.parent_id and (around := self._tasks.get(root.parent_id)) is not None:
            root = around
        if root.id != task_id:
            told[names.TASK_ROOT_ID] = root.id
        return told
