"""Clocks: what a stream's waits come to, and what lies between the marks of one thread."""

import gc
import time
from array import array
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from hypothesis import given
from hypothesis import strategies as st

from touchdown.runtime import core
from touchdown.runtime.clocks import CallClocks, sketch_of
from touchdown.runtime.garbage import watch_collector
from touchdown.runtime.identity import since_epoch
from touchdown.runtime.marks import cpu_since_s, cpu_so_far_s, mark_of, take_mark
from touchdown.runtime.place import new_task
from touchdown.runtime.waits import RECENT, Waits

BURNT_NS = 1_000_000


def burn() -> None:
    until = time.thread_time_ns() + BURNT_NS
    while time.thread_time_ns() < until:
        pass


WAITS = st.lists(st.integers(0, 2**40), max_size=40)


@given(WAITS)
def test_a_sketch_loses_no_wait_and_no_nanosecond(waits: Sequence[int]) -> None:
    sketch = sketch_of(array("q", waits))
    assert sum(gap.count for gap in sketch) == len(waits)
    assert sum(gap.total_ns for gap in sketch) == sum(waits)
    for gap in sketch:
        fit = [wait for wait in waits if (wait < 2**gap.power and 2 * wait >= 2**gap.power) or
               gap.power == wait == 0]  # fmt: skip
        assert len(fit) == gap.count


@given(st.integers(min_value=0, max_value=3 * RECENT + 1), st.integers(0, 2**62))
def test_waits_that_are_packed_are_the_same(count: int, first: int) -> None:
    waits = Waits()
    recent, told = waits.recent, []
    for number in range(count):
        recent.append(first + number)
        told.append(first + number)
        if len(recent) == RECENT:
            recent = waits.pack()
    assert waits.all == array("q", told)
    assert len(waits) == count
    assert waits.recent is recent


def test_the_callers_time_is_what_is_left_behind_the_first_chunk() -> None:
    clocks = CallClocks(new_task("a task"))
    clocks.first_sent_ns = clocks.last_sent_ns = 1_100
    clocks.waits = Waits([300, 40, 60])
    told = clocks.record(since_epoch(1_000), 1_400, 2_000)
    assert (told.first_sent_ns, told.received_ns, told.consumer_ns) == (100, None, 500)
    assert sum(gap.total_ns for gap in told.gaps) == 100


def test_without_a_stream_there_are_no_waits() -> None:
    told = CallClocks(new_task("a task")).record(since_epoch(0), None, 7)
    assert (told.consumer_ns, told.gaps) == (None, ())


def test_what_came_before_the_first_content_is_no_gap_between_chunks() -> None:
    clocks = CallClocks(new_task("a task"))
    clocks.waits = Waits([300, 1, 70, 40, 60])
    clocks.contents = 1_500, 3
    told = clocks.record(since_epoch(1_000), 1_400, 2_000)
    assert (told.first_content_ns, told.before_content_ns) == (500, 71)
    assert sum(gap.total_ns for gap in told.gaps) == 100
    assert told.consumer_ns == 600 - 171


def test_the_threads_cpu_before_sending_and_behind_the_answer() -> None:
    clocks = CallClocks(new_task("a task"))
    burn()
    clocks.sent()
    clocks.sent()
    clocks.received()
    burn()
    clocks.end()
    told = clocks.record(since_epoch(0), None, 7)
    assert (told.cpu_before_ns or 0) >= BURNT_NS
    assert (told.cpu_after_ns or 0) >= BURNT_NS
    with ThreadPoolExecutor(1) as pool:
        pool.submit(clocks.end).result()
    assert clocks.record(since_epoch(0), None, 7).cpu_after_ns is None


def test_marks_of_a_thread_grow_with_its_cpu_and_with_collected_garbage() -> None:
    before, cpu = mark_of(take_mark()), cpu_so_far_s()
    watch_collector(True)
    try:
        gc.collect()
    finally:
        after = mark_of(take_mark())
        watch_collector(core.active() is not None)
    assert before is not None
    assert after is not None
    assert after.thread == before.thread
    assert after.cpu_ns >= before.cpu_ns
    assert after.collecting_ns > before.collecting_ns
    own, children = cpu_since_s(cpu)
    assert own > 0
    assert children is None or children >= 0
