"""What collecting garbage takes, told by the collector itself.

The collector calls back in the midst of the host's code, and whatever a callback raises is lost. A signal
that comes while garbage is collected is handled at the first line of Python after it: if that were one of
ours, Ctrl-C and time limits would be lost with it. So the callbacks run no line of Python: they are calls
of the interpreter's own functions, put together, which read a clock, add it up and keep the last sum.
"""

import gc
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from itertools import accumulate, count, repeat
from operator import attrgetter, itemgetter
from typing import Any

_Sum = tuple[int, int]
"""How often a clock was read, and the sum of what it said."""


class _Sums:
    """A clock read at the begin and at the end of each collection; what it ran in between, altogether."""

    __slots__ = ("_begun", "_ended", "_known", "steps")

    def __init__(self, clock: Callable[[], int]) -> None:
        begin, self._begun = _adding(clock)
        end, self._ended = _adding(clock)
        self.steps = begin, end
        self._known = 0

    @property
    def running(self) -> bool:
        """Whether garbage is being collected right now."""
        return self._begun[0][0] != self._ended[0][0]

    def passed_ns(self) -> int:
        """Nanoseconds in all collections that have ended."""
        (begun, began_ns), (ended, ended_ns) = self._begun[0], self._ended[0]
        if begun == ended:
            self._known = ended_ns - began_ns
        return self._known


def _adding(clock: Callable[[], int]) -> tuple[Iterator[None], deque[_Sum]]:
    """Each step of the iterator reads the clock; the queue holds the sum."""
    latest: deque[_Sum] = deque([(0, 0)], maxlen=1)
    return map(latest.append, zip(count(1), accumulate(iter(clock, None)))), latest


class _Here(threading.local):
    """The sums of each thread that asked for its own; in one that did not there is no such attribute."""

    sums: _Sums


_all, _here = _Sums(time.perf_counter_ns), _Here()


def _callback(begins: Iterator[Any], ends: Iterator[Any]) -> Callable[..., object]:
    """Called with ``"start"`` it takes a step of the one, with ``"stop"`` of the other.

    It looks for an attribute of that name, which is a property, whose function takes the step. What the
    collector tells besides is what ``getattr`` gives for an attribute that is missing: no error then.
    """
    fields = {"start": property(partial(next, begins)), "stop": property(partial(next, ends))}
    return partial(getattr, type("Steps", (), fields)())


def _of_all() -> Callable[..., object]:
    return _callback(*_all.steps)


def _of_thread() -> Callable[..., object]:
    steps = [map(itemgetter(at), map(attrgetter("sums.steps"), repeat(_here))) for at in range(2)]
    return _callback(map(next, steps[0]), map(next, steps[1]))


_callbacks: list[Callable[..., object]] = []


def watch_collector(on: bool) -> None:
    """Add up what the garbage collector takes, or stop doing so."""
    if on and not _callbacks:
        _callbacks[:] = _of_all(), _of_thread()
        gc.callbacks.extend(_callbacks)
    elif not on:
        while _callbacks:
            gc.callbacks.remove(_callbacks.pop())


def collecting_ns() -> int:
    """How long garbage was collected in this process so far."""
    return _all.passed_ns()


def own_collecting_ns() -> int:
    """CPU of this thread that went into collecting since it first asked."""
    try:
        sums = _here.sums
    except AttributeError:
        if _all.running:  # perhaps in this thread: an end without its begin would be added up
            return 0
        sums = _here.sums = _Sums(time.thread_time_ns)
    return sums.passed_ns()
