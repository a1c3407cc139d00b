"""Memos: beside the bill, never in it; only with what each needs."""

from decimal import Decimal

import pytest

from tests.accounting.build import (
    HAIKU,
    MILLION,
    OPUS,
    RATES,
    SECOND,
    SYSTEM,
    TOOLS,
    FixedPrices,
    call,
    rates,
    seg,
    usage,
    usd,
)
from touchdown.accounting.account import TaskAccount
from touchdown.accounting.ledger import refold
from touchdown.accounting.policies import OversizedModel, Policies, read_policies
from touchdown.records import Record, TaskRecord

EASY = call("c1", 0, [TOOLS, SYSTEM, seg("a")], usage(1000, 0, 100))
HARD = call("c2", 10, [TOOLS, SYSTEM, seg("b")], usage(1000, 0, 900))
EASY_SAVES = 1000 * usd("4") / MILLION + 100 * usd("20") / MILLION


def account_of(*records: Record, **stated: OversizedModel) -> TaskAccount:
    policies = Policies(tuple(stated.values()))
    return refold(records, FixedPrices(), policies).account()


def test_an_oversized_model_needs_a_policy_that_names_the_cheaper_one() -> None:
    without = account_of(EASY, HARD)
    told = account_of(EASY, HARD, policy=OversizedModel(OPUS, HAIKU, max_output_tokens=200))

    assert "oversized_model_usd" not in without.money.memo
    assert without.not_observable["oversized_model"].startswith("no policy of yours")
    assert told.money.memo["oversized_model_usd"] == EASY_SAVES
    assert "oversized_model" not in told.not_observable
    assert told.policies["oversized_model"] == (
        f"{HAIKU} would do for {OPUS} up to 200 output tokens"
    )
    (found,) = told.findings
    assert found.why == (
        f"1 easy call to {OPUS} would have cost less on {HAIKU}, at the same token counts"
    )
    assert told.money.total_usd == without.money.total_usd
    assert "oversized_model" not in told.money.taxes


def test_without_a_limit_every_call_of_the_model_is_easy_and_others_are_not_asked_about() -> None:
    other = call("c3", 20, [TOOLS, SYSTEM, seg("c")], usage(1000, 0, 1), model="no-cache")
    memo = account_of(EASY, HARD, other, policy=OversizedModel(OPUS, HAIKU)).money.memo

    assert memo["oversized_model_usd"] == EASY_SAVES + EASY_SAVES + 800 * usd("20") / MILLION


def test_a_cheaper_model_without_a_price_saves_nothing_known() -> None:
    memo = account_of(EASY, policy=OversizedModel(OPUS, "unheard-of")).money.memo

    assert memo["oversized_model_usd"] == 0


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("x", "policy: not a table"),
        ({"oversize": []}, "oversize: unknown policy"),
        ({"oversized_model": [{"model": "a"}]}, "two model ids are needed"),
        ({"oversized_model": [{"model": "a", "cheaper": "b", "chepaer": "c"}]}, "did you mean"),
        (
            {"oversized_model": {"model": "a", "cheaper": "b", "max_output_tokens": "9"}},
            "'9' is no",
        ),
        ({"oversized_model": 3}, "not a table"),
    ],
)
def test_a_policy_that_cannot_be_used_is_said_in_one_line(content: object, problem: str) -> None:
    policies, problems = read_policies(content, "touchdown.toml")

    assert policies == Policies()
    assert len(problems) == 1
    assert problems[0].startswith("touchdown.toml: ")
    assert problem in problems[0]


def test_policies_are_read_as_tables_or_as_a_list_of_them() -> None:
    row = {"model": "a", "cheaper": "b", "max_output_tokens": 9}
    expected = Policies((OversizedModel("a", "b", 9),))

    assert read_policies({"oversized_model": row}, "x") == (expected, ())
    assert read_policies({"oversized_model": [row]}, "x") == (expected, ())
    assert read_policies(None, "x") == (Policies(), ())


def test_a_provider_margin_is_the_difference_to_the_cheapest_other_seller() -> None:
    offers = {OPUS: {"there": rates("4", "20", "0.4"), "elsewhere": rates("6", "30", "0.6")}}
    account = refold([EASY], FixedPrices(RATES, offers)).account()
    margin = 1000 * usd("1") / MILLION + 100 * usd("5") / MILLION

    assert account.money.memo["provider_margin_usd"] == margin
    assert account.money.memo["cost_at_there_usd"] == usd("0.006")
    assert account.findings == ()
    assert account.money.work_usd == account.money.total_usd


def test_where_nobody_else_sells_it_there_is_no_margin_to_tell() -> None:
    account = account_of(EASY)

    assert "provider_margin_usd" not in account.money.memo
    assert account.not_observable["provider_margin"] == (
        "the price book has no other seller of exactly these models"
    )


@pytest.mark.parametrize(
    ("outcome", "spent"), [("useful", None), ("useless", Decimal("0.0350")), ("unknown", None)]
)
def test_everything_spent_on_a_useless_task_is_a_memo(outcome: str, spent: Decimal | None) -> None:
    task = TaskRecord("task", "goal", 0, 90 * SECOND, outcome=outcome)  # type: ignore[arg-type]
    account = account_of(task, EASY, HARD)

    assert account.money.memo.get("spent_on_useless_usd") == spent
    assert ("abandoned" in account.not_observable) == (outcome == "unknown")
