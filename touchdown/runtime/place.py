"""Where the caller stands: the current task and agent, carried by one context variable."""

import secrets
import threading
from collections.abc import Sequence
from contextvars import ContextVar
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from touchdown.records import TaskRecord
from touchdown.runtime.budget import Budget
from touchdown.runtime.identity import new_id, now_ns


class TaskState(Struct, eq=False):
    """One open task. ``digest_key`` is drawn per root task and inherited by its children."""

    __repr__ = object.__repr__

    record: TaskRecord
    root_id: str
    digest_key: bytes
    closed: bool = False
    last_ns: int = 0
    running: int = 0
    """Calls and steps under way; counted for implicit tasks only."""
    begun: int = 0
    """And all that there were."""
    budgets: tuple[Budget, ...] = ()
    """Its own, then those of the tasks around it."""
    around: "Place | None" = None
    """Where it was opened; who still stands in it when it is closed stands there."""
    refused_s: float = 0.0
    """When its record was last told because a call was refused; seconds of the steady clock."""
    watched: dict[int, int] = field(default_factory=dict)
    """By thread: the number of the watch on its event loop, where something of this task began last."""
    own: dict[int, list[int]] = field(default_factory=dict)
    """By thread with a watched event loop: CPU and lateness of the loop that are this task's own doing."""
    lock: threading.RLock = field(default_factory=threading.RLock)
    """Re-entrant: a stream that the garbage collector drops ends inside whatever runs."""

    def change(self, **fields: Any) -> TaskRecord:
        """The task's record with other fields: the later form of the two."""
        with self.lock:
            self.record = replace(self.record, revision=self.record.revision + 1, **fields)
            return self.record

    @property
    def id(self) -> str:
        """The task's id."""
        return self.record.id


class Place(Struct, frozen=True):
    """A task, and the agent inside it whose code runs now. The task's own id is its first agent's id."""

    task: TaskState
    agent_id: str
    agent_name: str = ""
    tool_id: str = ""
    opened: Sequence[Any] = ()
    """What the sinks hold for it: parents of what begins here in a thread that has none."""


_place: ContextVar[Place | None] = ContextVar("touchdown_place", default=None)
current_place = _place.get
set_place = _place.set
reset_place = _place.reset


def standing_place() -> Place | None:
    """The current place; where its task is closed, that around it, and so on outwards."""
    here = _place.get()
    while here is not None and here.task.closed:
        here = here.task.around
    return here


def new_task(
    name: str,
    *,
    parent: TaskState | None = None,
    around: Place | None = None,
    implicit: bool = False,
    task_id: str | None = None,
    digest_key: bytes | None = None,
    **fields: object,
) -> TaskState:
    """Open a task; a child inherits its root and digest key."""
    started = now_ns()
    identity = task_id or new_id("task")
    record = TaskRecord(
        id=identity,
        name=name,
        started_at_ns=started,
        parent_id=parent.id if parent else "",
        implicit=implicit,
        **fields,  # type: ignore[arg-type]
    )
    key = parent.digest_key if parent else (digest_key or secrets.token_bytes(16))
    return TaskState(
        record,
        parent.root_id if parent else identity,
        key,
        last_ns=started,
        budgets=parent.budgets if parent else (),
        around=around,
    )
