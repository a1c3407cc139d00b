"""The summary: cost per useful task, over root tasks."""

from collections.abc import Iterable
from decimal import Context, Decimal, localcontext

from msgspec import Struct, field

from touchdown.accounting.account import Agreement, NameTotals, Summary, TaskAccount
from touchdown.accounting.agreement import add_agreements
from touchdown.accounting.time.load import HostLoad, add_loads
from touchdown.prices.cost import EXACT

SHOWN = Context(prec=28)
"""Quotients are figures to show: they are rounded, and in no account."""

MOST_NAMES = 1_000
OTHER = "other"
"""Earlier tasks of further names are counted under this one."""

OUTCOMES = ("useful", "useless", "unknown")


class Tally(Struct):
    """Sums over root tasks by group and outcome; what is added needs not be kept. Units: US dollars."""

    _groups: dict[str, dict[str, tuple[int, Decimal]]] = field(default_factory=dict)
    _complete: bool = True
    _agreement: Agreement | None = None
    _load: HostLoad | None = None
    earlier: int = 0
    """Tasks that were added by ``add_earlier``."""

    def add(self, account: TaskAccount, group: str) -> None:
        """Count one root task."""
        self.add_all([(account, group)])

    def add_all(self, found: Iterable[tuple[TaskAccount, str]]) -> None:
        """Count root tasks, each in its group."""
        agreements, loads = [self._agreement], [] if self._load is None else [self._load]
        for account, group in found:
            sums = self._groups.setdefault(group, {})
            tasks, usd = sums.get(account.task.outcome, (0, Decimal(0)))
            sums[account.task.outcome] = tasks + 1, EXACT.add(usd, account.money.total_usd)
            self._complete = self._complete and account.money.complete
            agreements.append(account.cache.agreement)
            if account.time.load is not None:
                loads.append(account.time.load)
        self._agreement, self._load = add_agreements(agreements), add_loads(loads)

    def add_earlier(self, account: TaskAccount) -> None:
        """Count a root task by its name; it is held nowhere else from here on."""
        name = account.task.name
        self.add(account, name if name in self._groups or len(self._groups) < MOST_NAMES else OTHER)
        self.earlier += 1

    def summary(self, beside: "Tally | None" = None) -> Summary:
        """What all of it comes to, together with what was counted ``beside``."""
        parts = [self] if beside is None else [self, beside]
        agreement = add_agreements(part._agreement for part in parts)
        load = add_loads(part._load for part in parts if part._load is not None)
        names = sorted({name for part in parts for name in part._groups})
        groups = {name: _merged(part._groups.get(name, {}) for part in parts) for name in names}
        whole = _merged(groups.values())
        with localcontext(SHOWN):
            return _summary(
                whole,
                groups,
                complete=all(part._complete for part in parts),
                agreement=agreement,
                load=load,
                earlier=sum(part.earlier for part in parts),
            )


_Sums = dict[str, tuple[int, Decimal]]


def summarize(
    accounts: Iterable[TaskAccount], by: str = "name", earlier: Tally | None = None
) -> Summary:
    """All root tasks among ``accounts``, grouped by name, or by a tag's value with ``by="tag:team"``.

    A task whose parent is among the accounts is counted in its parent. ``earlier`` are tasks whose accounts
    are not held any more.
    """
    given = list(accounts)
    known = {account.task.id for account in given}
    tally = Tally()
    tally.add_all((a, _group_of(a, by)) for a in given if a.task.parent_id not in known)
    return tally.summary(earlier)


def _merged(parts: Iterable[_Sums]) -> _Sums:
    found: _Sums = dict.fromkeys(OUTCOMES, (0, Decimal(0)))
    for part in parts:
        for outcome, (tasks, usd) in part.items():
            had, before = found.get(outcome, (0, Decimal(0)))
            found[outcome] = had + tasks, EXACT.add(before, usd)
    return found


def _summary(
    whole: _Sums,
    groups: dict[str, _Sums],
    *,
    complete: bool,
    agreement: Agreement | None,
    load: HostLoad | None,
    earlier: int,
) -> Summary:
    (useful, won), (useless, wasted), (unknown, open_usd) = (whole[name] for name in OUTCOMES)
    total, settled = won + wasted + open_usd, won + wasted
    return Summary(
        tasks=useful + useless + unknown,
        useful=useful,
        useless=useless,
        unknown=unknown,
        total_usd=total,
        complete=complete,
        cost_per_useful_task_usd=_quotient(settled, useful),
        low_usd=_quotient(total, useful + unknown),
        high_usd=_quotient(total, useful),
        known_share=settled / total if total else None,
        spent_on_useless_usd=wasted,
        agreement=agreement,
        load=load,
        by_name={name: _name_totals(sums) for name, sums in groups.items()},
        earlier=earlier,
    )


def _name_totals(sums: _Sums) -> NameTotals:
    (useful, won), (_, wasted) = sums["useful"], sums["useless"]
    tasks = sum(count for count, _ in sums.values())
    total = sum((usd for _, usd in sums.values()), Decimal(0))
    return NameTotals(tasks, useful, total, _quotient(won + wasted, useful), wasted)


def _group_of(account: TaskAccount, by: str) -> str:
    if by.startswith("tag:"):
        return account.task.tags.get(by.removeprefix("tag:"), "")
    return account.task.name


def _quotient(usd: Decimal, tasks: int) -> Decimal | None:
    return usd / tasks if tasks else None
