"""Cost per useful task: known outcomes, bounds with the unknown ones, root tasks only."""

from decimal import Decimal

from touchdown.accounting.account import Money, NameTotals, TaskAccount
from touchdown.accounting.summary import summarize
from touchdown.records import TaskRecord
from touchdown.records.task import Outcome


def account(
    name: str, usd: str, outcome: Outcome = "unknown", parent: str = "", team: str = ""
) -> TaskAccount:
    task = TaskRecord(
        f"{name}-{usd}", name, 0, 1, parent, outcome=outcome, tags={"team": team} if team else {}
    )
    return TaskAccount(task, money=Money(total_usd=Decimal(usd), complete=name != "partly"))


FOUR = [
    account("fix", "1.00", "useful", team="a"),
    account("fix", "3.00", "useless", team="b"),
    account("fix", "2.00", team="a"),
    account("write", "4.00", "useful"),
]


def test_the_cost_of_a_useful_task_and_its_bounds() -> None:
    summary = summarize(FOUR)

    assert (summary.tasks, summary.useful, summary.useless, summary.unknown) == (4, 2, 1, 1)
    assert summary.total_usd == Decimal("10.00")
    assert summary.cost_per_useful_task_usd == Decimal("4.00")
    assert summary.low_usd is not None
    assert round(summary.low_usd, 6) == Decimal("3.333333")
    assert summary.high_usd == Decimal("5.00")
    assert summary.known_share == Decimal("0.8")
    assert summary.spent_on_useless_usd == Decimal("3.00")
    assert summary.by_name == {
        "fix": NameTotals(3, 1, Decimal("6.00"), Decimal("4.00"), Decimal("3.00")),
        "write": NameTotals(1, 1, Decimal("4.00"), Decimal("4.00")),
    }


def test_without_a_useful_task_there_is_no_cost_of_one() -> None:
    summary = summarize([account("fix", "3.00", "useless"), account("fix", "1.00")])

    assert summary.cost_per_useful_task_usd is None
    assert (summary.low_usd, summary.high_usd) == (Decimal("4.00"), None)
    assert summarize([]).known_share is None
    assert summarize([account("free", "0", "useful")]).cost_per_useful_task_usd == 0


def test_child_tasks_are_counted_in_their_parent() -> None:
    root = account("fix", "5.00", "useful")
    child = account("part", "2.00", "useful", parent=root.task.id)
    orphan = account("part", "1.00", "useful", parent="another process")

    assert summarize([root, child]).total_usd == Decimal("5.00")
    assert summarize([root, child, orphan]).tasks == 2


def test_tasks_can_be_grouped_by_a_tag() -> None:
    by_team = summarize(FOUR, by="tag:team").by_name

    assert {team: totals.tasks for team, totals in by_team.items()} == {"": 1, "a": 2, "b": 1}


def test_one_incomplete_account_makes_the_sum_a_lower_bound() -> None:
    assert summarize(FOUR).complete
    assert not summarize([*FOUR, account("partly", "1.00")]).complete
