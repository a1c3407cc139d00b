"""The tables of an analysis: the rows of its view, the sources' own totals, and outcomes by name."""

from collections.abc import Sequence
from decimal import Decimal, localcontext
from typing import Protocol

from touchdown.accounting.account import Comparison, Money, Summary, TaskAccount
from touchdown.report.bill import known_cost, mark
from touchdown.report.format import EXACT, column_places, count, percent, short, usd
from touchdown.report.layout import INDENT, Line, labelled, line, table
from touchdown.report.text import clean
from touchdown.report.usage import hit_share, input_tokens

MOST_COMPARED = 8
NO_OWN_CALL = "without a model call of its own: no usage in it, or all of it is counted in another"

TITLES = {
    "session": "dearest sessions",
    "turn": "dearest turns",
    "day": "by day",
    "week": "by week, from Monday",
    "month": "by month",
    "model": "by model",
    "project": "by project",
    "5h": "by 5 hours, from",
}


class Rows(Protocol):
    """What of an analysis the tables show."""

    @property
    def accounts(self) -> Sequence[TaskAccount]: ...
    @property
    def view(self) -> str: ...
    @property
    def groups(self) -> Sequence[TaskAccount]: ...
    @property
    def in_order(self) -> bool: ...
    @property
    def most_rows(self) -> int: ...
    @property
    def comparisons(self) -> Sequence[Comparison]: ...


def row_lines(found: Rows, width: int) -> list[Line]:
    """One row per group, or per session where there are none: calls, input, share read, tax, cost."""
    folded = found.groups or [account for account in found.accounts if account.policies]
    called = [account for account in folded if account.model_calls] or folded
    ranked = sorted(called, key=_by_name if found.in_order else _by_cost)
    left = max(len(ranked) - found.most_rows, 0)
    shown = ranked[left:] if found.in_order else ranked[: found.most_rows]
    places = column_places([account.money.total_usd for account in shown])
    rows = [
        (
            clean(account.task.name) or "(unnamed)",
            count(account.model_calls),
            short(input_tokens(account.usage)),
            hit_share(account.usage),
            short(account.usage.output),
            _tax(account.money),
            _cost(account.money, places),
        )
        for account in shown
    ]
    title = TITLES.get(found.view, found.view)
    body = table((title, "calls", "input", "cached", "output", "tax", "cost"), rows, width)
    if left:
        which = "earlier row" if found.in_order else "cheaper row"
        body.append(line(f"{INDENT}and {count(left, which)} (--limit 0 shows all)", "faint"))
    if idle := len(folded) - len(called):
        body += labelled("and", f"{count(idle, found.view)} {NO_OWN_CALL}", width, "faint")
    return body


def comparison_lines(found: Rows, width: int) -> list[Line]:
    """The totals that the sources carry, ours, and why they differ."""
    if not found.comparisons:
        return []
    with localcontext(EXACT):
        ranked = sorted(found.comparisons, key=lambda c: (-abs(c.residual_usd), c.task_id))
        shown = ranked[:MOST_COMPARED]
        names = {account.task.id: account.task.name for account in found.accounts}
        rows = [
            (
                clean(names.get(c.task_id) or c.task_id),
                usd(c.reported_usd),
                known_cost(usd(c.total_usd), c.total_usd, c.complete),
                _residual(c),
            )
            for c in shown
        ]
    body = table(("the source's own total", "reported", "here", "residual"), rows, width)
    why = dict.fromkeys(reason for c in shown for reason in c.why)
    for reason in list(why)[:MOST_COMPARED]:
        body += labelled("why:", clean(reason), width, "faint")
    left = len(ranked) - len(shown)
    return [*body, *([line(f"{INDENT}and {left:,} more", "faint")] if left else [])]


def name_lines(summary: Summary, width: int) -> list[Line]:
    """Outcomes by name, where several tasks bear one."""
    several = [(name, t) for name, t in summary.by_name.items() if t.tasks > 1]
    several.sort(key=lambda item: (-item[1].total_usd, item[0]))
    places = column_places([totals.total_usd for _, totals in several])
    rows = [
        (
            clean(name) or "(unnamed)",
            count(totals.tasks),
            count(totals.useful),
            usd(totals.total_usd, places),
            percent(totals.spent_on_useless_usd, totals.total_usd),
            usd(totals.cost_per_useful_task_usd, places) if totals.useful else "-",
        )
        for name, totals in several[:MOST_COMPARED]
    ]
    head = ("by name", "tasks", "useful", "cost", "on useless", "per useful task")
    return table(head, rows, width)


def _residual(compared: Comparison) -> str:
    """What the source counts more. Its floats carry noise: what is told as equal has no digits."""
    if not compared.complete and not compared.total_usd:
        return "unknown"
    return usd(compared.residual_usd) if compared.why or not compared.residual_usd else "~$0"


def _by_cost(account: TaskAccount) -> tuple[Decimal, int, str]:
    return -account.money.total_usd, account.task.started_at_ns, account.task.id


def _by_name(account: TaskAccount) -> str:
    return account.task.name


def _tax(money: Money) -> str:
    if not money.taxes:
        return "-"
    with localcontext(EXACT):
        paid = sum(money.taxes.values(), Decimal(0))
    return percent(paid, money.total_usd) if money.total_usd > 0 else "-"


def _cost(money: Money, places: int) -> str:
    shown = mark(usd(money.total_usd, places), money.basis.get("total"))
    return known_cost(shown, money.total_usd, money.complete)
