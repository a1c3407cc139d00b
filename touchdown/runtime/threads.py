"""Threads, jobs of thread pools and callbacks of futures go on where they were handed over.

asyncio, anyio and trio need nothing: their tasks, callbacks and worker threads run in a copy of the context.
What is patched here is private to the standard library where that leaves arguments, results and tracebacks
exactly as they were; where a Python has no such place, the rest works without it.
"""

import contextvars
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import thread as pools
from typing import Any

from touchdown.runtime import core
from touchdown.runtime.carried import NOTHING, Carried
from touchdown.runtime.guard import guarded, warn_once
from touchdown.runtime.patches import Patches, Undo

Call = Callable[..., Any]

TAKEN = "_touchdown_taken_along"
"""The attribute of a job that says where it was handed over."""

_starting: dict[int, Carried] = {}
"""What threads that are being started take along, by the id of their object."""


def follow_threads() -> Undo:
    """Patch threads, thread pools and futures; hands back what takes that back."""
    patches = Patches()
    if sys.version_info >= (3, 14):
        patches.wrap(threading.Thread, "start", _start_in_context)
    else:
        patches.wrap(threading.Thread, "start", _start)
        patches.wrap(threading.Thread, "_bootstrap_inner", _begin)
    job: Any = getattr(pools, "_WorkItem", object)
    if patches.wrap(job, "run", _run_job):
        patches.wrap(job, "__init__", _new_job)
    else:
        warn_once("threads:pool", "touchdown: jobs of thread pools are not followed on this Python")
    patches.wrap(Future, "add_done_callback", _add_callback)
    return patches.take_back


@guarded("threads.take")
def _taken() -> Carried:
    runtime = core.active()
    return NOTHING if runtime is None else runtime.take_along()


@guarded("threads.start")
def _taken_by(thread: threading.Thread) -> Carried:
    """The workers of a pool serve all: each job of theirs says where it stands."""
    worker = getattr(pools, "_worker", None)
    serves_all = worker is not None and getattr(thread, "_target", None) is worker
    return NOTHING if serves_all else (_taken() or NOTHING)


# -- threads -------------------------------------------------------------------------------------


def _start(wrapped: Call, thread: threading.Thread, args: Any, kwargs: Any) -> Any:
    carried = _taken_by(thread) or NOTHING
    if carried.is_nothing:
        return wrapped(*args, **kwargs)
    _starting[id(thread)] = carried
    try:
        return wrapped(*args, **kwargs)
    finally:
        _starting.pop(id(thread), None)  # still there where it could not be started


def _begin(wrapped: Call, thread: threading.Thread, args: Any, kwargs: Any) -> Any:
    """In the new thread, whose context lasts as long as it does."""
    carried = _starting.pop(id(thread), None)
    if carried is not None:
        carried.put()
        del carried
    return wrapped(*args, **kwargs)


def _start_in_context(wrapped: Call, thread: Any, args: Any, kwargs: Any) -> Any:
    """From Python 3.14 on a thread has a context; one that the host gave it is the host's."""
    carried = _taken_by(thread) or NOTHING
    inherits = getattr(sys.flags, "thread_inherit_context", False)
    if carried.is_nothing or inherits or getattr(thread, "_context", thread) is not None:
        return wrapped(*args, **kwargs)
    context = contextvars.Context()
    context.run(carried.put)
    thread._context = context
    try:
        return wrapped(*args, **kwargs)
    except BaseException:
        thread._context = None
        raise


# -- jobs and callbacks ----------------------------------------------------------------------------


def _new_job(wrapped: Call, job: Any, args: Any, kwargs: Any) -> None:
    wrapped(*args, **kwargs)
    _note(job)


@guarded("threads.job")
def _note(job: Any) -> None:
    setattr(job, TAKEN, _taken())


def _run_job(wrapped: Call, job: Any, args: Any, kwargs: Any) -> None:
    carried = getattr(job, TAKEN, None)
    try:
        if carried is None:
            wrapped(*args, **kwargs)
            return
        with carried.inside():
            wrapped(*args, **kwargs)
    finally:
        wrapped = job = None  # type: ignore[assignment]  # an exception holds this frame, they hold it


def _add_callback(wrapped: Call, future: Any, args: Any, kwargs: Any) -> Any:
    carried = _taken() or NOTHING
    if carried.is_nothing or len(args) != 1 or kwargs or not callable(args[0]):
        return wrapped(*args, **kwargs)
    return wrapped(_Callback(args[0], carried))


class _Callback:
    """A callback of the host's, called where it was added."""

    __slots__ = ("_call", "_carried")

    def __init__(self, call: Call, carried: Carried) -> None:
        self._call, self._carried = call, carried

    def __call__(self, future: Any) -> Any:
        with self._carried.inside():
            return self._call(future)

    def __repr__(self) -> str:
        return repr(self._call)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_starting.clear)
