"""Calls that are packed while nobody looks at them: every figure is what it is without."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.accounting.build import FixedPrices, call, seg
from tests.accounting.sessions import sessions
from tests.accounting.test_conservation import PRICES, relaxed
from touchdown.accounting import cold
from touchdown.accounting.facts import CallFacts
from touchdown.accounting.ledger import Ledger, refold
from touchdown.accounting.packing import PackedFacts
from touchdown.records import EngineReport, EngineTiming, ModelCall, Record


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sessions here are short."""
    monkeypatch.setattr(cold, "HOT", 1)
    monkeypatch.setattr(cold, "MOST_HOT", 1)
    monkeypatch.setattr(cold, "GROUP", 2)
    monkeypatch.setattr(cold, "FEWEST", 1)


def _calls(ledger: Ledger) -> list[CallFacts]:
    return ledger._fold.calls


def _packed(ledger: Ledger) -> int:
    return sum(type(facts) is PackedFacts for facts in _calls(ledger))


same_sizes = settings(
    relaxed,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
"""The fixture sets sizes, the same for all examples."""


@same_sizes
@given(sessions(), st.data())
def test_every_account_is_equal_to_the_last_digit(
    records: list[Record], data: st.DataObject
) -> None:
    packing, plain = Ledger(PRICES, packs=True), Ledger(PRICES)
    asked_at = data.draw(st.sets(st.integers(0, len(records)), max_size=2))
    rests_at = data.draw(st.sets(st.integers(0, len(records)), max_size=2))
    for place, record in enumerate(data.draw(st.permutations(records))):
        if place in asked_at:
            assert packing.account() == plain.account()
        if place in rests_at:
            packing.rest()
        assert packing.add(record) == plain.add(record)
    packing.rest()

    assert _packed(packing) == len(_calls(packing))
    assert repr(packing.account()) == repr(plain.account())
    for record in records:
        if isinstance(record, ModelCall):
            assert packing.verdict(record.id) == plain.verdict(record.id)

    packing.rest()
    by_agent = packing.parts(lambda call: call.agent_id)
    assert repr(by_agent) == repr(plain.parts(lambda call: call.agent_id))


@same_sizes
@given(sessions())
def test_what_is_told_of_a_packed_call_later_counts(records: list[Record]) -> None:
    packing = Ledger(PRICES, packs=True)
    packing.add_all(records)
    packing.rest()
    told = [
        EngineReport(call.task_id, call.id, EngineTiming("vllm", queue_ns=call.duration_ns // 2))
        for call in records
        if isinstance(call, ModelCall)
    ]
    for report in told:
        packing.note(report)

    assert repr(packing.account()) == repr(refold([*records, *told], PRICES).account())


@same_sizes
@given(sessions())
def test_a_packed_call_that_comes_again_is_known(records: list[Record]) -> None:
    packing = Ledger(PRICES, packs=True)
    packing.add_all(records)
    packing.rest()
    packing.add_all(records)

    assert packing.account() == refold(records, PRICES).account()


class HostsText(str):
    """A host's own kind of text, which must neither be asked nor made again."""

    def __reduce_ex__(self, _protocol: Any) -> Any:
        raise AssertionError("the host's code ran")


@pytest.fixture
def a_session() -> list[ModelCall]:
    """One agent whose every call says a little more."""
    said = [seg(f"message {n}") for n in range(12)]
    return [call(f"c{n}", 10.0 * n, said[: n + 1]) for n in range(len(said))]


def test_what_is_not_ours_stays_as_it_is(a_session: list[ModelCall]) -> None:
    odd = [*a_session]
    odd[2] = replace(odd[2], response_model=HostsText(odd[2].model))
    ledger = Ledger(FixedPrices(), packs=True)
    ledger.add_all(odd)
    ledger.rest()

    kept = [facts.call for facts in _calls(ledger) if type(facts) is not PackedFacts]

    assert kept == [odd[2]]
    assert kept[0] is odd[2]
    assert ledger.account() == refold(a_session, FixedPrices()).account()


def test_a_call_is_the_same_object_packed_and_unpacked(a_session: list[ModelCall]) -> None:
    ledger = Ledger(FixedPrices(), packs=True)
    ledger.add_all(a_session)
    calls = list(_calls(ledger))
    ledger.rest()
    assert _packed(ledger) == len(calls)

    first = calls[0]

    assert first.call == a_session[0]
    assert type(first) is CallFacts
    assert first.input_tokens == a_session[0].usage.input_tokens
    with pytest.raises(AttributeError):
        _ = calls[1].nothing_of_the_kind  # type: ignore[attr-defined]
    assert type(calls[1]) is PackedFacts


def test_the_latest_calls_are_not_packed(a_session: list[ModelCall]) -> None:
    ledger = Ledger(FixedPrices(), packs=True)
    ledger.add_all(a_session)

    assert type(_calls(ledger)[-1]) is CallFacts
    assert 0 < _packed(ledger) < len(a_session)


def test_asking_keeps_calls_open_until_others_came(a_session: list[ModelCall]) -> None:
    ledger = Ledger(FixedPrices(), packs=True)
    ledger.add_all(a_session[:-4])
    ledger.account()
    assert _packed(ledger) == 0
    ledger.add_all(a_session[-4:])

    assert _packed(ledger) > 0


def test_more_calls_stay_where_later_ones_look_back_further(
    a_session: list[ModelCall], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the same ones would be unpacked and packed for ever."""
    monkeypatch.setattr(cold, "MOST_HOT", 100)
    ledger, plain = Ledger(FixedPrices(), packs=True), Ledger(FixedPrices())
    for record in a_session:
        ledger.add(record)
        plain.add(record)
        for facts in _calls(ledger):
            assert facts.call.task_id

    assert _packed(ledger) == 0
    assert ledger.account() == plain.account()
