"""Whatever happens in a session, the bill adds up, tokens are kept, and arrival does not matter."""

from decimal import Decimal

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.accounting.build import FixedPrices
from tests.accounting.sessions import sessions
from touchdown.accounting.ledger import Ledger, refold
from touchdown.prices.cost import price_usage
from touchdown.prices.rates import Unpriced
from touchdown.records import CostByClass, ModelCall, Record, ServerStep

PRICES = FixedPrices()

relaxed = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])

seeking = settings(
    relaxed, max_examples=1_000, database=None, derandomize=True, phases=[Phase.generate]
)
"""The first session that fits will do: it is not made smaller."""


def _known_bill(records: list[Record]) -> Decimal:
    """The total by another road: each call's reported cost, else its usage times its rates."""
    total = Decimal(0)
    for record in records:
        if not isinstance(record, ModelCall):
            continue
        if record.reported_usd is not None:
            total += record.reported_usd
            continue
        rates = PRICES.rates_for(record)
        cost = rates if isinstance(rates, Unpriced) else price_usage(record.usage, rates)
        if isinstance(cost, CostByClass):
            total += cost.total + sum(
                (_cost_of(record, step) for step in record.usage.steps), total * 0
            )
    return total


def _cost_of(call: ModelCall, step: ServerStep) -> Decimal:
    rates = PRICES.rates_for(replace(call, model=step.model or call.model))
    assert not isinstance(rates, Unpriced)
    cost = price_usage(step.usage, rates)
    return cost.total if isinstance(cost, CostByClass) else Decimal(0)


@relaxed
@given(sessions())
def test_work_taxes_and_unexplained_are_the_known_bill(records: list[Record]) -> None:
    money = refold(records, PRICES).account().money

    assert money.work_usd + sum(money.taxes.values()) + money.unexplained_usd == money.total_usd
    assert sum(money.unexplained_reasons.values()) == money.unexplained_usd
    assert money.total_usd == _known_bill(records)


@pytest.mark.parametrize("tax", ["cache_unread", "compaction", "tool_output", "unneeded_work"])
def test_the_sessions_pay_every_tax(tax: str) -> None:
    def pays(records: list[Record]) -> bool:
        return refold(records, PRICES).account().money.taxes.get(tax, 0) > 0

    find(sessions(), pays, settings=seeking)


@relaxed
@given(sessions())
def test_memos_are_never_in_the_sum_and_net_is_saved_less_paid(records: list[Record]) -> None:
    money = refold(records, PRICES).account().money
    memo = money.memo

    assert memo.get("pending_usd", Decimal(0)) >= 0
    saved = memo.get("compaction_saved_usd")
    if saved is not None:
        assert saved >= 0
        assert memo["compaction_net_usd"] == saved - money.taxes["compaction"]


@relaxed
@given(sessions())
def test_no_account_is_negative(records: list[Record]) -> None:
    account = refold(records, PRICES).account()
    money = account.money

    assert min(money.work_usd, money.unexplained_usd, *money.taxes.values()) >= 0
    assert min(money.unexplained_reasons.values(), default=0) >= 0
    assert min((m.miss.usd for m in account.cache.misses if m.miss.usd is not None), default=0) >= 0
    assert min((t.rent_usd for t in account.tools if t.rent_usd is not None), default=0) >= 0


@relaxed
@given(sessions())
def test_tokens_are_kept(records: list[Record]) -> None:
    ledger = refold(records, PRICES)
    for record in records:
        if not isinstance(record, ModelCall):
            continue
        verdict = ledger.verdict(record.id)
        assert verdict is not None
        if record.usage.input_tokens is not None:
            assert sum(verdict.tokens_by_kind.values()) == record.usage.input_tokens
            assert min(verdict.tokens_by_kind.values(), default=0) >= 0
        if verdict.missed_tokens is not None:
            assert verdict.reusable_tokens == (verdict.read_tokens or 0) + verdict.missed_tokens
            unread = (record.usage.input_tokens or 0) - (record.usage.cache_read or 0)
            assert sum(miss.tokens for miss in verdict.misses) <= unread
        if verdict.cost is not None and record.reported_usd is not None:
            assert verdict.cost.total == record.reported_usd


@relaxed
@given(sessions(), st.data())
def test_the_order_of_arrival_does_not_matter(records: list[Record], data: st.DataObject) -> None:
    live = Ledger(PRICES)
    asked_at = data.draw(st.integers(0, len(records)))
    for place, record in enumerate(data.draw(st.permutations(records))):
        if place == asked_at:
            live.account()
        live.add(record)
    again = refold(records, PRICES)

    assert live.account() == again.account()
    assert live.spent_usd == again.spent_usd == again.account().money.total_usd
    for record in records:
        if isinstance(record, ModelCall):
            assert live.verdict(record.id) == again.verdict(record.id)


@relaxed
@given(sessions())
def test_a_record_that_comes_twice_counts_once(records: list[Record]) -> None:
    twice = [record for record in records for _ in range(2)]

    assert refold(twice, PRICES).account() == refold(records, PRICES).account()


@relaxed
@given(sessions())
def test_known_calls_are_priced_in_full_or_the_sum_says_at_least(records: list[Record]) -> None:
    account = refold(records, PRICES).account()
    calls = [record for record in records if isinstance(record, ModelCall)]
    unknown = [
        call
        for call in calls
        if call.reported_usd is None
        and (call.usage.completeness != "full" or call.usage.output is None)
        and call.status not in ("not_started",)
    ]

    assert not (unknown and account.money.complete)
    assert account.money.complete == (not account.money.incomplete_reasons)
