"""A pool's bill: tasks and idling add up to it, and what is in flight shares each instant."""

from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.accounting.build import SYSTEM, call, usage
from touchdown.accounting.time.phases import engine_phases
from touchdown.accounting.time.pool import HOUR_NS, UNSPLIT, Pool, Use, bill_pool
from touchdown.records import EngineTiming, Miss, ModelCall

PHASES = st.lists(st.tuples(st.sampled_from(["model", "queue"]), st.integers(0, 9)), max_size=3)
USES = st.lists(
    st.builds(
        Use, st.sampled_from("abc"), st.integers(-5, 45), st.integers(-5, 45), PHASES.map(tuple)
    ),
    max_size=8,
)
RATES = st.decimals(0, 1000, places=4)


def pool(rate: Decimal = Decimal(36), hours: int = 10, exclusive: bool = False) -> Pool:
    return Pool("gpu", rate, 0, hours * HOUR_NS, exclusive)


def hours(task: str, start: float, end: float) -> Use:
    return Use(task, int(start * HOUR_NS), int(end * HOUR_NS))


def test_two_tasks_that_share_a_pool_and_its_idling_are_its_bill() -> None:
    bill = bill_pool(pool(), [hours("a", 0, 4), hours("b", 2, 6)])
    assert bill.by_task == {"a": 108, "b": 108}
    assert (bill.idle_usd, bill.total_usd) == (144, 360)
    assert str(bill) == "gpu: $360.0000 (~$216.0000 for calls of 2 tasks, $144.0000 idle)"


def test_a_calls_share_is_split_by_what_its_engine_says() -> None:
    told = replace(hours("a", 0, 2), phases=(("model", 30), ("queue", 10)))
    bill = bill_pool(pool(), [told, hours("a", 2, 3), hours("b", 0, 2)])
    assert bill.by_task == {"a": 72, "b": 36}
    assert bill.by_phase == {"a": {"model": 27, "queue": 9, UNSPLIT: 36}, "b": {UNSPLIT: 36}}


def timed(**figures: int) -> ModelCall:
    return replace(call("c", 0, [SYSTEM], usage(900, 0, 10)), engine=EngineTiming(**figures))


def test_phases_of_an_engine_are_accounts_and_a_missed_prefill_is_its_causes() -> None:
    misses = [
        Miss("history_edited", "cache_miss", 300, None, 0, 0),
        Miss("evicted", "unexplained", 300, None, 0, 0),
    ]
    made = timed(queue_ns=5, prefill_ns=90, decode_ns=40, prefill_beside_ns=10)
    assert dict(engine_phases(made, misses)) == {
        "queue": 5,
        "cache_miss": 30,
        "model": 60 + 30,
        "prefill_blocks_decode": 10,
    }
    assert engine_phases(replace(made, engine=None), misses) == ()


def test_an_exclusive_pool_waits_for_its_sole_holder() -> None:
    calls = [hours("a", 0, 1), hours("b", 5, 6)]
    holders = [hours("a", 0, 4), hours("b", 3, 8)]
    bill = bill_pool(pool(exclusive=True), calls, holders)
    assert bill.by_task == {"a": 36, "b": 36}
    assert bill.gpu_waits_on_cpu == {"a": 72, "b": 108}  # none while both hold it
    assert bill.idle_usd == 108
    assert bill_pool(pool(), calls, holders).gpu_waits_on_cpu == {}


def test_calls_outside_its_hours_are_not_billed() -> None:
    assert bill_pool(pool(), [hours("a", -3, 0), hours("a", 10, 12)]).by_task == {}
    assert bill_pool(pool(hours=0), [hours("a", 0, 1)]).total_usd == 0


@given(RATES, USES, USES, st.booleans())
def test_tasks_and_idling_add_up(
    rate: Decimal, calls: list[Use], holders: list[Use], exclusive: bool
) -> None:
    bill = bill_pool(Pool("gpu", rate, 0, 40, exclusive), calls, holders)
    parts = [*bill.by_task.values(), *bill.gpu_waits_on_cpu.values(), bill.idle_usd]
    assert sum(parts, Decimal(0)) == bill.total_usd
    assert min(parts) >= 0
    assert {t: sum(phases.values()) for t, phases in bill.by_phase.items()} == bill.by_task


@given(USES)
def test_a_second_look_at_every_instant_agrees(calls: list[Use]) -> None:
    whole = Pool("gpu", Decimal(HOUR_NS) / 1000, 0, 40)  # a thousandth of a dollar each nanosecond
    by_task: dict[str, Fraction] = {}
    for at in range(40):
        running = [use.task_id for use in calls if use.start_ns <= at < use.end_ns]
        for task in running:
            by_task[task] = by_task.get(task, Fraction(0)) + Fraction(1, 1000 * len(running))
    bill = bill_pool(whole, calls)
    assert bill.by_task.keys() == by_task.keys()
    for task, usd in bill.by_task.items():
        assert abs(Fraction(usd) - by_task[task]) < Fraction(1, 10**12)
