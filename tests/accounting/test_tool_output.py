"""``tool_output``: claimed once carrying cost more than dropping would have, from what was known then."""

from collections.abc import Sequence
from decimal import Decimal

from msgspec.structs import replace

from tests.accounting.build import (
    MILLION,
    SYSTEM,
    TOOLS,
    FixedPrices,
    after,
    asks,
    call,
    rates,
    result,
    seg,
    usage,
    usd,
)
from touchdown.accounting.account import TaskAccount
from touchdown.accounting.ledger import Ledger, refold
from touchdown.records import ModelCall

START = [TOOLS, SYSTEM, seg("goal")]


def session(
    calls: int, chars: int = 40_000, each: int = 40, failed: bool = False
) -> list[ModelCall]:
    """One big result early on, read by the second call and carried by all the others."""
    made = [call("c000", 0, START, usage(0, 0, 10, {"5m": 3000}), output=asks(("t1", "cat")))]
    total, shared = 3000, 3
    for number in range(1, calls):
        new = seg(f"said {number}", each)
        if number == 1:
            new = result("t1", "cat", chars, failed)
        tokens = new.chars // 4
        shape = after(made[-1], shared, new)
        used = usage(0, total, 10, {"5m": tokens})
        made.append(call(f"c{number:03}", 10 * number, context=shape, used=used))
        total, shared = total + tokens, shared + 1
    return made


def account_of(calls: Sequence[ModelCall]) -> TaskAccount:
    return refold(calls, FixedPrices()).account()


def claimed(calls: Sequence[ModelCall]) -> Decimal:
    return account_of(calls).money.taxes["tool_output"]


# 7,400 tokens, below the limit of 30,000 characters.
BIG = 29_600


def test_a_result_is_not_stale_while_ten_later_calls_carry_it() -> None:
    assert claimed(session(12, BIG)) == 0
    assert claimed(session(13, BIG)) == 7400 * usd("0.5") / MILLION


def test_it_is_claimed_in_each_call_from_then_on() -> None:
    assert claimed(session(20, BIG)) == 8 * 7400 * usd("0.5") / MILLION


def test_not_before_the_rent_exceeds_what_rewriting_all_behind_it_would_cost() -> None:
    # Behind the result lie 400 tokens per later call, written again at 12.5 times the price of a read.
    calls = session(60, BIG, each=1600)
    found = [number for number in range(60) if claimed(calls[: number + 1]) > 0]
    rent, rewrite = 7400 * usd("0.5"), 400 * usd("6.25")
    first = next(n for n in range(12, 60) if (n - 11) * rent > (n - 1) * rewrite)

    assert found[0] == first
    assert first > 12


def test_what_was_decided_at_a_call_is_not_changed_by_later_ones() -> None:
    calls = session(40, BIG, each=1600)
    ledger = Ledger(FixedPrices())
    amounts = []
    for one in calls:
        ledger.add(one)
        amounts.append(ledger.account().money.taxes["tool_output"])

    assert amounts == sorted(amounts)
    assert amounts == [claimed(calls[: number + 1]) for number in range(len(calls))]


def test_a_claim_ends_when_something_large_came_behind_it() -> None:
    calls = session(20, BIG)
    wide = after(calls[-1], 22, seg("a whole file", 400_000))
    calls.append(call("c900", 900, context=wide, used=usage(0, 10_580, 1, {"5m": 100_000})))

    assert claimed(calls) == claimed(calls[:-1])


def test_above_the_limit_only_the_excess_is_claimed_and_from_the_first_reading_on() -> None:
    calls = session(3, chars=60_000)

    # 15,000 tokens, half of them above the limit: written once, read once.
    assert claimed(calls) == 7500 * (usd("6.25") + usd("0.5")) / MILLION
    assert claimed(session(3, chars=30_000)) == 0


def test_a_failed_result_is_claimed_by_that_tax_alone() -> None:
    money = account_of(session(20, chars=60_000, failed=True)).money

    assert money.taxes["tool_output"] == 0
    assert money.taxes["failed_tools"] > 0


def test_where_there_is_no_cache_there_is_nothing_to_rewrite() -> None:
    calls = [
        replace(made, model="no-cache", usage=usage((made.usage.input_tokens or 0), None, 10))
        for made in session(13, BIG, each=40_000)
    ]

    assert claimed(calls) == 7400 * usd("1") / MILLION


def test_an_edited_history_keeps_the_age_of_its_results() -> None:
    calls = session(13, BIG)
    edited = [TOOLS, SYSTEM, seg("goal, edited"), result("t1", "cat", BIG), seg("more", 40)]
    shape = replace(calls[0].context, new=tuple(edited))
    calls.append(call("c900", 900, context=shape, used=usage(10, 10_400, 1)))

    assert claimed(calls) == 2 * 7400 * usd("0.5") / MILLION


def test_the_finding_names_the_tool_and_does_not_call_it_unneeded() -> None:
    (found,) = account_of(session(20, BIG)).findings

    assert found.why == (
        "8 calls carried tool output (cat) that was older than 10 calls; not shown to be unneeded"
    )
    assert found.basis == "estimated"
    # Dropping it at the first of them would have written 100 tokens again.
    assert found.saves_usd == 8 * 7400 * usd("0.5") / MILLION - 110 * usd("6.25") / MILLION


def test_a_dearer_model_later_in_one_context_changes_the_rates_not_the_rule() -> None:
    prices = FixedPrices(
        {**FixedPrices().by_model, "dear": rates("50", "250", "5", life_5m="62.5")}
    )
    calls = session(14, BIG)
    calls[-1] = replace(calls[-1], model="dear")
    money = refold(calls, prices).account().money

    assert money.work_usd + sum(money.taxes.values()) + money.unexplained_usd == money.total_usd
