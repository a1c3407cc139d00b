"""The summary: cost per useful task, over root tasks."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from decimal import Context, Decimal, localcontext

from touchdown.accounting.account import NameTotals, Summary, TaskAccount
from touchdown.accounting.agreement import add_agreements
from touchdown.accounting.time.load import add_loads

SHOWN = Context(prec=28)
"""Quotients are figures to show: they are rounded, and in no account."""


def summarize(accounts: Iterable[TaskAccount], by: str = "name") -> Summary:
    """All root tasks among ``accounts``, grouped by name, or by a tag's value with ``by="tag:team"``.

    A task whose parent is among the accounts is counted in its parent.
    """
    given = list(accounts)
    known = {account.task.id for account in given}
    roots = [account for account in given if account.task.parent_id not in known]
    with localcontext(SHOWN):
        return _summary(roots, by)


def _summary(roots: Sequence[TaskAccount], by: str) -> Summary:
    groups: defaultdict[str, list[TaskAccount]] = defaultdict(list)
    for account in roots:
        groups[_group_of(account, by)].append(account)
    useful, useless, unknown = (_with(roots, o) for o in ("useful", "useless", "unknown"))
    total, settled = _total(roots), _total(useful) + _total(useless)
    return Summary(
        tasks=len(roots),
        useful=len(useful),
        useless=len(useless),
        unknown=len(unknown),
        total_usd=total,
        complete=all(account.money.complete for account in roots),
        cost_per_useful_task_usd=_quotient(settled, len(useful)),
        low_usd=_quotient(total, len(useful) + len(unknown)),
        high_usd=_quotient(total, len(useful)),
        known_share=settled / total if total else None,
        spent_on_useless_usd=_total(useless),
        agreement=add_agreements(account.cache.agreement for account in roots),
        load=add_loads(account.time.load for account in roots if account.time.load is not None),
        by_name={name: _name_totals(found) for name, found in sorted(groups.items())},
    )


def _name_totals(accounts: Sequence[TaskAccount]) -> NameTotals:
    useful = _with(accounts, "useful")
    wasted = _total(_with(accounts, "useless"))
    cost = _quotient(_total(useful) + wasted, len(useful))
    return NameTotals(len(accounts), len(useful), _total(accounts), cost, wasted)


def _group_of(account: TaskAccount, by: str) -> str:
    if by.startswith("tag:"):
        return account.task.tags.get(by.removeprefix("tag:"), "")
    return account.task.name


def _with(accounts: Iterable[TaskAccount], outcome: str) -> list[TaskAccount]:
    return [account for account in accounts if account.task.outcome == outcome]


def _total(accounts: Iterable[TaskAccount]) -> Decimal:
    return sum((account.money.total_usd for account in accounts), Decimal(0))


def _quotient(usd: Decimal, tasks: int) -> Decimal | None:
    return usd / tasks if tasks else None
