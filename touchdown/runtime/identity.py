"""Ids and clocks of this process."""

import functools
import itertools
import os
import secrets
import time
from pathlib import Path

from msgspec import Struct

_counter = itertools.count(1)
_prefix = secrets.token_hex(6)
_number = int(_prefix, 16)


def _after_fork() -> None:
    global _prefix, _number, _counter
    _prefix = secrets.token_hex(6)
    _number = int(_prefix, 16)
    _counter = itertools.count(1)


os.register_at_fork(after_in_child=_after_fork)


def this_process() -> str:
    """Another text in every process, also in a forked child: what began elsewhere is not ended here."""
    return _prefix


def process_number() -> int:
    """The same as a number."""
    return _number


def new_id(kind: str) -> str:
    """An id that is unique over processes and sorts by time within one, e.g. ``call-9f1c2a3b4d5e-00001a``."""
    return f"{kind}-{_prefix}-{next(_counter):06x}"


_anchor_ns = time.time_ns() - time.monotonic_ns()
"""Added to ``time.monotonic_ns()`` it gives nanoseconds since the epoch."""


class Clock(Struct, frozen=True):
    """How a process tells the time since the epoch: by a steady clock, and by what is added to it.

    Units: nanoseconds. ``read_ns`` is what the steady clock showed when this was told; ``of`` says which
    steady clock it is, as far as the system tells: that of one boot, in one name space of times.
    """

    anchor_ns: int
    read_ns: int
    of: str


def clock() -> Clock:
    """This process's."""
    return Clock(_anchor_ns, time.monotonic_ns(), _steady_clock())


def go_by(theirs: Clock) -> bool:
    """From here on tell the time as another process of this boot does; false where it is none.

    The two would be apart by as much as the wall clock was set between their starts.
    """
    global _anchor_ns
    if theirs.of != _steady_clock() or theirs.read_ns > time.monotonic_ns():
        return False
    _anchor_ns = theirs.anchor_ns
    return True


@functools.cache
def _steady_clock() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{boot} {os.readlink('/proc/self/ns/time')}"
    except OSError:
        return ""


def since_epoch(steady_ns: int) -> int:
    """An instant of ``time.monotonic_ns()`` in nanoseconds since the epoch."""
    return steady_ns + _anchor_ns


def steady(epoch_ns: int) -> int:
    """And back."""
    return epoch_ns - _anchor_ns


def now_ns() -> int:
    """Nanoseconds since the epoch that never go backwards within this process."""
    return time.monotonic_ns() + _anchor_ns
