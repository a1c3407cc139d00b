"""What the wall time would be without a tax: the same work in the same order, the tax's waits left out."""

from collections.abc import Mapping

from touchdown.accounting.time.intervals import Interval
from touchdown.accounting.time.path import losers_of


def length_without(root: Interval, saved_ns: Mapping[str, int]) -> int:
    """The length of the root when each interval's own time is shorter by ``saved_ns`` (by its id).

    A child begins as long after the last of those that had ended when it began as it did, so another
    branch may hold up the rest than did.
    """
    lengths: dict[int, int] = {}
    order = [root]
    for interval in order:
        order += interval.children
    for interval in reversed(order):
        lengths[id(interval)] = _length(interval, lengths, saved_ns.get(interval.id, 0))
    return lengths[id(root)]


def _length(interval: Interval, lengths: Mapping[int, int], saved_ns: int) -> int:
    if not interval.children:
        return max(interval.length_ns - saved_ns, 0)
    start, end = interval.start_ns, interval.end_ns
    lost = losers_of(interval)
    joined = [
        child
        for child in interval.children
        if start <= child.start_ns and child.end_ns <= end and child.id not in lost
    ]
    moved = _Moved(joined, start)
    for child in sorted(joined, key=lambda child: (child.start_ns, child.end_ns, child.id)):
        moved.ends[id(child)] = moved.time_of(child.start_ns) + lengths[id(child)]
    return max(moved.time_of(end) - start - saved_ns, 0)


class _Moved:
    """The new times of one interval's instants, asked for in order."""

    def __init__(self, children: list[Interval], start_ns: int) -> None:
        self.ends: dict[int, int] = {}
        self._by_end = sorted(children, key=lambda child: (child.end_ns, child.start_ns, child.id))
        self._taken = 0
        self._old = self._new = start_ns

    def time_of(self, instant: int) -> int:
        """As long after what had ended by then as it was."""
        while self._taken < len(self._by_end):
            child = self._by_end[self._taken]
            if child.end_ns > instant or id(child) not in self.ends:
                break
            self._old = child.end_ns
            self._new = max(self._new, self.ends[id(child)])
            self._taken += 1
        return self._new + instant - self._old
