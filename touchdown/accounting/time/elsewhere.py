"""Other processes and hosts, whose clocks may go wrong: what happened there is moved where it can have been.

A process of the same machine goes by the clock of the one that started it; only durations of others hold.
"""

import re
from collections import defaultdict

from touchdown.accounting.time.intervals import Interval

_ID = re.compile(r"[a-z]+-([0-9a-f]{12})-[0-9a-f]{6,}")
"""An id of ours: of which kind, of which process, the how manieth."""


def place_elsewhere(root: Interval) -> None:
    """Move what another process says to have begun before what it lies in, as far as it must be moved.

    All of one process that lies in one interval keeps its distances. What then ends too late was not waited
    for, or its clock is worse than this can mend: it is off the path, and the time stays its parent's.
    """
    waiting = [root]
    while waiting:
        parent = waiting.pop()
        if not parent.children:
            continue
        waiting += parent.children
        start, here = parent.start_ns, process_of(parent.id)
        early: defaultdict[str, list[Interval]] = defaultdict(list)
        for child in parent.children:
            process = process_of(child.id)
            if process and here and process != here:
                early[process].append(child)
        for group in early.values():
            late_ns = start - min(child.start_ns for child in group)
            if late_ns > 0:
                _move(group, late_ns)


def process_of(identity: str) -> str:
    """The process that drew this id; empty for ids that are not ours."""
    found = _ID.fullmatch(identity)
    return found[1] if found is not None else ""


def _move(group: list[Interval], by_ns: int) -> None:
    waiting = list(group)
    while waiting:
        interval = waiting.pop()
        interval.start_ns += by_ns
        interval.end_ns += by_ns
        waiting += interval.children
