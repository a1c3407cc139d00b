"""A schedule: every rate of one model under one set of conditions, for every date and prompt size."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable
from datetime import date, datetime, time, timedelta, timezone

from msgspec import Struct

from touchdown.prices.rates import Rates, Unpriced

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
DAY_NS = 86_400 * 10**9
_US = timedelta(microseconds=1)


class Band(Struct, frozen=True):
    """The rates of prompts up to the next band's edge.

    ``assumed`` are the same rates for a call whose cache writes have no stated life: the default life's
    price, marked as an estimate.
    """

    rates: Rates
    assumed: Rates


class Ladder(Struct, frozen=True):
    """The bands of one moment. Units: ``edges`` tokens of whole input; a prompt of exactly an edge stays
    in the band below it, one token more puts the whole prompt in the band above."""

    edges: tuple[int, ...]
    bands: tuple[Band, ...]

    def band(self, input_tokens: int) -> Band:
        """The band that the whole prompt is billed in."""
        return self.bands[bisect_left(self.edges, input_tokens)] if self.edges else self.bands[0]


Cell = Ladder | Unpriced


class Schedule(Struct, frozen=True):
    """Prices by date and, where a provider has peak hours, by time of day.

    Units: ``dates`` nanoseconds since the epoch at which a price begins; ``times`` nanoseconds of the
    UTC day. ``cells`` has one row more than there are dates, and one column more than times.
    """

    cells: tuple[tuple[Cell, ...], ...]
    dates: tuple[int, ...] = ()
    times: tuple[int, ...] = ()

    @property
    def edges(self) -> set[int]:
        """Sizes at which prices change at some time. Units: tokens of whole input."""
        ladders = [cell for row in self.cells for cell in row if isinstance(cell, Ladder)]
        return {edge for ladder in ladders for edge in ladder.edges}

    def at(self, sent_at_ns: int) -> Cell:
        """What holds at this moment."""
        row = self.cells[bisect_right(self.dates, sent_at_ns) if self.dates else 0]
        return row[bisect_right(self.times, sent_at_ns % DAY_NS) if self.times else 0]


def build_schedule(constraints: Iterable[object], cell_at: Callable[[datetime], Cell]) -> Schedule:
    """A schedule that asks ``cell_at`` once for every stretch between two changes of price."""
    days: set[date] = set()
    clock: set[int] = set()
    for constraint in constraints:
        if isinstance(day := getattr(constraint, "start_date", None), date):
            days.add(day)
        for name in ("start_time", "end_time"):
            if isinstance(moment := getattr(constraint, name, None), time):
                clock.add(_ns_of_day(moment))
    begins = sorted(days)
    first = begins[0] - timedelta(days=1) if begins else _EPOCH.date()
    offsets = [0, *sorted(clock)]
    cells = tuple(
        tuple(cell_at(_moment(day, offset)) for offset in offsets) for day in (first, *begins)
    )
    return Schedule(
        cells=cells,
        dates=tuple(ns_since_epoch(_moment(day, 0)) for day in begins),
        times=tuple(offsets[1:]),
    )


def ns_since_epoch(moment: datetime) -> int:
    """Nanoseconds since the epoch of an aware moment, exactly."""
    return (moment - _EPOCH) // _US * 1000


def _moment(day: date, offset_ns: int) -> datetime:
    midnight = datetime(day.year, day.month, day.day, tzinfo=timezone.utc)
    return midnight + timedelta(microseconds=offset_ns // 1000)


def _ns_of_day(moment: time) -> int:
    at = datetime.combine(_EPOCH.date(), moment)
    aware = at.replace(tzinfo=timezone.utc) if at.tzinfo is None else at
    return ns_since_epoch(aware.astimezone(timezone.utc)) % DAY_NS
