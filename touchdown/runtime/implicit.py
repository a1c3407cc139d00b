"""Tasks of calls that were made outside any ``task()``: one per local trace, else one of the process."""

import threading
from collections import OrderedDict
from collections.abc import Callable

from touchdown.records import TaskRecord
from touchdown.runtime.guard import warn_once
from touchdown.runtime.identity import now_ns
from touchdown.runtime.place import TaskState, new_task

IDLE_NS = 60 * 1_000_000_000
"""Such a task closes this long after its last record."""

LEFT_NS = 60 * IDLE_NS
"""And this long after it when a call of it never ended."""

MAX_CALLS = 2_000
"""After so many calls and steps it closes too and another goes on: a busy server never is quiet."""

MAX_OPEN = 10_000
"""Traces beyond are one task, ``other``, which says how often that happened."""

OTHER = "other"


class ImplicitTasks:
    """The open tasks outside ``task()``, by trace. Whatever opens or closes is delivered."""

    def __init__(self, deliver: Callable[[TaskRecord], None], digest_key: bytes | None) -> None:
        self._deliver, self._digest_key = deliver, digest_key
        self.clock = now_ns
        self.forget()

    def forget(self) -> None:
        """Begin anew, without a word: a forked child leaves its parent's tasks to the parent."""
        self._lock = threading.RLock()
        self._open: OrderedDict[str, TaskState] = OrderedDict()
        self._folded = 0

    def of(self, trace_id: str) -> TaskState:
        """The open task of a trace, or of the process when there is none."""
        key = trace_id or "process"
        now = self.clock()
        with self._lock:
            task = self._open.get(key)
            if task is not None and (self._is_idle(task, now) or task.begun >= MAX_CALLS):
                self._close(self._open.pop(key))
                task = None
            if task is None:
                task = self._new(key)
            task.last_ns = now
            return task

    def _new(self, key: str) -> TaskState:
        if len(self._open) >= MAX_OPEN and key != OTHER:
            warn_once(
                "implicit:other",
                "touchdown: more than %d traces without a task() are open; further ones count as %r",
                MAX_OPEN,
                OTHER,
            )
            self._folded += 1
            return self._open.get(OTHER) or self._new(OTHER)
        name = key if key in ("process", OTHER) else f"trace {key[:8]}"
        task = new_task(name, implicit=True, digest_key=self._digest_key)
        self._open[key] = task
        self._deliver(task.record)
        return task

    def close_idle(self, *, all_of_them: bool = False) -> None:
        """Close those that have been quiet for long."""
        now = self.clock()
        with self._lock:
            idle = [k for k, t in self._open.items() if all_of_them or self._is_idle(t, now)]
            for key in idle:
                self._close(self._open.pop(key))

    @staticmethod
    def _is_idle(task: TaskState, now: int) -> bool:
        return now - task.last_ns > (LEFT_NS if task.running else IDLE_NS)

    def _close(self, task: TaskState) -> None:
        record = task.record
        tags = {"folded": str(self._folded)} if record.name == OTHER else record.tags
        with task.lock:
            task.closed = True
            duration_ns = max(0, task.last_ns - record.started_at_ns)
            closed = task.change(duration_ns=duration_ns, tags=tags)
        self._deliver(closed)

    def began(self, task: TaskState) -> None:
        """Something of this task runs: it is not idle."""
        with task.lock:
            task.running += 1
            task.begun += 1

    def ended(self, task: TaskState) -> None:
        """It ended."""
        with task.lock:
            task.running -= 1
            task.last_ns = self.clock()
