"""The clocks of one model call: read where things happen, made a record behind the queue."""

import time
from array import array
from collections import defaultdict
from typing import Any

from msgspec.structs import replace

from touchdown.records import CallClock, GapBucket
from touchdown.runtime.identity import steady
from touchdown.runtime.marks import Taken, owned, take_mark
from touchdown.runtime.place import TaskState
from touchdown.runtime.waits import Waits

CPU, LATE = 1, 3
"""Where they stand in a mark that was taken."""


class CallClocks:
    """When one call's attempts were sent, its answer came, and how long its chunks were waited for.

    Units: nanoseconds of ``time.monotonic_ns()``.
    """

    __slots__ = (
        "_at_end",
        "_at_receipt",
        "_at_sending",
        "_at_start",
        "_task",
        "begun",
        "contents",
        "ended",
        "ended_ns",
        "first_sent_ns",
        "last_sent_ns",
        "pool_ns",
        "received_ns",
        "unread_ns",
        "waits",
    )

    def __init__(self, task: TaskState) -> None:
        self._task = task
        self._at_start = stood = take_mark()
        self.begun = owned(task, stood, goes_on=False)
        self._at_sending: Taken | None = None
        self._at_receipt: Taken | None = None
        self._at_end: Taken | None = None
        self.ended: Taken | None = None
        self.ended_ns: int | None = None
        self.first_sent_ns: int | None = None
        self.last_sent_ns: int | None = None
        self.received_ns: int | None = None
        self.unread_ns: int | None = None
        self.pool_ns: int | None = None
        self.waits: Waits | None = None
        """One for each time that a stream's next event was asked for, in order."""
        self.contents: tuple[int, int] | None = None
        """When the first event with content came, and how many waits there were until then."""

    def sent(self) -> None:
        """An attempt is ready to go out."""
        self.last_sent_ns = now = time.monotonic_ns()
        self.pool_ns = None
        if self.first_sent_ns is None:
            self.first_sent_ns = now
            self._at_sending = take_mark()

    def received(self) -> None:
        """The answer is there, or its beginning."""
        self.received_ns = time.monotonic_ns()
        self._at_receipt = take_mark()

    def end(self) -> int:
        """The call ended; when."""
        self._at_end = stood = take_mark()
        self.ended = owned(self._task, stood)
        self.ended_ns = ended_ns = time.monotonic_ns()
        return ended_ns

    def record(self, sent_at_ns: int, first_ns: int | None, end_ns: int) -> CallClock:
        """The clocks after ``sent_at_ns`` (since the epoch); the others of the steady clock."""
        zero = steady(sent_at_ns)
        waits = None if self.waits is None else self.waits.all
        cpu_ns = _grown(CPU, self._at_receipt, self._at_end) if waits is None else None
        clock = CallClock(
            first_sent_ns=_since(self.first_sent_ns, zero),
            last_sent_ns=_since(self.last_sent_ns, zero),
            received_ns=_since(self.received_ns, zero),
            pool_ns=self.pool_ns,
            unread_ns=self.unread_ns,
            cpu_before_ns=_grown(CPU, self._at_start, self._at_sending),
            cpu_after_ns=cpu_ns,
        )
        if waits is None:
            return clock
        return replace(clock, **self._behind(waits, zero, first_ns, end_ns))

    def _behind(
        self, waits: "array[int]", zero: int, first_ns: int | None, end_ns: int
    ) -> dict[str, Any]:
        """The fields of what came behind the beginning of a stream."""
        content_ns, number = self.contents or (None, 1)
        before, behind = waits[1:number], waits[number:]
        waited = sum(before) + sum(behind)
        return {
            "consumer_ns": None if first_ns is None else max(end_ns - first_ns - waited, 0),
            "gaps": sketch_of(behind),
            "first_content_ns": _since(content_ns, zero),
            "before_content_ns": None if content_ns is None else sum(before),
            "late_ns": _grown(LATE, self._at_receipt, self._at_end),
        }


def sketch_of(waits: "array[int]") -> tuple[GapBucket, ...]:
    """The waits by the power of two below which they lie."""
    counts: defaultdict[int, int] = defaultdict(int)
    totals: defaultdict[int, int] = defaultdict(int)
    for wait in waits:
        power = wait.bit_length()
        counts[power] += 1
        totals[power] += wait
    return tuple(GapBucket(power, counts[power], totals[power]) for power in sorted(counts))


def _grown(what: int, before: Taken | None, after: Taken | None) -> int | None:
    """By how much one figure of a thread grew; unknown between two threads."""
    if before is None or after is None or before[0] != after[0]:
        return None
    return max(after[what] - before[what], 0)


def _since(at_ns: int | None, zero_ns: int) -> int | None:
    return None if at_ns is None else max(at_ns - zero_ns, 0)
