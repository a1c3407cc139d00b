"""The critical path: which piece of which interval the task waited for, at every instant."""

from collections.abc import Iterator

from msgspec import Struct

from touchdown.accounting.time.intervals import Interval

CANCELLED_WITHIN_NS = 50_000_000
"""A call that is cancelled this soon after a sibling's end is taken for the loser of a race with it."""


class Piece(Struct, frozen=True):
    """A stretch of one interval's own time on the path, and what of it ended before and began after."""

    owner: Interval
    start_ns: int
    end_ns: int
    before: Interval | None = None
    after: Interval | None = None

    @property
    def length_ns(self) -> int:
        """How long it is."""
        return self.end_ns - self.start_ns


def critical_path(root: Interval) -> list[Piece]:
    """Pieces that cover the root exactly and do not overlap, in order of time.

    Walked backwards: the child that ended last before an instant is what was waited for until then, since
    nothing tells what was. A child that outlives what follows it was not; between children an interval
    has its own time. A clock that is coarse may be off by its granularity.
    """
    pieces: list[Piece] = []
    waiting = [(root, root.start_ns, root.end_ns)]
    while waiting:
        owner, start, at = waiting.pop()
        after: Interval | None = None
        for child in awaited(owner, start, at) if owner.children else ():
            end = min(child.end_ns, at)
            if end < at:
                pieces.append(Piece(owner, end, at, child, after))
            at = max(child.start_ns, start)
            waiting.append((child, at, end))
            after = child
        if start < at:
            pieces.append(Piece(owner, start, at, None, after))
    return sorted(pieces, key=lambda piece: piece.start_ns)


def awaited(owner: Interval, start_ns: int, end_ns: int) -> Iterator[Interval]:
    """The children that were waited for between two instants, the last one first."""
    lost = losers_of(owner)
    late_ns = owner.granularity_ns
    at = end_ns
    for child in sorted(owner.children, key=lambda c: (-c.end_ns, c.start_ns, c.id)):
        if at <= start_ns:
            return
        if child.start_ns >= at or child.end_ns <= start_ns or child.id in lost:
            continue
        if child.end_ns <= at + late_ns and child.start_ns < child.end_ns:
            yield child
            at = max(child.start_ns, start_ns)


def losers_of(owner: Interval) -> set[str]:
    """Children that were cancelled because another one, which ran beside them, had ended."""
    cancelled = [child for child in owner.children if child.cancelled]
    if not cancelled:
        return set()
    won = [child for child in owner.children if not child.cancelled]
    return {
        child.id
        for child in cancelled
        if any(
            child.start_ns < other.end_ns
            and child.end_ns - CANCELLED_WITHIN_NS <= other.end_ns <= child.end_ns
            for other in won
        )
    }
