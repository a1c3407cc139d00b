"""Event loops: watched while a task is open on them, how late they were, and whose doing that was."""

import asyncio
import gc
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import touchdown
from touchdown.runtime import loops
from touchdown.runtime.marks import mark_of, owned, take_mark
from touchdown.runtime.place import new_task
from touchdown.testing import capture

HELD_S = 0.2
LEAST_NS = int((HELD_S - loops.EVERY_S) * 1e9)
"""What is certain to be seen of it: the timer was due by then."""


@pytest.fixture(autouse=True)
def _captured() -> Iterator[None]:
    with capture():
        yield


async def until_forgotten() -> None:
    while threading.get_ident() in loops.LATE_NS:
        await asyncio.sleep(loops.EVERY_S)


def late_ns() -> int:
    return loops.LATE_NS[threading.get_ident()]


def test_a_loop_that_is_held_up_is_late_and_watched_only_while_a_task_is_open() -> None:
    async def agent() -> int:
        assert threading.get_ident() not in loops.LATE_NS
        with touchdown.task("busy"):
            before = late_ns()
            await asyncio.sleep(0)
            time.sleep(HELD_S)
            await asyncio.sleep(loops.EVERY_S)
            late = late_ns() - before
        await asyncio.wait_for(until_forgotten(), 30)
        return late

    assert asyncio.run(agent()) >= LEAST_NS
    assert threading.get_ident() not in loops._runs


def test_each_thread_has_its_own_loop() -> None:
    both = threading.Barrier(2)

    async def agent(held: bool) -> int:
        with touchdown.task("one of two"):
            await asyncio.sleep(0)
            both.wait()
            if held:
                time.sleep(HELD_S)
            await asyncio.sleep(loops.EVERY_S)
            both.wait()
            return late_ns()

    with ThreadPoolExecutor(2) as pool:
        running = [pool.submit(asyncio.run, agent(held)) for held in (True, False)]
        late = [one.result() for one in running]
    assert late[0] >= LEAST_NS
    assert late[0] > late[1]


def test_a_task_that_stays_open_keeps_no_loop_alive() -> None:
    async def agent() -> Any:
        task = touchdown.task("left open")
        task.__enter__()
        return task

    task = asyncio.run(agent())
    again = asyncio.run(agent())  # the thread's next loop is watched anew
    again.__exit__(None, None, None)
    task.__exit__(None, None, None)


def in_thread(run: Callable[[], None]) -> None:
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()


async def leave_open() -> None:
    touchdown.task("left open").__enter__()


def test_nothing_is_kept_of_threads_that_ended_with_their_loops() -> None:
    for _ in range(3):
        in_thread(lambda: asyncio.run(leave_open()))
    gc.collect()
    assert {*loops._watches, *loops._runs, *loops.LATE_NS} == set()


def test_closed_loops_that_somebody_keeps_are_let_go_of_in_time() -> None:
    kept = []

    def run() -> None:
        loop = asyncio.new_event_loop()
        kept.append(loop)
        loop.run_until_complete(leave_open())
        loop.close()
        ended.wait(60)

    ended = threading.Event()
    threads = [threading.Thread(target=run) for _ in range(3 * loops._MOST_CLOSED)]
    for thread in threads:  # all live at once, so that none has the number of another
        thread.start()
        while len(kept) < threads.index(thread) + 1 or not kept[-1].is_closed():
            time.sleep(0.001)
    ended.set()
    for thread in threads:
        thread.join()
    assert len(loops._watches) <= loops._MOST_CLOSED
    kept.clear()
    gc.collect()
    assert loops._watches == {}


def test_outside_an_event_loop_nothing_is_watched() -> None:
    with touchdown.task("sync"):
        assert threading.get_ident() not in loops.LATE_NS


def test_a_broken_look_reaches_neither_the_loop_nor_the_task(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said: list[Any] = []

    async def agent() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: said.append(context))
        with touchdown.task("broken"):
            monkeypatch.setattr(loops, "LEAST_NS", "no number")
            await asyncio.sleep(3 * loops.EVERY_S)

    asyncio.run(agent())
    assert said == []


def test_a_loop_that_cannot_be_watched_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    async def agent() -> str:
        loop = asyncio.get_running_loop()
        monkeypatch.setattr(loop, "call_later", None, raising=False)
        with touchdown.task("odd loop"):
            return "done"

    assert asyncio.run(agent()) == "done"


def test_closed_tasks_are_let_go_of_while_another_stays_open() -> None:
    async def agent() -> int:
        with touchdown.task("stays open"):
            for number in range(500):
                apart = contextvars_free(number)
                with apart:
                    pass
            return len(loops._watches[threading.get_ident()]._tasks)

    assert asyncio.run(agent()) < 200


def contextvars_free(number: int) -> Any:
    return touchdown.task(f"short {number}")


def test_what_passes_between_marks_is_the_doing_of_whose_code_goes_on() -> None:
    one, other, thread = new_task("one"), new_task("other"), -1
    try:
        assert loops.share_of(one, thread, 100, 0, goes_on=True) == (100, 0)
        assert loops.share_of(other, thread, 130, 5, goes_on=True) == (130, 5 - 5)
        assert loops.share_of(other, thread, 200, 50, goes_on=False) == (200, 0)
        # Nobody's code is known to have run here; then the first one's own did.
        cpu, late = loops.share_of(one, thread, 210, 60, goes_on=True)
        assert (cpu, late) == (130, 55)
        assert loops.share_of(one, thread, 250, 61, goes_on=False) == (170, 55)
    finally:
        loops._forget(thread)


def test_a_mark_on_a_watched_loop_leaves_out_what_others_did() -> None:
    async def agents() -> None:
        first, second = new_task("first"), new_task("second")
        loops.watch_loop(first)
        loops.watch_loop(second)
        before = owned(first, take_mark(), goes_on=False)
        owned(second, take_mark())
        until = time.thread_time_ns() + 50_000_000
        while time.thread_time_ns() < until:
            pass
        owned(second, take_mark(), goes_on=False)
        after = owned(first, take_mark())
        first.closed = second.closed = True
        begun, ended = mark_of(before), mark_of(after)
        assert begun is not None
        assert ended is not None
        assert ended.cpu_ns - begun.cpu_ns < 50_000_000
        assert second.own[after[0]][0] >= 50_000_000

    asyncio.run(agents())
