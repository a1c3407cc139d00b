"""The account statement: work, every tax that was paid, unexplained, and the total they add up to."""

from collections.abc import Mapping, Sequence
from decimal import Decimal, localcontext

from msgspec import Struct

from touchdown.accounting.account import Money
from touchdown.records.verdict import Basis
from touchdown.report.format import (
    EXACT,
    UNKNOWN,
    apportion,
    column_places,
    count,
    percent,
    shares,
    under,
    usd,
)
from touchdown.report.layout import GAP, INDENT, Line, Span, Style, labelled, line, section
from touchdown.report.memos import memo_lines
from touchdown.report.text import cells, clean, cut, pad

UNEXPLAINED = {
    "unknown": "no cause is known",
    "unknown_predecessor": "the call before was not seen",
    "opaque_input": "input that was not recorded",
    "unsplit": "told as a total only",
}
"""How a cause that could not be told is said."""

WIDEST_LABEL = 24
WIDEST_BAR = 28
EIGHTHS = " ▏▎▍▌▋▊▉"
ESTIMATED = "~"
AT_LEAST = "+"


class Entry(Struct, frozen=True):
    """One line of the statement. Units: US dollars."""

    label: str
    usd: Decimal
    style: Style
    estimated: bool = False


def bill_lines(
    money: Money, width: int, title: str = "bill", rest: Entry | None = None
) -> list[Line]:
    """The statement of ``money`` and what is to be said beside it.

    ``rest`` is one more entry that belongs to the total: what the listed tasks do not hold.
    """
    entries = [*_entries(money), *([rest] if rest else [])]
    beside = [*_gaps(money, width), *_unexplained(money, width), *memo_lines(money.memo, width)]
    beside += [*_within_work(money, width), *_reported(money, width)]
    if not money.complete and not any(entry.usd for entry in entries):
        return section(title, [line(f"{INDENT}total{GAP}{UNKNOWN}", "strong"), *beside])
    body = [*_statement(entries, money, width), *_unpaid(money, width), *beside]
    return section(title, body)


def tax_line(money: Money) -> Line:
    """The answer in one line: how much of the bill is boundary tax; empty when nothing was paid."""
    if money.total_usd <= 0:
        return ()
    at_least = "" if money.complete else "at least "
    total = f"{at_least}{mark(usd(money.total_usd), money.basis.get('total'))}"
    if not money.taxes:
        return line(f"boundary tax not observable in {total}", "strong")
    with localcontext(EXACT):
        tax = sum(money.taxes.values(), Decimal(0))
    bases = [money.basis.get(name) for name, paid in money.taxes.items() if paid]
    paid = mark(usd(tax), "estimated" if "estimated" in bases else None)
    return line(f"boundary tax {paid} of {total} ({percent(tax, money.total_usd)})", "strong")


def mark(amount: str, basis: Basis | None) -> str:
    """The amount, with a tilde before it when it is an estimate."""
    return ESTIMATED + amount if basis == "estimated" else amount


def known_cost(shown: str, amount: Decimal | None, complete: bool) -> str:
    """An amount, marked where it is a lower bound; one that holds nothing known is unknown, not 0."""
    if complete:
        return shown
    return shown + AT_LEAST if amount else UNKNOWN


def _entries(money: Money) -> list[Entry]:
    paid = sorted(((tax, amount) for tax, amount in money.taxes.items() if amount), key=_dearest)
    estimated = {account for account, basis in money.basis.items() if basis == "estimated"}
    return [
        Entry("work", money.work_usd, "work", "work" in estimated),
        *(Entry(clean(tax), amount, "tax", tax in estimated) for tax, amount in paid),
        Entry("unexplained", money.unexplained_usd, "unexplained", "unexplained" in estimated),
    ]


def _dearest(item: tuple[str, Decimal]) -> tuple[Decimal, str]:
    return -item[1], item[0]


def _statement(entries: Sequence[Entry], money: Money, width: int) -> list[Line]:
    exact = [entry.usd for entry in entries]
    places = column_places(exact)
    rounded = apportion(exact, places)
    total = mark(usd(sum(rounded, Decimal(0)), places), money.basis.get("total"))
    amounts = [
        mark(_printed(shown, entry.usd, places), "estimated" if entry.estimated else None)
        for shown, entry in zip(rounded, entries, strict=True)
    ]
    percents = shares(exact)
    label = min(WIDEST_LABEL, max(cells(entry.label) for entry in entries))
    amount = max(map(len, [*amounts, total]))
    room = min(WIDEST_BAR, width - len(INDENT) - label - amount - 3 * len(GAP) - len("100.0%"))
    rows = [
        (
            Span(f"{INDENT}{pad(entry.label, label)}{GAP}{text:>{amount}}"),
            Span(f"{GAP}{share:>6}", "faint"),
            Span(f"{GAP}{bar(entry.usd, exact, room)}", entry.style),
        )
        for entry, text, share in zip(entries, amounts, percents, strict=True)
    ]
    return [*rows, *_total(total, amount, label, at_least=not money.complete)]


def _printed(rounded: Decimal, exact: Decimal, places: int) -> str:
    """The rounded amount; what rounds to nothing is printed as less than one step, and counts nothing."""
    return under(places) if exact and not rounded else usd(rounded, places)


def _total(amount: str, width: int, label: int, at_least: bool) -> list[Line]:
    name = "total, at least" if at_least else "total"
    label = max(label, len(name))
    rule = "─" * (label + len(GAP) + width)
    return [
        line(INDENT + rule, "faint"),
        line(f"{INDENT}{pad(name, label)}{GAP}{amount:>{width}}", "strong"),
    ]


def bar(amount: Decimal, parts: Sequence[Decimal], width: int) -> str:
    """A bar of at most ``width`` cells for one part of a whole; anything above nothing shows."""
    sum_usd = sum(parts, Decimal(0))
    if amount <= 0 or sum_usd <= 0 or width < 1:
        return ""
    eighths = max(1, min(width * 8, int(amount * width * 8 / sum_usd)))
    return "█" * (eighths // 8) + EIGHTHS[eighths % 8].strip()


def _unpaid(money: Money, width: int) -> list[Line]:
    unpaid = sorted(clean(tax) for tax, amount in money.taxes.items() if not amount)
    return labelled("nothing paid for:", ", ".join(unpaid), width, "faint") if unpaid else []


def _gaps(money: Money, width: int) -> list[Line]:
    if money.complete:
        return []
    reasons = [
        f"{clean(why)} ({count(calls, 'call')})" if calls else clean(why)
        for why, calls in money.incomplete_reasons.items()
    ]
    told = ", ".join(reasons) or ("" if money.unpriced_calls else "reason unknown")
    unpriced = f"{count(money.unpriced_calls, 'call')} unpriced" if money.unpriced_calls else ""
    both = "; ".join(part for part in (unpriced, told) if part)
    return labelled("not in the total:", both, width)


def _unexplained(money: Money, width: int) -> list[Line]:
    reasons = money.unexplained_reasons.items()
    known = {UNEXPLAINED.get(why, why): amount for why, amount in reasons if amount}
    return labelled("unexplained:", _amounts(known), width, "faint") if known else []


def _within_work(money: Money, width: int) -> list[Line]:
    named = {name.replace("_", " "): amount for name, amount in money.within_work.items() if amount}
    return labelled("in work:", _amounts(named), width, "faint") if named else []


def _reported(money: Money, width: int) -> list[Line]:
    if money.reported_usd is None:
        return []
    said = f"{usd(money.reported_usd)} (the host's own figure, for comparison)"
    return labelled("reported:", said, width, "faint")


def _amounts(amounts: Mapping[str, Decimal | None]) -> str:
    return ", ".join(f"{cut(clean(name), 40)} {usd(amount)}" for name, amount in amounts.items())
