"""The receipt: the bill of one task as a person reads it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from touchdown.accounting.account import TaskAccount
from touchdown.report.bill import bill_lines, tax_line
from touchdown.report.findings import finding_lines
from touchdown.report.format import UNKNOWN, count, duration
from touchdown.report.layout import WIDTH, Line, Span, Style, crop, line, paragraph, two_ends
from touchdown.report.notes import note_lines
from touchdown.report.render import Statement, as_html, plain
from touchdown.report.tables import agent_lines, model_lines, tool_lines
from touchdown.report.text import clean, cut
from touchdown.report.timing import time_lines
from touchdown.report.usage import token_lines

if TYPE_CHECKING:
    from touchdown.report.model import Report

OUTCOME_STYLES: dict[str, Style] = {"useful": "good", "useless": "bad"}


class Receipt:
    """The bill of one task, split: printed as plain text, shown in colour by rich and notebooks.

    ``str()`` takes at most 80 columns and never has colour; ``report()`` is the same as JSON.
    """

    def __init__(self, account: TaskAccount, lost: Mapping[str, int] | None = None) -> None:
        self.account = account
        self.lost = dict(lost or {})
        """What the process lost so far that may be of this task, by kind."""

    def report(self) -> "Report":
        """The envelope ``touchdown.report/1`` with this one task."""
        from touchdown.report.build import build_report, summary_of

        return build_report([self.account], summary_of(self.account), self.lost)

    def __str__(self) -> str:
        return plain(self.lines(WIDTH))

    def __repr__(self) -> str:
        task = self.account.task
        return f"<Receipt of {task.name!r}: {task.outcome}, {self.account.money.total_usd} USD>"

    def __rich__(self) -> Statement:
        return Statement(self.lines)

    def _repr_html_(self) -> str:
        return as_html(self.lines(WIDTH))

    def lines(self, width: int) -> list[Line]:
        """Its styled lines for a width in cells."""
        account = self.account
        body = [
            *_header(account, width),
            *bill_lines(account.money, width),
            *time_lines(account.time, width),
            *finding_lines(account.findings, width),
            *token_lines(account, width),
            *model_lines(account.models, width),
            *agent_lines(account.agent_runs, width),
            *tool_lines(account.tools, width),
        ]
        notes = note_lines(account, body, width, self.lost)
        return [crop(part, width) for part in [*body, *notes]]


def _header(account: TaskAccount, width: int) -> list[Line]:
    task = account.task
    name = clean(task.name) or "(unnamed task)"
    outcome = f"outcome {UNKNOWN}" if task.outcome == UNKNOWN else task.outcome
    if account.open:
        outcome = "still open"
    lines = [
        two_ends(Span(name, "strong"), Span(outcome, OUTCOME_STYLES.get(outcome, "faint")), width)
    ]
    if task.outcome_reason:
        lines += paragraph(clean(task.outcome_reason), width, "faint", most=2, indent="")
    if task.error_type:
        lines.append(line(cut(f"ended by {clean(task.error_type)}", width), "bad"))
    if task.implicit:
        lines.append(line("calls made outside any task()", "faint"))
    wall = duration(account.wall_s) + (" so far" if account.open else "")
    return [
        *lines,
        line(cut(" · ".join([wall, *_counts(account)]), width)),
        *_troubles(account, width),
        *_verdict(account),
    ]


def _verdict(account: TaskAccount) -> list[Line]:
    verdict = tax_line(account.money)
    return [verdict] if verdict else []


def _counts(account: TaskAccount) -> list[str]:
    return [
        count(account.model_calls, "model call"),
        count(account.tool_calls, "tool call"),
        count(account.agents, "agent"),
    ]


def _troubles(account: TaskAccount, width: int) -> list[Line]:
    troubles = []
    if account.failed_calls:
        troubles.append(f"{count(account.failed_calls, 'model call')} failed")
    if account.refused_calls:
        troubles.append(f"{count(account.refused_calls, 'call')} refused by the budget")
    if account.attempts_retried:
        slept = (
            f", {duration(account.retry_backoff_s)} of back-off" if account.retry_backoff_s else ""
        )
        troubles.append(
            f"{count(account.attempts_retried, 'attempt')} failed and sent again{slept}"
        )
    return [line(cut(" · ".join(troubles), width), "bad")] if troubles else []
