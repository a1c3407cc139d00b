"""The clocks of one model call: read where things happen, made a record behind the queue."""

import time
from array import array
from collections import defaultdict
from typing import Any

from touchdown.records import CallClock, GapBucket
from touchdown.runtime.identity import ANCHOR_NS
from touchdown.runtime.marks import Taken, mark_of, take_mark


class CallClocks:
    """When one call's attempts were sent, its answer came, and how long its chunks were waited for.

    Units: nanoseconds of ``time.monotonic_ns()``.
    """

    __slots__ = ("begun", "ended", "first_sent_ns", "last_sent_ns", "received_ns", "waits")

    def __init__(self) -> None:
        self.begun = take_mark()
        self.ended: Taken | None = None
        self.first_sent_ns: int | None = None
        self.last_sent_ns: int | None = None
        self.received_ns: int | None = None
        self.waits: array[int] | None = None
        """One for each time that a stream's next event was asked for, in order."""

    def sent(self) -> None:
        """An attempt is ready to go out."""
        self.last_sent_ns = now = time.monotonic_ns()
        if self.first_sent_ns is None:
            self.first_sent_ns = now

    def received(self) -> None:
        """The answer is there, or its beginning."""
        self.received_ns = time.monotonic_ns()

    def end(self) -> int:
        """The call ended; when."""
        self.ended = take_mark()
        return time.monotonic_ns()

    def told(self, sent_at_ns: int, first_ns: int | None, end_ns: int) -> dict[str, Any]:
        """The fields of the call's record that are made of them."""
        return {
            "begun": mark_of(self.begun),
            "ended": mark_of(self.ended),
            "clock": self.record(sent_at_ns, first_ns, end_ns),
        }

    def record(self, sent_at_ns: int, first_ns: int | None, end_ns: int) -> CallClock:
        """The clocks after ``sent_at_ns`` (since the epoch); the others of the steady clock."""
        zero = sent_at_ns - ANCHOR_NS
        behind_first = self.waits[1:] if self.waits is not None else None
        consumer = None
        if behind_first is not None and first_ns is not None:
            consumer = max(end_ns - first_ns - sum(behind_first), 0)
        return CallClock(
            first_sent_ns=_since(self.first_sent_ns, zero),
            last_sent_ns=_since(self.last_sent_ns, zero),
            received_ns=_since(self.received_ns, zero),
            consumer_ns=consumer,
            gaps=sketch_of(behind_first) if behind_first is not None else (),
        )


def sketch_of(waits: "array[int]") -> tuple[GapBucket, ...]:
    """The waits by the power of two below which they lie."""
    counts: defaultdict[int, int] = defaultdict(int)
    totals: defaultdict[int, int] = defaultdict(int)
    for wait in waits:
        power = wait.bit_length()
        counts[power] += 1
        totals[power] += wait
    return tuple(GapBucket(power, counts[power], totals[power]) for power in sorted(counts))


def _since(at_ns: int | None, zero_ns: int) -> int | None:
    return None if at_ns is None else max(at_ns - zero_ns, 0)
