"""``cache_unread``: the premium of writes that died unread, not before that is certain, and nothing else."""

import pytest
from msgspec.structs import replace

from tests.accounting.build import (
    GPT,
    MILLION,
    SECOND,
    SYSTEM,
    TOOLS,
    FixedPrices,
    after,
    call,
    rates,
    seg,
    usage,
    usd,
)
from touchdown.accounting.account import Money
from touchdown.accounting.ledger import Ledger, refold
from touchdown.records import Record, TaskRecord

START = [TOOLS, SYSTEM, seg("goal")]
PREMIUM = 3000 * usd("1.25") / MILLION

ALONE = call("c1", 0, START, usage(0, 0, 100, {"5m": 3000}))


def money_of(*records: Record, closed_at_s: float = 7200) -> Money:
    task = TaskRecord("task", "goal", 0, int(closed_at_s * SECOND))
    return refold([task, *records], FixedPrices()).account().money


def unread(*records: Record, closed_at_s: float = 7200) -> object:
    return money_of(*records, closed_at_s=closed_at_s).taxes["cache_unread"]


def test_a_single_call_that_writes_what_nobody_reads_pays_the_premium() -> None:
    money = money_of(ALONE)

    assert money.taxes["cache_unread"] == PREMIUM
    assert money.work_usd == money.total_usd - PREMIUM
    assert "pending_usd" not in money.memo


@pytest.mark.parametrize(
    ("life", "premium", "dies_at_s"), [("5m", "1.25", 301), ("1h", "5", 3601)], ids=["5m", "1h"]
)
def test_it_is_pending_until_its_death_is_certain(life: str, premium: str, dies_at_s: int) -> None:
    wrote = replace(ALONE, usage=usage(0, 0, 100, {life: 3000}))
    early = money_of(wrote, closed_at_s=dies_at_s)
    late = money_of(wrote, closed_at_s=dies_at_s + 1)
    amount = 3000 * usd(premium) / MILLION

    assert (early.taxes["cache_unread"], early.memo["pending_usd"]) == (0, amount)
    assert (late.taxes["cache_unread"], late.memo.get("pending_usd")) == (amount, None)


@pytest.mark.parametrize("life", ["30m", "12h"])
def test_a_life_that_is_only_a_minimum_never_ends_for_certain(life: str) -> None:
    prices = FixedPrices({"gpt-6-sol": rates("2", "10", "0.2", life_30m="2.5", life_12h="2.5")})
    wrote = replace(
        ALONE, provider="openai", model="gpt-6-sol", usage=usage(0, 0, 10, {life: 3000})
    )
    task = TaskRecord("task", "goal", 0, 10**6 * SECOND)
    money = refold([task, wrote], prices).account().money

    assert money.taxes["cache_unread"] == 0
    assert money.memo["pending_usd"] == 3000 * usd("0.5") / MILLION


def test_what_a_later_call_read_was_not_in_vain_and_the_last_call_is_exempt() -> None:
    second = call("c2", 60, context=after(ALONE, 3, seg("a")), used=usage(0, 3000, 9, {"5m": 1000}))

    assert unread(ALONE, second) == 0
    assert money_of(ALONE, second).memo == {}


def test_of_a_write_that_is_read_in_part_the_rest_is_unread() -> None:
    other = [TOOLS, SYSTEM, seg("another goal")]
    second = call("c2", 60, other, usage(1000, 2000, 9), agent_id="b")

    assert unread(ALONE, second) == 1000 * usd("1.25") / MILLION


def test_a_read_from_another_route_does_not_count() -> None:
    second = call(
        "c2", 60, [*START, seg("a")], usage(1000, 3000, 9), agent_id="b", scope="another account"
    )

    assert unread(ALONE, second) == PREMIUM


def test_a_read_that_cannot_be_seen_may_have_been_of_it() -> None:
    hidden = call("c2", 60, [seg("new")], usage(100, 3000, 9), agent_id="b", opaque="server state")

    assert unread(ALONE, hidden) == 0


def test_single_shot_prompts_of_one_agent_are_no_conversation() -> None:
    asked = [
        call(
            f"c{n}",
            60 * n,
            [TOOLS, SYSTEM, seg(f"question {n}")],
            usage(0, 2000 if n else 0, 9, {"5m": 1000 if n else 3000}),
        )
        for n in range(3)
    ]

    # The shared beginning of the first was read; no question was ever read again.
    assert unread(*asked) == 3000 * usd("1.25") / MILLION


def test_an_expired_write_has_died_unread_and_its_loss_is_another_tax() -> None:
    late = call("c2", 900, context=after(ALONE, 3, seg("a")), used=usage(0, 0, 9, {"5m": 4000}))
    money = money_of(ALONE, late)

    assert money.taxes["cache_unread"] == PREMIUM
    assert money.taxes["cache_expired"] == 3000 * usd("5.75") / MILLION


def test_the_premium_of_missed_tokens_belongs_to_the_miss() -> None:
    changed = call(
        "c2", 60, [seg("other", 4000, "tools"), *START[1:]], usage(0, 0, 9, {"5m": 3000})
    )
    late = call("c3", 900, context=after(changed, 3, seg("a")), used=usage(0, 0, 9, {"5m": 4000}))

    # The second call missed 2,000 of the 3,000 tokens it wrote: their whole price is cache_miss.
    assert unread(ALONE, changed, late) == PREMIUM + 1000 * usd("1.25") / MILLION
    # As the last call of a conversation it is exempt, though its tools had changed.
    assert unread(ALONE, changed) == PREMIUM


def test_writes_without_a_premium_are_no_tax() -> None:
    free = FixedPrices({GPT: rates("2", "8", "0.5", life_30m="2", life_unknown="2")})
    wrote = replace(ALONE, provider="openai", model=GPT, usage=usage(0, 0, 10, {"unknown": 3000}))
    account = refold([wrote, TaskRecord("task", "", 0, 10**6 * SECOND)], free).account()

    assert account.money.taxes["cache_unread"] == 0
    assert "pending_usd" not in account.money.memo


def test_nothing_moves_into_a_child_task_once_it_is_closed() -> None:
    root = TaskRecord("task", "root", 0, 9000 * SECOND)
    child = TaskRecord("child", "part", 0, 100 * SECOND, parent_id="task")
    inside = replace(ALONE, task_id="child")
    ledger = refold([root, child, inside], FixedPrices())

    assert ledger.account().money.taxes["cache_unread"] == 0
    assert ledger.account(task_id="child").money.memo["pending_usd"] == PREMIUM


def test_the_amount_moves_back_when_the_read_is_seen() -> None:
    ledger = Ledger(FixedPrices())
    ledger.add(ALONE)
    ledger.add(call("late", 400, [seg("else")], usage(10), agent_id="b"))
    before = ledger.account().money.taxes["cache_unread"]
    ledger.add(
        call("c2", 60, [*START, seg("a")], usage(1000, 3000, 9), agent_id="c", caching="explicit")
    )

    assert (before, ledger.account().money.taxes["cache_unread"]) == (PREMIUM, 0)


def test_the_finding_says_how_much_and_what_to_do() -> None:
    task = TaskRecord("task", "goal", 0, 7200 * SECOND)
    (found,) = refold([task, ALONE], FixedPrices()).account().findings

    assert found.why == (
        "1 call wrote 3,000 tokens to the cache that no later call read before they ran out"
    )
    assert (found.tokens, found.usd, found.saves_usd) == (3000, PREMIUM, PREMIUM)
    assert found.spans == ("span-c1",)
