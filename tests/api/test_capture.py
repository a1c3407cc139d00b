"""``touchdown.testing.capture()``: nests, restores, in threads, coroutines and parallel processes."""

import asyncio
import contextlib
import multiprocessing
import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

import touchdown
from touchdown.runtime import core
from touchdown.testing import Capture, capture

pytest_plugins = ["pytester"]


@touchdown.tool
def search(text: str) -> str:
    return text


def names(seen: Capture) -> list[str | None]:
    return [tool.name for tool in seen.tools]


def test_the_innermost_sees_what_happens_and_all_is_as_before() -> None:
    handle = touchdown.instrument()
    with touchdown.task("outside") as outside:
        with capture() as outer:
            assert core.active() is not handle.runtime
            search("a")
            with contextlib.suppress(KeyError), capture() as inner:
                search("b")
                raise KeyError("in the test")
            search("c")
            assert [account.task.name for account in outer.accounts] == [
                account.task.name for account in inner.accounts
            ]
        assert core.active() is handle.runtime
        search("d")
        assert outside.totals.tool_calls == 1
    assert [len(seen.tools) for seen in (outer, inner)] == [2, 1]
    assert [span.name for span in inner.spans] == ["execute_tool search"]


def test_threads_and_coroutines_are_seen() -> None:
    async def step(name: str) -> None:
        with touchdown.task(name):
            await asyncio.sleep(0)
            search(name)

    async def main() -> None:
        await asyncio.gather(*(step(f"coroutine {n}") for n in range(3)))

    def work(n: int) -> None:
        with touchdown.task(f"thread {n}"):
            search("x")

    with capture() as seen:
        threads = [threading.Thread(target=work, args=(n,)) for n in range(3)]
        for thread in threads:
            thread.start()
        asyncio.run(main())
        for thread in threads:
            thread.join()
    found = {account.task.name: account.tool_calls for account in seen.accounts}
    assert found == {f"{kind} {n}": 1 for kind in ("thread", "coroutine") for n in range(3)}


def test_two_captures_may_end_in_either_order() -> None:
    with ExitStack() as second:
        with capture() as early:
            late = second.enter_context(capture())
            search("x")
        search("y")
        assert (names(early), names(late)) == ([], ["search", "search"])
    assert core.active() is None


def test_it_may_end_in_another_context() -> None:
    """As fixtures of asynchronous test plug-ins do."""

    @contextmanager
    def fixture() -> Iterator[Capture]:
        with capture() as seen:
            yield seen

    async def enter(stack: ExitStack) -> None:
        stack.enter_context(fixture())

    async def leave(stack: ExitStack) -> None:
        stack.close()

    async def main() -> None:
        stack = ExitStack()
        await asyncio.create_task(enter(stack))
        await asyncio.create_task(leave(stack))

    asyncio.run(main())
    assert core.active() is None


def test_a_journal_is_closed_with_its_capture(tmp_path: Path) -> None:
    open_files = Path("/proc/self/fd")
    if not open_files.exists():
        pytest.skip("needs /proc")
    before = len(list(open_files.iterdir()))
    for n in range(3):
        with capture(journal=tmp_path / f"{n}.jsonl"):
            search("x")
    assert len(list(open_files.iterdir())) <= before


def in_a_child(n: int) -> tuple[int, int]:
    with capture() as seen:
        for _ in range(n):
            search("x")
        return os.getpid(), len(seen.tools)


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_parallel_processes_see_their_own(method: str) -> None:
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {method} here")
    with capture() as seen:
        search("in the parent")
        with multiprocessing.get_context(method).Pool(2) as pool:
            found = pool.map(in_a_child, [1, 2, 3, 4], chunksize=1)
        assert len(seen.tools) == 1
    assert [count for _, count in found] == [1, 2, 3, 4]
    assert os.getpid() not in {process for process, _ in found}


def test_the_fixture_is_there_for_users(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import touchdown

        @touchdown.tool
        def search(text: str) -> str:
            return text

        def test_one(touchdown_capture):
            search("x")
            assert [tool.name for tool in touchdown_capture.tools] == ["search"]

        def test_two(touchdown_capture):
            assert touchdown_capture.tools == []
        """
    )
    pytester.runpytest_subprocess().assert_outcomes(passed=2)
