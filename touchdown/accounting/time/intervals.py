"""Intervals: everything of a task that took time, as a tree on one clock."""

from collections import defaultdict
from collections.abc import Container, Iterable, Mapping
from typing import Literal

from msgspec import Struct, field

from touchdown.records import AgentRun, ModelCall, TaskRecord, ToolCall

Kind = Literal["task", "agent", "tool", "call"]
Timed = ModelCall | ToolCall | AgentRun | TaskRecord

GRANULARITIES_NS = (10**9, 10**8, 10**7, 10**6)
"""How coarse the clock of a recording may be: what all its times are multiples of."""


class Interval(Struct, eq=False):
    """One task, agent run, tool or model call. Units: nanoseconds since the epoch."""

    id: str
    kind: Kind
    start_ns: int
    end_ns: int
    cancelled: bool = False
    record: Timed | None = None
    children: "list[Interval]" = field(default_factory=list)

    @property
    def length_ns(self) -> int:
        """How long it took."""
        return self.end_ns - self.start_ns

    @property
    def granularity_ns(self) -> int:
        """How exact the times of its children are; 0 for a clock that counts finer than milliseconds."""
        starts = {child.start_ns for child in self.children if child.kind == "call"}
        first = min(starts, default=0)
        if len(starts) < 2:
            return 0
        coarse = (g for g in GRANULARITIES_NS if not any((s - first) % g for s in starts))
        return next(coarse, 0)


def tree_of(task: TaskRecord, end_ns: int, records: Iterable[Timed]) -> Interval:
    """The tree below ``task``, which ends at ``end_ns``; a record without a known parent lies in the task.

    A child task that is still open, and a tool that nobody timed, are left out.
    """
    root = _interval(task, end_ns)
    found: dict[str, tuple[Interval, str]] = {}
    records = list(records)
    runs = {record.id for record in records if isinstance(record, AgentRun)}
    for record in records:
        end = end_of(record)
        if end is not None and record.id != task.id:
            found[record.id] = (_interval(record, end), _parent_id(record, runs))
    above = {identity: parent for identity, (_, parent) in found.items()}
    around = set(above.values())
    for identity, (interval, parent) in found.items():
        known = parent in found and not (identity in around and _is_looped(identity, above))
        (found[parent][0] if known else root).children.append(interval)
    return root


def end_of(record: Timed) -> int | None:
    """When it ended; a length below zero, from a clock that was set back, is none at all."""
    if record.duration_ns is None:
        return None
    return _start(record) + max(record.duration_ns, 0)


def start_of(interval: Interval) -> int:
    """When it began as its record has it; the interval may have been moved."""
    return interval.start_ns if interval.record is None else _start(interval.record)


def by_kind(root: Interval) -> dict[Kind, list[Interval]]:
    """Everything in the tree by kind."""
    found: defaultdict[Kind, list[Interval]] = defaultdict(list)
    waiting = [root]
    while waiting:
        interval = waiting.pop()
        found[interval.kind].append(interval)
        waiting += interval.children
    return found


def _interval(record: Timed, end_ns: int) -> Interval:
    status = "" if isinstance(record, TaskRecord) else record.status
    start = _start(record)
    return Interval(
        record.id,
        _kind(record),
        start,
        max(start, end_ns),
        cancelled=status in ("cancelled", "closed_early"),
        record=record,
    )


def _start(record: Timed) -> int:
    return record.sent_at_ns if isinstance(record, ModelCall) else record.started_at_ns


def _kind(record: Timed) -> Kind:
    if isinstance(record, ModelCall):
        return "call"
    if isinstance(record, ToolCall):
        return "tool"
    return "agent" if isinstance(record, AgentRun) else "task"


def _parent_id(record: Timed, runs: Container[str]) -> str:
    """What it lies in: what began it, else its agent, else its task, which may be inside its agent's."""
    if record.inside:
        return record.inside
    if isinstance(record, TaskRecord):
        return record.parent_id
    agent = record.parent_id if isinstance(record, AgentRun) else record.agent_id
    return agent if agent in runs else record.task_id


def _is_looped(identity: str, above: Mapping[str, str]) -> bool:
    """Whether this interval lies inside itself, as broken ids may say."""
    seen = set()
    at = identity
    while at in above and at not in seen:
        seen.add(at)
        at = above[at]
    return at == identity
