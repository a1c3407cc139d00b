"""One task: the user's goal, of which a cost is a cost."""

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct, field

from touchdown.records.clock import Mark

Outcome = Literal["useful", "useless", "unknown"]


class TaskOutcome(Struct, frozen=True):
    """How a task turned out, told by its id, when it was known; it holds over what the task said itself.

    ``None`` says nothing of that field. Of several the one told last holds, field by field.
    Units: ``said_at_ns`` nanoseconds since the epoch.
    """

    task_id: str
    said_at_ns: int
    outcome: Outcome | None = None
    reason: str = ""
    score: float | None = None


class TaskRecord(Struct, frozen=True):
    """One task, written when it opens (``duration_ns`` is ``None``) and again when it changes or closes.

    Units: times in nanoseconds. ``implicit`` marks the task of calls made outside any ``task()``.
    """

    id: str
    name: str
    started_at_ns: int
    duration_ns: int | None = None
    parent_id: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    user: str = ""
    conversation: str = ""
    outcome: Outcome = "unknown"
    outcome_reason: str = ""
    score: float | None = None
    implicit: bool = False
    error_type: str | None = None
    trace_id: str = ""
    span_id: str = ""
    inside: str = ""
    """Id of the tool execution or agent run that opened it; empty outside both."""
    begun: Mark | None = None
    ended: Mark | None = None
    cpu_s: float | None = None
    """CPU seconds of this process while it was open."""
    children_cpu_s: float | None = None
    """And of the child processes that ended in that time."""
    refused_calls: int = 0
    """Model calls that a budget did not let be sent."""
    revision: int = 0
    """Counts up with every change: of several forms of one task the latest holds."""

    @property
    def task_id(self) -> str:
        """The task's own id: every record names its task the same way."""
        return self.id
