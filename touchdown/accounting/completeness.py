"""Completeness: an account says which of its records are missing, and where another ledger differs."""

from collections.abc import Iterable
from decimal import Decimal

from msgspec.structs import replace

from touchdown.accounting.account import TaskAccount
from touchdown.accounting.settled import figures_of, is_money
from touchdown.records import Gap, Settled

LOST = "lost before they were read"


def with_gaps(account: TaskAccount, gaps: Iterable[Gap]) -> TaskAccount:
    """The account with its gaps named: its total is a lower bound."""
    reasons = dict(account.money.incomplete_reasons)
    for gap in sorted(gaps, key=lambda gap: (gap.reason, gap.task_id)):
        reasons[gap.reason] = reasons.get(gap.reason, 0) + gap.records
    if len(reasons) == len(account.money.incomplete_reasons):
        return account
    money = replace(account.money, complete=False, incomplete_reasons=dict(sorted(reasons.items())))
    return replace(account, money=money)


def with_dropped(account: TaskAccount, dropped: int) -> TaskAccount:
    """The account with the number of its records that were lost before they could be counted."""
    said = with_gaps(account, [Gap(account.task.id, LOST, dropped)])
    return replace(said, dropped_records=dropped)


def compared(account: TaskAccount, settled: Settled, gaps: bool) -> TaskAccount:
    """The account held against what the task came to live; ``gaps``: some of its records are missing.

    Other figures make it incomplete, with the reason. An amount may differ where the price book is
    another one: the memo ``settled_usd`` then has the total of that time.
    """
    found, told = figures_of(account), settled.figures
    repriced = told.get("prices") != found.get("prices")
    differing = [
        name
        for name, value in told.items()
        if name not in ("prices", "complete", "dropped records")
        and not (repriced and is_money(name))
        and value != found.get(name)
    ]
    dropped = told.get("dropped records")
    if isinstance(dropped, int):
        account = with_dropped(account, dropped)
    elif told.get("complete") is False and account.money.complete:
        account = _say(account, "incomplete when it was settled")
    if differing and not gaps:
        named = "; ".join(f"{name} {told[name]}, here {found.get(name)}" for name in differing[:3])
        account = _say(account, f"settled otherwise: {named}")
    total = told.get("total")
    if total == found["total"] or not isinstance(total, (int, float)):
        return account
    memo = {**account.money.memo, "settled_usd": Decimal(str(total))}
    return replace(account, money=replace(account.money, memo=memo))


UNMOVED = frozenset(
    {"model calls", "tool calls", "agents", "output", "reasoning", "wall time"}
    | {"prices", "complete", "unpriced calls", "dropped records"}
)
"""Figures that stay what they are when an engine's word of a call comes later."""


def without_engines(settled: Settled) -> Settled:
    """Of what a task came to live, what does not hang on engines: those were heard after it was told."""
    figures = {name: value for name, value in settled.figures.items() if name in UNMOVED}
    return Settled(settled.task_id, figures)


def _say(account: TaskAccount, reason: str) -> TaskAccount:
    return with_gaps(account, [Gap(account.task.id, reason)])
