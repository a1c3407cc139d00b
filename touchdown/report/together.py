"""Findings of many tasks as one list: the same mend is told once, with what it saves in all."""

from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal, localcontext

from msgspec.structs import replace

from touchdown.accounting.account import Finding, TaskAccount
from touchdown.report.format import EXACT, count
from touchdown.report.text import clean, cut

LONGEST_NAME = 32

_Paid = tuple[TaskAccount, Finding]


def top_findings(accounts: Sequence[TaskAccount]) -> list[Finding]:
    """The findings of all accounts; those with one tax and one mend are added up."""
    groups: defaultdict[tuple[str, str], list[_Paid]] = defaultdict(list)
    for account in accounts:
        for finding in account.findings:
            groups[finding.tax, finding.fix].append((account, finding))
    with localcontext(EXACT):
        return [_together(found) for found in groups.values()]


def _together(found: list[_Paid]) -> Finding:
    account, worst = max(found, key=lambda paid: paid[1].usd or Decimal(0))
    name = cut(clean(account.task.name), LONGEST_NAME)
    if len(found) == 1:
        return replace(worst, why=f"{worst.why} (in {name!r})") if name else worst
    tasks = len({paid.task.id for paid, _ in found})
    basis = "estimated" if any(f.basis == "estimated" for _, f in found) else worst.basis
    return replace(
        worst,
        usd=_usd([finding.usd for _, finding in found]),
        saves_usd=_usd([finding.saves_usd for _, finding in found]),
        tokens=sum(finding.tokens or 0 for _, finding in found) or None,
        seconds=sum(finding.seconds or 0.0 for _, finding in found) or None,
        spans=(),
        basis=basis,
        why=f"in {count(tasks, 'session')}, most in {name!r}: {worst.why}",
    )


def _usd(amounts: list[Decimal | None]) -> Decimal | None:
    known = [amount for amount in amounts if amount is not None]
    return sum(known, Decimal(0)) if known else None
