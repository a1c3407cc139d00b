"""The time statement: where the wall time of a task went along its critical path."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from msgspec import Struct

from touchdown.accounting.time.account import TimeAccount
from touchdown.accounting.time.load import HostLoad
from touchdown.accounting.time.racks import RACKS
from touchdown.report.bill import ESTIMATED, bar
from touchdown.report.format import apportion, duration, shares
from touchdown.report.layout import GAP, INDENT, Line, Span, Style, labelled, line, section
from touchdown.report.text import cells, clean, pad

WORDS = {
    "model": "model calls",
    "tools": "tools",
    "agent": "own code",
    "human": "people",
}
"""How the parts of work are told."""

BESIDE = {
    "cpu_waits_on_gpu": "your side waited for models {}",
    "gpu_waits_on_cpu": "models were left idle between calls {}",
}

SECOND_NS = 10**9
WIDEST_BAR = 28
MOST_WITHOUT = 3


class Row(Struct, frozen=True):
    """One line of the statement. Units: nanoseconds."""

    label: str
    amount: Decimal
    style: Style
    estimated: bool = False


def time_lines(time: TimeAccount, width: int) -> list[Line]:
    """The statement in seconds and what is to be said beside it; nothing for a time that is not known."""
    if not time.total_ns:
        return []
    entries = _rows(time)
    body = [*_statement(entries, width), *_unexplained(time, width), *_beside(time, width)]
    return section("time", [*body, *_without(time, width), *load_lines(time.load, width)])


def _rows(time: TimeAccount) -> list[Row]:
    estimated = {name for name, basis in time.basis.items() if basis == "estimated"}
    work = [
        Row(WORDS.get(name, clean(name)), Decimal(ns), "work", "work" in estimated)
        for name, ns in time.within_work.items()
        if ns
    ]
    paid = sorted(
        ((name, ns) for name, ns in time.taxes.items() if ns), key=lambda t: (-t[1], t[0])
    )
    taxes = [Row(clean(name), Decimal(ns), "tax", name in estimated) for name, ns in paid]
    rest = Row("unexplained", Decimal(time.unexplained_ns), "unexplained")
    return [*work, *taxes, rest]


def _statement(entries: Sequence[Row], width: int) -> list[Line]:
    exact = [entry.amount / SECOND_NS for entry in entries]
    total = sum(exact, Decimal(0))
    places = 3 if total < 100 else 1 if total < 10_000 else 0
    rounded = apportion(exact, places)
    amounts = [
        f"{ESTIMATED if entry.estimated and shown else ''}{_seconds(shown, entry.amount, places)}"
        for entry, shown in zip(entries, rounded, strict=True)
    ]
    whole = _seconds(sum(rounded, Decimal(0)), total, places)
    label = max([cells("wall time"), *(cells(entry.label) for entry in entries)])
    amount = max(map(len, [*amounts, whole]))
    room = min(WIDEST_BAR, width - len(INDENT) - label - amount - 3 * len(GAP) - len("100.0%"))
    rows = [
        (
            Span(f"{INDENT}{pad(entry.label, label)}{GAP}{text:>{amount}}"),
            Span(f"{GAP}{share:>6}", "faint"),
            Span(f"{GAP}{bar(entry.amount, [e.amount for e in entries], room)}", entry.style),
        )
        for entry, text, share in zip(entries, amounts, shares(exact), strict=True)
    ]
    rule = "─" * (label + len(GAP) + amount)
    last = line(f"{INDENT}{pad('wall time', label)}{GAP}{whole:>{amount}}", "strong")
    return [*rows, line(INDENT + rule, "faint"), last]


def _seconds(shown: Decimal, exact: Decimal, places: int) -> str:
    if exact and not shown:
        return f"<{Decimal(1).scaleb(-places):f} s"
    return f"{shown:,.{places}f} s"


def _unexplained(time: TimeAccount, width: int) -> list[Line]:
    known = {clean(why): duration(ns / SECOND_NS) for why, ns in time.unexplained_reasons.items()}
    text = ", ".join(f"{why} {told}" for why, told in known.items())
    return labelled("unexplained:", text, width, "faint") if text else []


def _beside(time: TimeAccount, width: int) -> list[Line]:
    told = [
        words.format(duration(ns / SECOND_NS))
        for name, words in BESIDE.items()
        if (ns := time.memo.get(name))
    ]
    told += [
        f"{duration(ns / SECOND_NS)} more of {WORDS.get(name, clean(name))} ran at the same time"
        for name, ns in time.off_path.items()
        if ns
    ]
    text = f"{'; '.join(told)} (not in the sum)"
    return labelled("beside it:", text, width, "faint") if told else []


def _without(time: TimeAccount, width: int) -> list[Line]:
    """The taxes whose absence would shorten the task most, where it would show."""
    saved: Mapping[str, int] = {
        name: (time.total_ns or 0) - ns for name, ns in time.without.items()
    }
    least = (time.total_ns or 0) // 100
    ranked = sorted((name for name, ns in saved.items() if ns > least), key=lambda n: -saved[n])
    told = [
        f"{clean(name)} {duration(time.without[name] / SECOND_NS)}"
        for name in ranked[:MOST_WITHOUT]
    ]
    return labelled("wall time without:", ", ".join(told), width, "faint") if told else []


def load_lines(load: HostLoad | None, width: int) -> list[Line]:
    """What is asked of the host, beside what a rack has."""
    if load is None:
        return []
    told = []
    if load.cores_per_call:
        rack = RACKS[0]
        calls = int(rack.cores_per_gpu / load.cores_per_call)
        told.append(f"{_figure(load.cores_per_call)} cores for each call in flight")
        told.append(f"a GPU's {rack.cores_per_gpu:.0f} cores ({rack.name}) serve {calls:,} of them")
    if load.tools_peak > 1:
        told.append(
            f"at most {load.tools_peak} tools at once, {load.tools_mean or 0:.1f} on average"
        )
    return labelled("your CPUs:", "; ".join(told), width, "faint") if told else []


def _figure(cores: float) -> str:
    return f"{cores:.2f}" if cores >= 0.01 else "<0.01"
