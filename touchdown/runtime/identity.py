"""Ids and clocks of this process."""

import itertools
import os
import secrets
import time

_counter = itertools.count(1)
_prefix = secrets.token_hex(6)


def _after_fork() -> None:
    global _prefix, _counter
    _prefix = secrets.token_hex(6)
    _counter = itertools.count(1)


os.register_at_fork(after_in_child=_after_fork)


def this_process() -> str:
    """Another text in every process, also in a forked child: what began elsewhere is not ended here."""
    return _prefix


def new_id(kind: str) -> str:
    """An id that is unique over processes and sorts by time within one, e.g. ``call-9f1c2a3b4d5e-00001a``."""
    return f"{kind}-{_prefix}-{next(_counter):06x}"


ANCHOR_NS = time.time_ns() - time.monotonic_ns()
"""Add this to ``time.monotonic_ns()`` for nanoseconds since the epoch."""


def now_ns() -> int:
    """Nanoseconds since the epoch that never go backwards within this process."""
    return time.monotonic_ns() + ANCHOR_NS
