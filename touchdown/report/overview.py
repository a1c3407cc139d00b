"""The summary: what a useful task costs, over all tasks so far and by name."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec.structs import replace

from touchdown.accounting.account import Summary, TaskAccount
from touchdown.accounting.merging import add_money
from touchdown.report.agreement import agreement_lines
from touchdown.report.bill import Entry, bill_lines
from touchdown.report.format import column_places, count, percent, usd
from touchdown.report.layout import (
    EMPTY,
    INDENT,
    WIDTH,
    Line,
    Span,
    crop,
    labelled,
    line,
    table,
    two_ends,
)
from touchdown.report.notes import mark_notes
from touchdown.report.render import Statement, as_html, plain
from touchdown.report.text import clean
from touchdown.report.timing import load_lines
from touchdown.runtime.losses import in_words

if TYPE_CHECKING:
    from touchdown.report.model import Report

MOST_NAMES = 20


class SummaryView:
    """All root tasks so far: cost per useful task, its bounds, where the money went, and by name."""

    def __init__(
        self,
        summary: Summary,
        accounts: Sequence[TaskAccount] = (),
        lost: Mapping[str, int] | None = None,
        lost_beside: Sequence[str] = (),
    ) -> None:
        self.summary = summary
        self.accounts = tuple(accounts)
        self.lost = dict(lost or {})
        """What this process lost so far, by kind."""
        self._lost_words = [*in_words(self.lost), *lost_beside]

    def report(self) -> "Report":
        """The envelope ``touchdown.report/1`` with every task given."""
        from touchdown.report.build import build_report

        return build_report(self.accounts, self.summary, self.lost)

    def __str__(self) -> str:
        return plain(self._lines(WIDTH))

    def __repr__(self) -> str:
        return f"<SummaryView of {count(self.summary.tasks, 'task')}>"

    def __rich__(self) -> Statement:
        return Statement(self._lines)

    def _repr_html_(self) -> str:
        return as_html(self._lines(WIDTH))

    def _lines(self, width: int) -> list[Line]:
        body = [
            *headline_lines(self.summary, width),
            *_where(self.summary, self.accounts, width),
            *agreement_lines(self.summary.agreement, width),
            *_names(self.summary, width),
            *_load(self.summary, width),
            *_pools(self.summary, width),
            *(
                [EMPTY, *labelled("lost:", "; ".join(self._lost_words), width, "bad")]
                if self.lost
                else []
            ),
        ]
        return [crop(part, width) for part in [*body, *_note(body, width)]]


def _note(body: list[Line], width: int) -> list[Line]:
    note = mark_notes(body, width)
    return [EMPTY, *note] if note else []


def headline_lines(summary: Summary, width: int) -> list[Line]:
    """Cost per useful task, its bounds, and what useless tasks cost."""
    cost = summary.cost_per_useful_task_usd
    figure = usd(cost) if summary.useful else "no useful task yet"
    if cost is not None and not summary.complete:
        figure = f"at least {figure}"
    outcomes = (
        f"{summary.useful:,} useful, {summary.useless:,} useless, {summary.unknown:,} unknown"
    )
    at_least = "" if summary.complete else "at least "
    lines = [
        two_ends(Span("cost per useful task", "strong"), Span(figure, "strong"), width),
        line(
            f"{count(summary.tasks, 'task')}: {outcomes} · {at_least}{usd(summary.total_usd)} in all"
        ),
    ]
    if summary.earlier:
        older = (
            f"{count(summary.earlier, 'earlier task')}, in all figures here and no longer listed"
        )
        lines += labelled("sums only:", older, width)
    if summary.unknown:
        lines += _bounds(summary, width)
    if summary.spent_on_useless_usd:
        lines += labelled("spent on useless tasks:", usd(summary.spent_on_useless_usd), width)
    return lines


def _bounds(summary: Summary, width: int) -> list[Line]:
    low, high = usd(summary.low_usd), usd(summary.high_usd)
    between = f"{low} if every unknown outcome was useful, {high} if none was"
    lines = labelled("bounds:", between, width)
    if summary.known_share is not None:
        known = f"{percent(summary.known_share, 1)} of the cost"
        lines += labelled("outcome known for", known, width)
    return lines


def _where(summary: Summary, accounts: Sequence[TaskAccount], width: int) -> list[Line]:
    ids = {account.task.id for account in accounts}
    roots = [account.money for account in accounts if account.task.parent_id not in ids]
    if not roots:
        return []
    money = add_money(roots)
    money = replace(money, complete=summary.complete and money.complete)
    missing = summary.total_usd - money.total_usd
    rest = Entry("tasks no longer held", missing, "unexplained") if missing > 0 else None
    return bill_lines(money, width, "where it went", rest)


def _load(summary: Summary, width: int) -> list[Line]:
    lines = load_lines(summary.load, width)
    return [EMPTY, *lines] if lines else []


def _pools(summary: Summary, width: int) -> list[Line]:
    told = [clean(str(bill)) for bill in summary.pools]
    return [EMPTY, *labelled("your hardware:", "; ".join(told), width, "faint")] if told else []


def _names(summary: Summary, width: int) -> list[Line]:
    ranked = sorted(summary.by_name.items(), key=lambda item: (-item[1].total_usd, item[0]))
    shown = ranked[:MOST_NAMES]
    places = column_places([totals.total_usd for _, totals in shown])
    rows = [
        (
            clean(name) or "(unnamed)",
            count(totals.tasks),
            count(totals.useful),
            usd(totals.total_usd, places),
            "-" if not totals.useful else usd(totals.cost_per_useful_task_usd, places),
        )
        for name, totals in shown
    ]
    body = table(("by name", "tasks", "useful", "cost", "per useful task"), rows, width)
    left = len(ranked) - len(shown)
    more = [line(f"{INDENT}and {count(left, 'name')} more", "faint")] if left > 0 else []
    return [*body, *more]
