"""The tally of spans that were read: which numbers, calls and tasks are not among them."""

from collections import OrderedDict, defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct, field

from touchdown.records import Figure, Gap, ModelCall, Record, Settled, TaskRecord, Told, ToolCall
from touchdown.telemetry import attributes as names
from touchdown.telemetry.facts import CutError, read_template
from touchdown.telemetry.numbering import KINDS, kind_of
from touchdown.telemetry.settled import read_settled
from touchdown.telemetry.span import SpanView

_WORDS = {
    "model_calls": "model call",
    "tool_calls": "tool call",
    "agents": "agent run",
    "tasks": "inner task",
}
FIRST_AGENT = "the task's own agent"
MOST_NAMED = 20
"""Gaps of one kind that a task's account names one by one; the rest is counted."""


class _Task(Struct):
    """What was seen of one task."""

    id: str
    name: str = ""
    root_id: str = ""
    implicit: bool = False
    began_ns: int | None = None
    trace_id: str = ""
    numbers: dict[str, dict[int, str]] = field(default_factory=lambda: defaultdict(dict))
    """Kind to number to the id of the record that bears it."""
    sequences: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    """Agent to the positions of its model calls."""
    agents: dict[str, str] = field(default_factory=dict)
    totals: Mapping[str, int] | None = None
    """Kind to the number of spans when the task closed; ``None`` until the task's own span is seen."""
    record: TaskRecord | None = None
    figures: Mapping[str, Figure] = field(default_factory=dict)
    gaps: list[Gap] = field(default_factory=list)


class Tally:
    """Keeps a few words per span, and says at the end what is missing."""

    def __init__(self) -> None:
        self._tasks: OrderedDict[str, _Task] = OrderedDict()

    def note(self, span: SpanView, record: Record, cut: str) -> None:
        """Count the span of a record in; `cut` says how it is cut, empty when it is not."""
        task = self._task(record.task_id)
        attributes = span.attributes
        began_ns = record.sent_at_ns if isinstance(record, ModelCall) else record.started_at_ns
        task.began_ns = began_ns if task.began_ns is None else min(began_ns, task.began_ns)
        task.trace_id = task.trace_id or span.trace_id
        task.name = task.name or str(attributes.get(names.TASK_NAME, ""))
        task.root_id = task.root_id or str(attributes.get(names.TASK_ROOT_ID, ""))
        task.implicit = task.implicit or names.TASK_IMPLICIT in attributes
        if isinstance(record, ModelCall):
            task.sequences[record.agent_id].add(record.context.sequence)
            task.agents[record.agent_id] = str(attributes.get(names.AGENT_NAME, ""))
        if isinstance(record, TaskRecord):
            _note_closed(task, record, attributes)
        self._number(record, attributes)
        if cut:
            reason = f"{cut}: {_what(record, task)}"
            task.gaps.append(Gap(task.id, reason))

    def unreadable(self, span: SpanView) -> None:
        """A span of ours that no record could be made of; its number is missing then, if it had one."""
        told = span.attributes.get(names.TASK_ID)
        if told is not None and names.SPAN_CHECK in span.attributes:
            task = self._task(str(told))
            task.gaps.append(Gap(task.id, f"span cannot be read: {span.name}"))

    def missing(self) -> Iterator[Told]:
        """What is missing of every task seen, and what each closed root task came to."""
        for task in list(self._tasks.values()):
            yield from _missing_of(task)

    def let_go(self, most: int) -> Iterator[Told]:
        """The same of the oldest tasks, which are forgotten, until no more than ``most`` are left."""
        while len(self._tasks) > most:
            yield from _missing_of(self._tasks.popitem(last=False)[1])

    def _task(self, task_id: str) -> _Task:
        return self._tasks.setdefault(task_id, _Task(task_id))

    def _number(self, record: Record, attributes: Mapping[str, Any]) -> None:
        around = record.parent_id if isinstance(record, TaskRecord) else record.task_id
        if not around:
            return
        task = self._task(around)
        number = attributes.get(names.SPAN_NUMBER)
        try:
            seen = task.numbers[kind_of(record)].setdefault(int(number), record.id)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            task.gaps.append(Gap(task.id, f"span without a number: {_what(record, task)}"))
            return
        if seen != record.id:
            # Two processes counted for themselves: what is missing in one is hidden by the other.
            task.gaps.append(Gap(task.id, f"spans numbered twice: {_WORDS[kind_of(record)]}s"))


def _missing_of(task: _Task) -> Iterator[Told]:
    gaps = [*task.gaps, *_missing_spans(task)]
    if task.record is None:
        yield _stand_in(task)
        gaps.append(Gap(task.id, _no_task_span(task)))
    elif task.figures and not _goes_on(task):
        yield Settled(task.id, task.figures)
    yield from gaps


def _note_closed(task: _Task, record: TaskRecord, attributes: Mapping[str, Any]) -> None:
    task.record = record
    try:
        task.totals = read_template(names.TASK_SPANS, int, attributes)
        if set(KINDS) - task.totals.keys():
            raise CutError("how many spans there were")
        task.figures = {} if record.parent_id else read_settled(attributes)
    except CutError as error:
        task.gaps.append(Gap(task.id, f"attributes cut: {error}"))


def _goes_on(task: _Task) -> bool:
    """Whether something ended after the task: what it came to was settled without that."""
    totals = task.totals or {}
    return any(max(seen, default=0) > totals.get(kind, 0) for kind, seen in task.numbers.items())


def _missing_spans(task: _Task) -> Iterator[Gap]:
    for kind in KINDS:
        seen = task.numbers.get(kind, {})
        told = (task.totals or {}).get(kind, 0)
        last = max(told, max(seen, default=0))
        missing = [number for number in range(1, last + 1) if number not in seen]
        if not missing:
            continue
        found = _calls_by_agent(task) if kind == "model_calls" else []
        word = _WORDS[kind]
        if len(found) != len(missing):
            found = [f"{word} {number} of the task" for number in missing]
        yield from (Gap(task.id, f"span missing: {one}") for one in found[:MOST_NAMED])
        if len(found) > MOST_NAMED:
            yield Gap(task.id, f"spans missing: more {word}s", len(found) - MOST_NAMED)


def _calls_by_agent(task: _Task) -> list[str]:
    """Model calls that are missing before others of the same agent."""
    return [
        f"model call {position + 1} of {task.agents[agent] or agent or FIRST_AGENT}"
        for agent, positions in task.sequences.items()
        for position in range(max(positions))
        if position not in positions
    ]


def _stand_in(task: _Task) -> TaskRecord:
    """A task whose own span is not there: what its children say of it, and still open."""
    return TaskRecord(
        task.id,
        task.name,
        task.began_ns or 0,
        parent_id=task.root_id,
        implicit=task.implicit,
        trace_id=task.trace_id,
    )


def _no_task_span(task: _Task) -> str:
    if task.implicit:
        return "calls outside any task have no span that says how many there were"
    return f"span missing: the task {task.name or task.id}"


def _what(record: Record, task: _Task) -> str:
    if isinstance(record, ModelCall):
        agent = task.agents.get(record.agent_id) or record.agent_id or FIRST_AGENT
        return f"model call {record.context.sequence + 1} of {agent}"
    if isinstance(record, ToolCall):
        return f"tool call {record.name}"
    return f"{'task' if isinstance(record, TaskRecord) else 'agent run'} {record.name}"
