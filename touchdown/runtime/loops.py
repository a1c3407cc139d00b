"""Event loops: how late they come to what is due, sampled while a task is open on them.

A timer in each loop, in whatever thread it runs. It keeps no loop alive, and ends with the last task.
"""

import itertools
import threading
import time
import weakref
from asyncio import AbstractEventLoop, _get_running_loop
from contextvars import Context
from functools import partial

from touchdown.runtime.guard import guarded
from touchdown.runtime.place import TaskState

EVERY_S = 0.02
LEAST_NS = 5_000_000
"""Less is what timers are late by anyway."""

LATE_NS: dict[int, int] = {}
"""By thread with a watched loop: how late that was so far, altogether."""

_EVERY_NS = round(EVERY_S * 1e9)
_MOST_CLOSED = 64
_most_watches = _MOST_CLOSED
_numbers = itertools.count(1)
_watches: dict[int, "Watch"] = {}
"""By thread."""
_runs: dict[int, tuple[TaskState | None, int, int]] = {}
"""By thread with a watched loop: whose code runs since the last mark, and where the thread stood then."""


class Watch:
    """Looks at one loop for as long as one of its tasks is open."""

    def __init__(self, loop: AbstractEventLoop, thread: int) -> None:
        self.number = next(_numbers)
        self.loop = weakref.ref(loop, partial(_gone, thread, self.number))
        self._thread = thread
        self._tasks: list[TaskState] = []
        self._most = _MOST_CLOSED
        self._again(loop)
        LATE_NS[thread] = 0

    def add(self, task: TaskState) -> None:
        """This task is open on the loop."""
        self._tasks.append(task)
        if len(self._tasks) > self._most:
            self._tasks = [task for task in self._tasks if not task.closed]
            self._most = 2 * len(self._tasks) + _MOST_CLOSED

    def _again(self, loop: AbstractEventLoop) -> None:
        self._due_ns = time.monotonic_ns() + _EVERY_NS
        loop.call_later(EVERY_S, self._look, context=Context())

    @guarded("loops.look")
    def _look(self) -> None:
        late_ns = time.monotonic_ns() - self._due_ns
        if _watches.get(self._thread) is not self:
            return
        if late_ns > LEAST_NS:
            LATE_NS[self._thread] = LATE_NS.get(self._thread, 0) + late_ns
        while self._tasks and self._tasks[-1].closed:
            self._tasks.pop()
        loop = self.loop()
        if self._tasks and loop is not None:
            self._again(loop)
        else:
            _forget(self._thread)


def watch_loop(task: TaskState) -> None:
    """Something of this task begins in the running thread: watch the event loop that runs there, if any."""
    loop = _get_running_loop()
    if loop is not None or _watches:
        _watch(task, loop)


@guarded("loops.watch")
def _watch(task: TaskState, loop: AbstractEventLoop | None) -> None:
    thread = threading.get_ident()
    if loop is None:
        _forget(thread)  # the loop that ran here is at its end
        return
    watch = _watches.get(thread)
    if watch is None or watch.loop() is not loop:
        _forget(thread)
        if len(_watches) >= _most_watches:
            _forget_closed()
        watch = _watches[thread] = Watch(loop, thread)
    if task.watched.get(thread) != watch.number:
        task.watched[thread] = watch.number
        task.own.pop(thread, None)
        watch.add(task)


def share_of(
    task: TaskState, thread: int, cpu_ns: int, late_ns: int, goes_on: bool
) -> tuple[int, int]:
    """At a mark of this task: the thread's CPU that is its own, and lateness of the loop that is not.

    What passed since the last mark is the doing of whose code went on there. ``goes_on``: from here on this
    task's does; else it waits.
    """
    runs, cpu_before, late_before = _runs.get(thread, (None, 0, 0))
    if runs is not None:
        own = runs.own.setdefault(thread, [cpu_before, 0])
        own[0] += max(cpu_ns - cpu_before, 0)
        own[1] += max(late_ns - late_before, 0)
    _runs[thread] = (task if goes_on else None, cpu_ns, late_ns)
    own = task.own.setdefault(thread, [cpu_ns, late_ns])
    return own[0], late_ns - own[1]


def _gone(thread: int, number: int, _loop: object) -> None:
    """The loop is no more, and perhaps its thread is not either, which could have said so."""
    watch = _watches.get(thread)
    if watch is not None and watch.number == number:
        _forget(thread)


def _forget_closed() -> None:
    """Loops that somebody keeps after their end, of threads that have ended."""
    global _most_watches
    for thread, watch in _watches.copy().items():
        loop = watch.loop()
        if loop is None or loop.is_closed():
            _forget(thread)
    _most_watches = 2 * len(_watches) + _MOST_CLOSED


def _forget(thread: int) -> None:
    _runs.pop(thread, None)
    _watches.pop(thread, None)
    LATE_NS.pop(thread, None)
