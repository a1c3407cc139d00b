"""Looks at an open task: an account that only time has changed is the one that would be made anew."""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.accounting.build import SYSTEM, FixedPrices, call, seg, usage
from touchdown.accounting import ledger as ledgers
from touchdown.accounting.account import TaskAccount
from touchdown.accounting.ledger import refold
from touchdown.records import Attempt, CallClock, Mark, ModelCall, Record, TaskRecord, ToolCall

SECOND = 10**9
TASK = TaskRecord("task", "goal", 0, begun=Mark(1, 0))


@pytest.fixture(autouse=True, scope="module")
def _every_look() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ledgers, "WORTH_KEEPING", 0)
        yield


def model(number: int, start: int, length: int, refused: bool) -> ModelCall:
    made = call(f"c{number}", 0, [SYSTEM, seg(f"m{number}", 40)], usage(10, 0, 1))
    return replace(
        made,
        task_id="task",
        agent_id="task",
        sent_at_ns=start * SECOND,
        duration_ns=length * SECOND,
        attempts=(Attempt(429, 1.0, retry_after_s=1.0),) if refused else (),
        clock=CallClock(first_sent_ns=0, last_sent_ns=2 * SECOND if refused else 0),
        begun=Mark(1, start * 7),
        ended=Mark(1, start * 7 + 3),
    )


def tool(number: int, start: int, length: int) -> ToolCall:
    return ToolCall(
        f"t{number}", "task", "task", "look", start * SECOND, duration_ns=length * SECOND
    )


SPANS = st.tuples(st.integers(0, 30), st.integers(0, 8), st.booleans())


@settings(deadline=None)
@given(
    st.lists(SPANS, max_size=6),
    st.lists(SPANS, max_size=3),
    st.lists(st.integers(0, 50), min_size=2, max_size=4),
)
def test_later_looks_are_those_of_a_ledger_that_is_made_anew(
    calls: list[tuple[int, int, bool]], tools: list[tuple[int, int, bool]], looks: list[int]
) -> None:
    records: list[Record] = [TASK]
    records += [model(number, *span) for number, span in enumerate(calls)]
    records += [tool(number, start, length) for number, (start, length, _) in enumerate(tools)]
    looked_at = refold(records, FixedPrices())
    for now in looks:
        fresh: TaskAccount = refold(records, FixedPrices()).account(now * SECOND)
        assert looked_at.account(now * SECOND) == fresh


def test_a_record_that_comes_between_two_looks_is_seen() -> None:
    looked_at = refold([TASK, model(1, 0, 5, False)], FixedPrices())
    assert looked_at.account(10 * SECOND).time.within_work == {"model": 5 * SECOND}
    looked_at.add(tool(1, 6, 2))
    assert looked_at.account(11 * SECOND).time.within_work["tools"] == 2 * SECOND
    looked_at.add(replace(TASK, duration_ns=12 * SECOND, revision=1))
    closed = looked_at.account(20 * SECOND)
    assert closed.time.total_ns == 12 * SECOND
    assert looked_at.account(30 * SECOND) is closed


def test_a_look_without_a_time_is_no_later_one() -> None:
    looked_at = refold([TASK, model(1, 0, 5, False)], FixedPrices())
    assert looked_at.account(10 * SECOND).time.total_ns == 10 * SECOND
    assert looked_at.account().time.total_ns is None
    assert looked_at.account(11 * SECOND).time.total_ns == 11 * SECOND
