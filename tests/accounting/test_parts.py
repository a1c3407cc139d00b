"""Parts of a ledger and sums of accounts: split by anything and added again, it is the whole."""

from hypothesis import HealthCheck, given, settings

from tests.accounting.build import FixedPrices, call, usage
from tests.accounting.sessions import sessions
from touchdown.accounting.account import TaskAccount
from touchdown.accounting.ledger import refold
from touchdown.accounting.merging import add_accounts, add_models, add_money, add_usage
from touchdown.records import ModelCall, Record, TaskRecord

PRICES = FixedPrices()

relaxed = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def by_model_and_second(call: ModelCall) -> str:
    return f"{call.priced_model} {call.sent_at_ns % 3}"


def added(parts: list[TaskAccount]) -> TaskAccount:
    first, *others = parts
    for other in others:
        first = add_accounts(first, other)
    return first


@relaxed
@given(sessions())
def test_parts_add_up_to_the_whole(records: list[Record]) -> None:
    ledger = refold(records, PRICES)
    whole, parts = ledger.account(), list(ledger.parts(by_model_and_second).values())
    if not parts:
        return
    total = added(parts)
    assert total.model_calls == whole.model_calls
    assert total.usage == whole.usage
    assert total.money.total_usd == whole.money.total_usd
    assert total.money.work_usd == whole.money.work_usd
    assert total.money.unexplained_reasons == whole.money.unexplained_reasons
    paid = {tax: usd for tax, usd in total.money.taxes.items() if usd}
    assert paid == {tax: usd for tax, usd in whole.money.taxes.items() if usd}
    assert total.money.unpriced_calls == whole.money.unpriced_calls
    assert {m.model: (m.calls, m.total_usd) for m in total.models} == {
        m.model: (m.calls, m.total_usd) for m in whole.models
    }


@relaxed
@given(sessions())
def test_one_group_of_all_calls_is_the_account(records: list[Record]) -> None:
    ledger = refold(records, PRICES)
    whole = ledger.account()
    for part in ledger.parts(lambda call: "all").values():
        assert (part.money, part.usage, part.cache) == (whole.money, whole.usage, whole.cache)
        assert part.models == whole.models
        # A tool that no call asked for lies in no part; it cost nothing.
        paid = [finding for finding in whole.findings if finding.usd]
        assert [finding for finding in part.findings if finding.usd] == paid


def test_a_call_without_a_group_is_in_no_part_and_a_task_s_group_bears_its_record() -> None:
    records = [
        TaskRecord("root", "session", 0, 10),
        TaskRecord("turn", "turn 1", 0, 5 * 10**9, parent_id="root"),
        call("a", 0, task_id="turn"),
        call("b", 2, task_id="root"),
    ]
    parts = refold(records, PRICES).parts(lambda c: "turn" if c.id == "a" else None)
    assert list(parts) == ["turn"]
    assert (parts["turn"].task.name, parts["turn"].wall_s) == ("turn 1", 5.0)
    assert parts["turn"].model_calls == 1


def test_what_was_not_reported_stays_unknown_in_a_sum() -> None:
    one = refold([call("a", used=usage(10, read=None))], PRICES).account()
    both = add_usage([one.usage, one.usage])
    assert (both.uncached_input, both.cache_read, both.cache_write) == (20, None, None)
    unpriced = refold([call("a", model="unheard-of")], PRICES).account()
    money = add_money([one.money, unpriced.money])
    assert (money.complete, money.unpriced_calls) == (False, 1)
    assert money.incomplete_reasons == unpriced.money.incomplete_reasons
    (totals,) = add_models(unpriced.models)
    assert totals.total_usd is None
