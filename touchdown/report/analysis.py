"""The analysis of recorded sessions: where the money went, what to mend, and the view that was asked for."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct, field
from msgspec.structs import replace

from touchdown.accounting.account import Comparison, Summary, TaskAccount
from touchdown.accounting.merging import add_models, add_money
from touchdown.accounting.summary import summarize
from touchdown.report.analysis_tables import comparison_lines, name_lines, row_lines
from touchdown.report.bill import bill_lines, tax_line
from touchdown.report.findings import finding_lines
from touchdown.report.format import count
from touchdown.report.layout import EMPTY, WIDTH, Line, crop, labelled, line, paragraph
from touchdown.report.notes import mark_notes, note_lines
from touchdown.report.overview import headline_lines
from touchdown.report.receipt import Receipt
from touchdown.report.render import Statement, as_html, plain
from touchdown.report.tables import model_lines
from touchdown.report.text import clean, cut
from touchdown.report.together import top_findings

if TYPE_CHECKING:
    from touchdown.report.model import Report

LIST_PRICES = "amounts are API list prices; what a subscription bills is not known"
MOST_NOTES = 6


class Analysis(Struct, frozen=True):
    """What was found in recorded sessions.

    ``accounts`` are the sessions' (or turns'); ``groups`` the rows of a view that is not made of them, each
    under its key, with how many accounts fall into it in ``sizes``.
    """

    accounts: Sequence[TaskAccount]
    view: str = "session"
    groups: Sequence[TaskAccount] = ()
    sizes: Mapping[str, int] = field(default_factory=dict)
    comparisons: Sequence[Comparison] = ()
    sources: Sequence[str] = ()
    notes: Sequence[str] = ()
    problems: Sequence[str] = ()
    period: str = ""
    in_order: bool = False
    """Rows stand in the order of their names, not by cost."""
    most_rows: int = 20


class AnalysisView:
    """An analysis to look at: plain text, rich, HTML, or the JSON envelope by ``report()``."""

    def __init__(self, analysis: Analysis) -> None:
        self.analysis = analysis
        self.summary: Summary = summarize(analysis.accounts)

    def report(self) -> "Report":
        """The envelope ``touchdown.report/1`` with every task, and the view's rows beside them."""
        from touchdown.report.analysis_build import build_analysis

        return build_analysis(self.analysis, self.summary)

    def __str__(self) -> str:
        return plain(self._lines(WIDTH))

    def __repr__(self) -> str:
        return f"<AnalysisView of {count(len(self.analysis.accounts), 'account')}>"

    def __rich__(self) -> Statement:
        return Statement(self._lines)

    def _repr_html_(self) -> str:
        return as_html(self._lines(WIDTH))

    def _lines(self, width: int) -> list[Line]:
        found = self.analysis
        alone = len(found.accounts) == 1 and not found.groups and found.view == "session"
        body = [*_header(found, width)]
        if alone:
            body += [EMPTY, *Receipt(found.accounts[0]).lines(width)]
        else:
            body += self._together(width)
        body += comparison_lines(found, width)
        if not alone:
            body += _notes(found, body, width)
        return [crop(part, width) for part in body]

    def _together(self, width: int) -> list[Line]:
        found = self.analysis
        bills = [account.money for account in found.accounts]
        money = add_money(bills)
        models = add_models(used for account in found.accounts for used in account.models)
        judged = self.summary.useful or self.summary.useless
        return [
            *([EMPTY, *headline_lines(self.summary, width)] if judged else []),
            *(name_lines(self.summary, width) if judged else []),
            *bill_lines(money, width, "where it went"),
            *finding_lines(top_findings(found.accounts), width),
            *row_lines(found, width),
            *(model_lines(models, width) if found.view != "model" else []),
        ]


def _header(found: Analysis, width: int) -> list[Line]:
    folded = [account for account in found.accounts if account.policies]
    outside = len(found.accounts) - len(folded)
    parts = [
        count(len(folded), "turn" if found.view == "turn" else "session"),
        count(sum(account.model_calls for account in folded), "model call"),
        found.period,
        f"{count(outside, 'task')} known by outcome only" if outside else "",
    ]
    lines = [line(cut(" · ".join(part for part in parts if part), width), "strong")]
    verdict = tax_line(add_money(account.money for account in found.accounts))
    if verdict and len(found.accounts) != 1:
        lines.append(verdict)
    lines += paragraph(LIST_PRICES, width, "faint", indent="")
    if found.sources:
        lines += labelled("read:", ", ".join(map(clean, found.sources)), width, "faint")
    for note in found.notes[:MOST_NOTES]:
        lines += labelled("note:", clean(note), width, "faint")
    return lines


def _notes(found: Analysis, body: list[Line], width: int) -> list[Line]:
    if any(account.policies for account in found.accounts):
        return note_lines(_small_print(found.accounts), body, width, {})
    marks = mark_notes(body, width)
    return [EMPTY, *marks] if marks else []


def _small_print(accounts: Sequence[TaskAccount]) -> TaskAccount:
    """An account with what holds for all: taxes that none of them could observe, and every policy."""
    first, *others = [account for account in accounts if account.policies]
    hidden = {
        tax: reason
        for tax, reason in first.not_observable.items()
        if all(tax in other.not_observable for other in others)
    }
    taxes = {tax: usd for other in others for tax, usd in other.money.taxes.items()}
    return replace(
        first,
        not_observable=hidden,
        money=replace(first.money, taxes={**taxes, **first.money.taxes}),
        policies={name: v for account in accounts for name, v in account.policies.items()},
        dropped_records=sum(account.dropped_records for account in accounts),
    )
