"""Clocks inside the records: where a thread stood, what happened inside one model call, and when."""

from msgspec import Struct


class Mark(Struct, frozen=True):
    """Where the thread stood that began or ended something. Two marks of one thread are compared.

    Units: nanoseconds: ``cpu_ns`` CPU of this thread so far, collecting garbage left out, and on an event
    loop what other tasks are known to have used; ``collecting_ns`` how long garbage was collected in this
    process so far.
    """

    thread: int
    """A number of the thread that no thread of another process has."""
    cpu_ns: int
    collecting_ns: int = 0
    late_ns: int = 0
    """How late its event loop was so far, while others than this task ran on it."""


class GapBucket(Struct, frozen=True):
    """Waits between the chunks of one stream that are of about one length.

    Units: nanoseconds. The waits are below ``2 ** power`` and, but for power 0, at least half of it.
    """

    power: int
    count: int
    total_ns: int


class CallClock(Struct, frozen=True):
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
    """The waits for the chunks of a stream behind its first content, the caller's own time taken out."""
    first_content_ns: int | None = None
    """When the first chunk of a stream came that holds text, reasoning or a tool request."""
    before_content_ns: int | None = None
    """How long chunks were waited for between the first chunk and the first content."""
    pool_ns: int | None = None
    """How long the last attempt waited for a free connection; 0 where it is seen that it did not."""
    unread_ns: int | None = None
    """How long the answer had been there when it was received: the thread, or its event loop, was busy."""
    late_ns: int | None = None
    """How late the event loop was while the stream was read."""
    cpu_before_ns: int | None = None
    """CPU of the calling thread before the first attempt was sent."""
    cpu_after_ns: int | None = None
    """And behind the answer; of a stream it would be its reader's."""
