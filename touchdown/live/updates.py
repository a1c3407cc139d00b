"""Updates: a program's own function, called every so often with what has changed."""

import math
import threading
import time
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from touchdown.runtime import core
from touchdown.runtime.carried import start_apart
from touchdown.runtime.guard import failed, guarded, must_be_awaited, warn_once
from touchdown.runtime.identity import this_process

if TYPE_CHECKING:
    from touchdown.accounting.account import TaskAccount

LEAST_S = 0.05

REST = 20
"""As many times as long as the accounts took to be made (CPU), no others are made."""

Changed: TypeAlias = "Callable[[list[TaskAccount]], object]"


class Updates:
    """A running :func:`on_update`. ``cancel()`` ends it."""

    def __init__(self, callback: Changed, every_s: float) -> None:
        self._callback, self._every_s = callback, every_s
        self._stop = threading.Event()
        self._process = this_process()
        self.skipped = 0
        """How often its time had come while the function still ran, or while no accounts were made."""
        self._rest_s = 0.0

    def cancel(self) -> None:
        """Call the function no more; one call that runs now may still end."""
        self._stop.set()

    @property
    def active(self) -> bool:
        """Whether it will be called again: not after ``cancel()``, nor in a forked child."""
        return not self._stop.is_set() and self._process == this_process()

    def start(self, runtime: core.Runtime) -> None:
        """Begin, in a thread of its own: a slow function holds nothing up."""
        thread = threading.Thread(
            target=self._run, args=(weakref.ref(runtime),), name="touchdown updates", daemon=True
        )
        start_apart(thread)

    def _run(self, reference: "Callable[[], core.Runtime | None]") -> None:
        mark, due_s = 0, time.monotonic() + self._every_s
        while not self._stop.wait(max(0.0, due_s - time.monotonic())):
            runtime = reference()
            if runtime is None or runtime.closed:
                break
            mark = self._call(runtime, mark)
            del runtime
            due_s += self._every_s
            late = int((time.monotonic() + self._rest_s - due_s) // self._every_s) + 1
            if late > 0:
                self.skipped += late
                due_s += late * self._every_s
        self._stop.set()

    def _call(self, runtime: core.Runtime, mark: int) -> int:
        began_s = time.thread_time()
        try:
            mark, changed = runtime.accountant.changed_since(mark)
            self._rest_s = REST * (time.thread_time() - began_s)
            if changed and not self._stop.is_set():
                must_be_awaited("the function of on_update", self._callback(changed))
        except BaseException:  # e.g. of a function that exits: in this thread it ends nothing else
            failed("the function of on_update")
        return mark


def on_update(callback: Changed, every: float = 1.0) -> Updates:
    """Call a function about every so many seconds with the accounts of the root tasks that changed since.

    It is called in a thread of its own, never twice at once, and not at all when nothing changed. What it
    raises is noted once and reaches nobody. It ends with ``cancel()`` on what is handed back, with
    ``uninstrument()`` and with the process; forked children do not call it.
    Errors: ``ValueError`` where ``every`` is no number of seconds above 0, ``TypeError`` for no function.
    """
    _check(callback, every)
    updates = Updates(callback, max(LEAST_S, float(every)))
    _begin(updates)
    return updates


def _check(callback: object, every: object) -> None:
    if not callable(callback):
        raise TypeError(f"on_update() takes a function, not {callback!r}")
    known = isinstance(every, (int, float)) and not isinstance(every, bool)
    if not known or not math.isfinite(every) or every <= 0:  # type: ignore[arg-type, operator]
        raise ValueError(f"every is a number of seconds above 0, not {every!r}")


@guarded("on_update")
def _begin(updates: Updates) -> None:
    runtime = core.active()
    if runtime is None:
        updates.cancel()
        warn_once("updates:off", "touchdown: on_update() does nothing: instrument() was not called")
        return
    updates.start(runtime)
