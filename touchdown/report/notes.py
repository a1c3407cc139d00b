"""The small print: what could not be observed, by which prices and policies, and how to read a figure."""

import re
from collections.abc import Mapping

from touchdown.accounting.account import TaskAccount
from touchdown.report.bill import AT_LEAST, ESTIMATED
from touchdown.report.format import count
from touchdown.report.layout import EMPTY, Line, labelled
from touchdown.report.text import clean
from touchdown.runtime.losses import in_words

ESTIMATE = re.compile(rf"{ESTIMATED}[$\d]")
"""An amount of money or time that is marked as an estimate."""

BOUND = re.compile(rf"\d{re.escape(AT_LEAST)}(\s|$)")
"""An amount that is marked as a lower bound."""

MOST_TAXES = 3
MOST_POLICY_LINES = 12


def note_lines(
    account: TaskAccount, body: list[Line], width: int, lost_by_process: Mapping[str, int]
) -> list[Line]:
    """The notes under a receipt; ``body`` is what stands above them."""
    notes: list[Line] = []
    if account.dropped_records:
        lost = f"{count(account.dropped_records, 'record')}: the figures above are lower bounds"
        notes += labelled("dropped:", lost, width, "bad")
    if lost_by_process:
        told = "; ".join(in_words(lost_by_process))
        notes += labelled("lost by this process so far:", told, width, "bad")
    notes += labelled("not observable:", _reasons(account.not_observable), width, "faint")
    if account.policies:
        named = "; ".join(f"{clean(name)} {clean(v)}" for name, v in account.policies.items())
        notes += labelled("prices and policies:", named, width, "faint", most=MOST_POLICY_LINES)
    return [EMPTY, *notes, *mark_notes(body, width)]


def mark_notes(body: list[Line], width: int) -> list[Line]:
    """What the marks at amounts mean, each where one was printed."""
    spans = [span.text for content in body for span in content]
    notes: list[Line] = []
    if any(map(BOUND.search, spans)):
        notes += labelled(AT_LEAST, "at least: some of it could not be priced", width, "faint")
    if any(map(ESTIMATE.search, spans)):
        told = "estimated by a stated policy or model; other amounts are exact arithmetic"
        notes += labelled(ESTIMATED, told, width, "faint")
    return notes


def _reasons(reasons: Mapping[str, str]) -> str:
    by_reason: dict[str, list[str]] = {}
    for tax, reason in reasons.items():
        by_reason.setdefault(clean(reason), []).append(clean(tax))
    return "; ".join(f"{_few(taxes)} ({reason})" for reason, taxes in by_reason.items())


def _few(taxes: list[str]) -> str:
    left = len(taxes) - MOST_TAXES
    named = ", ".join(taxes[:MOST_TAXES])
    return f"{named} and {left} more" if left > 0 else named
