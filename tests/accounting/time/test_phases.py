"""The phases of one call by its clocks: pool, unread answer, first content, a late event loop."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.accounting.build import SECOND
from tests.accounting.test_time import account, model, seconds
from touchdown.records import CallClock, EngineTiming, GapBucket, Mark, ModelCall

GAPS = (GapBucket(30, 10, 10 * SECOND), GapBucket(33, 1, 8 * SECOND))
"""Eleven waits, one of them 7 s longer than the median."""


def test_a_wait_for_a_connection_and_an_answer_that_lay_unread_are_overhead() -> None:
    clock = CallClock(SECOND, SECOND, 20 * SECOND, pool_ns=4 * SECOND, unread_ns=3 * SECOND)
    found = account(model("c1", 0, 22, clock=clock))
    assert seconds(found) == {"runtime_overhead": 1 + 4 + 3 + 2, "model": 12, "unexplained": 78}
    assert found.time.basis["runtime_overhead"] == "derived"


def test_the_wait_for_the_first_content_goes_on_behind_the_first_chunk() -> None:
    engine = EngineTiming("vllm", queue_ns=8 * SECOND, kv_load_ns=SECOND)
    clock = CallClock(
        0, 0, SECOND, 3 * SECOND, GAPS, first_content_ns=11 * SECOND, before_content_ns=9 * SECOND
    )
    found = account(model("c1", 0, 32, first_chunk_ns=2 * SECOND, clock=clock, engine=engine))
    assert seconds(found) == {
        "queue": 8, "kv_offload": 1, "agent": 3, "jitter": 7, "model": 2 + 11, "unexplained": 68,
    }  # fmt: skip


def test_a_late_loop_explains_late_chunks_but_not_what_the_reader_did_itself() -> None:
    clock = CallClock(0, 0, 0, 2 * SECOND, GAPS, late_ns=6 * SECOND)
    found = account(model("c1", 0, 20, first_chunk_ns=0, clock=clock))
    assert seconds(found) == {
        "agent": 2, "runtime_overhead": 4, "jitter": 3, "model": 11, "unexplained": 80,
    }  # fmt: skip
    assert found.time.basis["runtime_overhead"] == "estimated"


def test_others_on_the_loop_between_two_steps_are_overhead_as_far_as_they_made_it_late() -> None:
    first = model("c1", 0, 10, ended=Mark(7, SECOND, 0, 2 * SECOND))
    later = model("c2", 30, 10, begun=Mark(7, 6 * SECOND, 0, 5 * SECOND))
    found = account(first, later)
    assert seconds(found) == {"model": 20, "agent": 5, "runtime_overhead": 3, "unexplained": 72}
    assert found.time.basis["runtime_overhead"] == "estimated"


FIGURES = st.none() | st.integers(-(2**40), 2**40)
CLOCKS = st.builds(
    CallClock, *[FIGURES] * 4,
    st.lists(st.builds(GapBucket, st.integers(0, 40), st.integers(1, 9), st.integers(0, 2**38))).map(tuple),
    *[FIGURES] * 7,
)  # fmt: skip
ENGINES = st.none() | st.builds(
    lambda queue, prefill, beside: EngineTiming(
        "vllm", queue_ns=queue, prefill_ns=prefill, prefill_beside_ns=beside
    ),
    *[st.none() | st.integers(0, 2**38)] * 3,
)
CALLS = st.builds(
    lambda n, at, length, first, clock, engine: model(
        f"c{n}", at, length, first_chunk_ns=first, clock=clock, engine=engine
    ),
    st.integers(0, 9), st.floats(-20, 120), st.floats(0, 90), FIGURES, CLOCKS, ENGINES,
)  # fmt: skip


@settings(deadline=None)
@given(st.lists(CALLS, max_size=4))
def test_whatever_the_clocks_say_the_seconds_add_up(calls: list[ModelCall]) -> None:
    found = seconds(account(*calls))
    assert sum(found.values()) > 99.99
    assert min(found.values()) > 0
