"""Marks: where a thread stands in CPU and garbage collection, taken at the ends of calls, steps and tasks."""

import threading
import time

from touchdown.records import Mark
from touchdown.runtime.garbage import collecting_ns, own_collecting_ns
from touchdown.runtime.identity import process_number
from touchdown.runtime.loops import LATE_NS, share_of
from touchdown.runtime.place import TaskState

try:
    from resource import RUSAGE_CHILDREN, getrusage
except ImportError:  # not on Windows
    getrusage = None  # type: ignore[assignment]

Taken = tuple[int, int, int, int]
"""Thread, its CPU, what collecting garbage took, how late its event loop was: read on the caller's path,
made a record later."""

_thread = threading.get_ident
_cpu_ns = time.thread_time_ns


def take_mark() -> Taken:
    """Where this thread stands now."""
    thread = _thread()
    cpu_ns = _cpu_ns() - own_collecting_ns()
    return thread, cpu_ns, collecting_ns(), LATE_NS.get(thread, 0)


def owned(task: TaskState, taken: Taken, goes_on: bool = True) -> Taken:
    """The same mark with what is this task's own, where others run on the same event loop.

    ``goes_on``: from here on the task's code runs; else it waits, and nobody's is known to.
    """
    thread, cpu_ns, collecting_ns, late_ns = taken
    if thread not in LATE_NS:
        return taken
    cpu_ns, late_ns = share_of(task, thread, cpu_ns, late_ns, goes_on)
    return thread, cpu_ns, collecting_ns, late_ns


def mark_of(taken: Taken | None) -> Mark | None:
    """The record of it; threads of two processes never have one number."""
    if taken is None:
        return None
    thread, cpu_ns, collecting_ns, late_ns = taken
    return Mark(thread ^ process_number(), cpu_ns, collecting_ns, late_ns)


def cpu_so_far_s() -> tuple[float, float | None]:
    """CPU seconds of this process, and of its child processes that have ended; ``None`` where not told."""
    children = None
    if getrusage is not None:
        used = getrusage(RUSAGE_CHILDREN)
        children = used.ru_utime + used.ru_stime
    return time.process_time(), children


def cpu_since_s(before: tuple[float, float | None]) -> tuple[float, float | None]:
    """CPU seconds since then."""
    own, children = cpu_so_far_s()
    both_told = children is not None and before[1] is not None
    return own - before[0], children - before[1] if both_told else None  # type: ignore[operator]
