"""Clocks inside the records: where a thread stood, what happened inside one model call, and when."""

from dataclasses import dataclass

from touchdown.records.quick import quick


@quick
@dataclass(frozen=True, slots=True)
class Mark:
    """Where the thread stood that began or ended something. Two marks of one thread are compared.

    Units: nanoseconds: ``cpu_ns`` CPU of this thread so far, collecting garbage left out; ``collecting_ns``
    how long garbage was collected in this process so far.
    """

    thread: int
    """A number of the thread that no thread of another process has."""
    cpu_ns: int
    collecting_ns: int = 0


@quick
@dataclass(frozen=True, slots=True)
class GapBucket:
    """Waits between the chunks of one stream that are of about one length.

    Units: nanoseconds. The waits are below ``2 ** power`` and, but for power 0, at least half of it.
    """

    power: int
    count: int
    total_ns: int


@quick
@dataclass(frozen=True, slots=True)
class CallClock:
    """What happened inside one model call, on the caller's own clock.

    Units: nanoseconds, instants after ``sent_at_ns`` of the call. ``None``: not seen.
    """

    first_sent_ns: int | None = None
    """When the first attempt was ready to be sent."""
    last_sent_ns: int | None = None
    """When the last attempt was."""
    received_ns: int | None = None
    """When the answer was there: the whole of it, of a stream its beginning."""
    consumer_ns: int | None = None
    """What the caller did between the chunks of a stream, altogether."""
    gaps: tuple[GapBucket, ...] = ()
    """The waits for the chunks of a stream behind its first, the caller's own time taken out."""
