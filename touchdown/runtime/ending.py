"""The end of the process: the interpreter's own, and that of children which leave without it."""

import atexit
import contextlib
import os
import sys
import time
from collections.abc import Callable
from typing import Any

from touchdown.runtime.guard import failed

FAMILY = "multiprocessing.util"
"""Its children run finalizers and leave by ``os._exit``; billiard shares them."""

CELERY = "celery.signals"
"""Workers of Celery's pool leave without finalizers; a signal comes before."""

LAST = -100
"""The finalizers' order of leaving: behind the host's own, and behind the wait for children."""

_actions: list[Callable[[], None]] = []


def left_until(deadline: float) -> float:
    """Seconds until then, and a moment where it is over: everyone has a last look."""
    return max(0.1, deadline - time.monotonic())


def at_end(action: Callable[[], None]) -> None:
    """Call `action` when this process ends by itself, and when a forked child of it does."""
    if action not in _actions:
        _actions.append(action)
    atexit.unregister(_end)
    atexit.register(_end)
    _watch_children()
    process: Any = sys.modules.get("multiprocessing.process")
    if process is not None and process.parent_process() is not None:
        _finalize()


def never_mind(action: Callable[[], None]) -> None:
    """Take :func:`at_end` back."""
    if action in _actions:
        _actions.remove(action)
    if not _actions:
        atexit.unregister(_end)


def _end() -> None:
    for action in list(_actions):
        try:
            action()
        except Exception:
            failed("end")
    if getattr(sys, "last_type", None) is KeyboardInterrupt:
        _remember_ctrl_c()


def _remember_ctrl_c() -> None:
    """Let the process die by SIGINT as it would have.

    CPython notes that Ctrl-C ended the program where it runs code from text, and forgets it with the next
    text it runs: a dataclass in a module that is imported at the end, say.
    """
    with contextlib.suppress(KeyboardInterrupt):
        exec("raise KeyboardInterrupt")


def _end_of_worker(**_about: object) -> None:
    _end()


def _finalize(_registered: object = None) -> None:
    util: Any = sys.modules[FAMILY]
    util.Finalize(None, _end, exitpriority=LAST)


def _watch_children() -> None:
    """A child forgets its parent's finalizers, then asks those who registered for that moment."""
    util: Any = sys.modules.get(FAMILY)
    if util is not None and _end not in util._afterfork_registry.values():
        util.register_after_fork(_end, _finalize)
    signals: Any = sys.modules.get(CELERY)
    if signals is not None:
        signals.worker_process_shutdown.connect(
            _end_of_worker, weak=False, dispatch_uid="touchdown.end"
        )


def _after_fork() -> None:
    if _actions:
        _watch_children()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
