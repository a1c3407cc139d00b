"""``jitter``: chunks of a stream that came later than its chunks usually do, for no cause that is known."""

from collections.abc import Sequence

from touchdown.accounting.taxes.tax import Evidence
from touchdown.accounting.taxes.timed import Timed
from touchdown.records import GapBucket

SAME_READ_POWER = 17
"""Chunks less than 2 to this many nanoseconds (0.13 ms) apart came in one piece; their wait is no wait."""

FEWEST_GAPS = 4
"""With fewer waits in a stream nobody can say what is usual."""

UNSEEN = "no streamed answer came in enough chunks to know their usual pace"


class Jitter(Timed, frozen=True):
    """Waits between chunks above the median wait of the same call."""

    id: str = "jitter"
    question: str = "the slow tail of decoding with no named cause"
    needs: str = "stream"

    def not_observable(self, seen: Evidence) -> str | None:
        """Without a stream whose pace is known."""
        clocks = (facts.call.clock for facts in seen.calls)
        known = any(clock is not None and excess_ns(clock.gaps) is not None for clock in clocks)
        return None if known else UNSEEN


def excess_ns(gaps: Sequence[GapBucket]) -> int | None:
    """What the waits took above the median one; ``None`` where there are too few to tell.

    The median is the mean of the bucket that it lies in, and the waits of that bucket have no excess.
    """
    waits = sorted((gap for gap in gaps if gap.power > SAME_READ_POWER), key=lambda gap: gap.power)
    number = sum(gap.count for gap in waits)
    if number < FEWEST_GAPS:
        return None
    passed = 0
    for index, gap in enumerate(waits):
        passed += gap.count
        if 2 * passed >= number:
            median = gap.total_ns // gap.count
            return sum(max(g.total_ns - g.count * median, 0) for g in waits[index + 1 :])
    raise AssertionError(f"{passed} of {number} waits counted")
