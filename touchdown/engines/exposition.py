"""Prometheus' text format, read leniently: the series of one scrape, and what counted up between two."""

import math
import re
from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct, field

SAMPLE = re.compile(r"^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})?\s+(\S+)")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')
ESCAPES = {"\\n": "\n", '\\"': '"', "\\\\": "\\"}

MOST_SERIES = 50_000
"""A page with more series than this is read no further."""

Labels = tuple[tuple[str, str], ...]
Series = Mapping[Labels, float]


class NotAnExposition(ValueError):  # noqa: N818 - it says what the page is, not that we failed
    """The page is not Prometheus' text: an error page, JSON, nothing."""


class Exposition(Struct, frozen=True):
    """One scrape: metric names, colons made underscores, to their series.

    Relays make that change to names on their way; buckets and ``_created`` are left out.
    """

    series: Mapping[str, Series] = field(default_factory=dict)

    def has(self, prefix: str) -> bool:
        """Whether any metric begins like this."""
        return any(name.startswith(prefix) for name in self.series)

    def label(self, name: str, label: str) -> str:
        """A label's value at the first series of a metric that has it; empty when none does."""
        found = (dict(labels).get(label, "") for labels in self.series.get(name, {}))
        return next(filter(None, found), "")

    def ranks(self, name: str, label: str) -> int:
        """How many ranks a metric has a series of, by the label that numbers them; 1 where none is."""
        told = (dict(labels).get(label, "") for labels in self.series.get(name, {}))
        return max((int(rank) + 1 for rank in told if rank.isdecimal()), default=1)

    def value(self, name: str) -> float | None:
        """The first value of a metric; ``None`` when it is not there."""
        return next(iter(self.series.get(name, {}).values()), None)


def read_exposition(text: str) -> Exposition:
    """The series of one page.

    Errors: :class:`NotAnExposition` when no line of it is a sample and one is something else.
    """
    found: dict[str, dict[Labels, float]] = {}
    strange = False
    for count, (line, sample) in enumerate(_samples(text)):
        if sample is None:
            strange = strange or bool(line)
            continue
        if count > MOST_SERIES:
            break
        name, labels, value = sample
        if not math.isnan(value) and not name.endswith(("_bucket", "_created")):
            found.setdefault(name.replace(":", "_"), {})[labels] = value
    if not found and strange:
        raise NotAnExposition(text.strip()[:40])
    return Exposition(found)


def _samples(text: str) -> Iterator[tuple[str, tuple[str, Labels, float] | None]]:
    for raw in text.splitlines():
        line = raw.strip()
        if line.startswith("#"):
            continue
        matched = SAMPLE.match(line)
        value = None if matched is None else _number(matched[3])
        if matched is None or value is None:
            yield line, None
        else:
            labels = tuple(sorted((m[1], _plain(m[2])) for m in LABEL.finditer(matched[2] or "")))
            yield line, (matched[1], labels, value)


def _plain(value: str) -> str:
    return re.sub(r'\\[n"\\]', lambda found: ESCAPES[found[0]], value)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


class Counter(Struct, frozen=True):
    """A figure of ours and the metrics that count it: its names over the versions, newest first.

    ``only`` picks series by a label; a rank of tensor parallelism counts what rank 0 counts too.
    """

    figure: str
    names: tuple[str, ...]
    only: tuple[str, str] | None = None


class Counted(Struct, frozen=True):
    """What an engine's counters say of the time between two scrapes, of all its requests together.

    Units: tokens, requests, and seconds where the name ends in ``_s``.
    """

    figures: Mapping[str, float] = field(default_factory=dict)
    not_observable: Mapping[str, str] = field(default_factory=dict)
    """By figure: why it is unknown."""


RESTARTED = "its counters went back: the server was started again in between"


def counted(before: Exposition, after: Exposition, counters: Iterable[Counter]) -> Counted:
    """How far each figure went up; one whose counters went back, or are not there, is unknown."""
    figures: dict[str, float] = {}
    lost: dict[str, str] = {}
    for counter in counters:
        name = next((name for name in counter.names if name in after.series), None)
        if name is None:
            lost[counter.figure] = f"the server shows no {counter.names[0]}"
            continue
        grown = _growth(before.series.get(name, {}), after.series[name], counter.only)
        if grown is None:
            lost[counter.figure] = RESTARTED
        else:
            figures[counter.figure] = grown
    return Counted(figures, lost)


def _growth(before: Series, after: Series, only: tuple[str, str] | None) -> float | None:
    """A series that was not there before began at 0; one that is gone, or less, was begun anew."""
    if before.keys() - after.keys():
        return None
    chosen = [labels for labels in after if _counts(dict(labels), only)]
    grown = [after[labels] - before.get(labels, 0.0) for labels in chosen]
    return None if any(each < 0 for each in grown) else math.fsum(grown)


def _counts(labels: Mapping[str, str], only: tuple[str, str] | None) -> bool:
    if labels.get("tp_rank", "0") != "0":
        return False
    return only is None or labels.get(only[0]) == only[1]
