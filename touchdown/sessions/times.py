"""When things were written, as sources tell it: nanoseconds since the epoch."""

import os
from datetime import datetime, timezone

import msgspec

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)

SECOND_NS = 10**9
MILLISECOND_NS = 10**6
CENTURY_NS = 100 * 366 * 86_400 * SECOND_NS

NO_TIMES = "it carries no times: the file's own date stands in, and no gap can be seen"


def ns_of(at: datetime) -> int:
    """A time in nanoseconds; one without a zone is taken as UTC."""
    if at.tzinfo is None:
        at = at.replace(tzinfo=timezone.utc)
    since = at - EPOCH
    return ((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds) * 1000


def read_time(value: object) -> int | None:
    """A time as JSON carries it, ISO text or seconds since the epoch; ``None`` for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        seconds_fit = 0 <= value < 2**33
        return round(value * 1_000_000) * 1000 if seconds_fit else None
    if not isinstance(value, str):
        return None
    try:
        return ns_of(msgspec.convert(value, datetime))
    except (msgspec.MsgspecError, OverflowError):
        return None


def as_ns(number: float, unit_ns: int) -> int | None:
    """A span of time in nanoseconds; ``None`` for one of more than 100 years, which nobody has seen."""
    return round(number * unit_ns) if abs(number) < CENTURY_NS / unit_ns else None


def written_ns(path: str) -> int:
    """When the file was last written; 0 when that cannot be told."""
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return 0


class Clock:
    """The times of one source in turn. Where one is missing, it is a little after the one before."""

    def __init__(self, started_ns: int) -> None:
        self.now_ns = started_ns
        self.told = False
        """Whether the source told any time itself."""

    def read(self, value: object) -> int:
        """The time that stands in ``value``, or the next one."""
        at_ns = read_time(value)
        self.told = self.told or at_ns is not None
        self.now_ns = self.now_ns + 1000 if at_ns is None else at_ns
        return self.now_ns
