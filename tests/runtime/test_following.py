"""Work that is handed to another thread belongs to the task and agent it was handed over in."""

import asyncio
import contextvars
import gc
import sys
import threading
import traceback
import weakref
from collections.abc import Awaitable, Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

import anyio
import pytest
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, use_span

import touchdown
from touchdown.runtime.carried import Carried
from touchdown.runtime.place import Place, TaskState, current_place
from touchdown.testing import Capture, capture

Work = Callable[[], object]
JOIN_S = 60


@touchdown.tool
def look() -> str:
    """What is done elsewhere."""
    return "seen"


def join(thread: threading.Thread) -> None:
    thread.join(JOIN_S)
    assert not thread.is_alive()


def thread(work: Work) -> None:
    started = threading.Thread(target=work, daemon=True)
    started.start()
    join(started)


def own_run(work: Work) -> None:
    class Own(threading.Thread):
        def run(self) -> None:
            work()

    started = Own(daemon=True)
    started.start()
    join(started)


def thread_of_a_thread(work: Work) -> None:
    thread(partial(thread, work))


def timer(work: Work) -> None:
    started = threading.Timer(0.0, work)
    started.daemon = True
    started.start()
    join(started)


def submitted(work: Work) -> None:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(work).result(JOIN_S)


def mapped(work: Work) -> None:
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _number: work(), [1]))


def callback(work: Work) -> None:
    """Added here, called by whoever sets the result."""
    future: Future[int] = Future()
    future.add_done_callback(lambda _future: work())
    contextvars.Context().run(thread, partial(future.set_result, 1))


def _run(main: Callable[[], Awaitable[object]]) -> None:
    async def begin() -> None:
        await asyncio.wait_for(main(), JOIN_S)

    asyncio.run(begin())


def executor_of_a_loop(work: Work) -> None:
    async def main() -> None:
        await asyncio.get_running_loop().run_in_executor(None, work)

    _run(main)


def to_thread(work: Work) -> None:
    _run(partial(asyncio.to_thread, work))


async def _async(work: Work) -> None:
    await asyncio.sleep(0)
    work()


def asyncio_task(work: Work) -> None:
    async def main() -> None:
        await asyncio.create_task(_async(work))

    _run(main)


def gathered(work: Work) -> None:
    async def main() -> None:
        await asyncio.gather(asyncio.sleep(0), _async(work))

    _run(main)


def task_group(work: Work) -> None:
    async def main() -> None:
        async with asyncio.TaskGroup() as group:  # type: ignore[attr-defined, unused-ignore]
            group.create_task(_async(work))

    _run(main)


def called_soon(work: Work) -> None:
    async def main() -> None:
        done = asyncio.Event()
        loop = asyncio.get_running_loop()

        def call() -> None:
            work()
            done.set()

        await asyncio.to_thread(loop.call_soon_threadsafe, call)
        await done.wait()

    _run(main)


def callback_of_a_loop(work: Work) -> None:
    async def main() -> None:
        future = asyncio.get_running_loop().create_future()
        future.add_done_callback(lambda _future: work())
        future.set_result(None)
        await asyncio.sleep(0.01)

    _run(main)


def anyio_thread(work: Work) -> None:
    anyio.run(anyio.to_thread.run_sync, work)


def anyio_group(work: Work) -> None:
    async def child() -> None:
        work()

    async def main() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(child)

    anyio.run(main)


def trio_thread(work: Work) -> None:
    trio = pytest.importorskip("trio")
    trio.run(trio.to_thread.run_sync, work)


def trio_nursery(work: Work) -> None:
    trio = pytest.importorskip("trio")

    async def child() -> None:
        work()

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(child)

    trio.run(main)


WAYS: list[Callable[[Work], None]] = [
    thread,
    own_run,
    thread_of_a_thread,
    timer,
    submitted,
    mapped,
    callback,
    executor_of_a_loop,
    to_thread,
    asyncio_task,
    gathered,
    called_soon,
    callback_of_a_loop,
    anyio_thread,
    anyio_group,
    trio_thread,
    trio_nursery,
]
if sys.version_info >= (3, 11):
    WAYS.append(task_group)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_task_and_agent_follow(way: Callable[[Work], None]) -> None:
    @touchdown.agent("reviewer")
    def review() -> None:
        way(look)

    with capture() as seen:
        with touchdown.task("goal") as task:
            review()
        (tool,), (agent,) = seen.tools, seen.agents
        assert (tool.task_id, tool.agent_id) == (task.id, agent.id)
        spans = {span.name: span for span in seen.spans}
        inside = spans["execute_tool look"].context
        around = spans["invoke_workflow goal"].context
        assert inside is not None
        assert around is not None
        assert inside.trace_id == around.trace_id
    assert current_place() is None


def test_a_generator_of_an_agent_is_itself_wherever_it_is_resumed() -> None:
    @touchdown.agent("writer")
    def write() -> Generator[str, None, None]:
        look()
        yield "one"
        look()
        yield "two"

    with capture() as seen:
        with touchdown.task("goal"):
            steps = write()
            next(steps)
            with touchdown.task("another"):
                thread(partial(next, steps))
                thread(partial(list, steps))
        (agent,) = seen.agents
        assert {(tool.task_id, tool.agent_id) for tool in seen.tools} == {(agent.task_id, agent.id)}


# -- what must not be carried --------------------------------------------------------------------


def names_of(seen: Capture) -> list[str]:
    """The tasks that the tools were counted in, in order."""
    names = {task.id: task.name for task in seen.tasks}
    return [names[tool.task_id] for tool in seen.tools]


def test_the_workers_of_a_pool_carry_nothing_to_the_next_job() -> None:
    with capture() as seen, ThreadPoolExecutor(1) as pool:
        with touchdown.task("first"):
            pool.submit(look).result(JOIN_S)
            pool.submit(look).result(JOIN_S)
        pool.submit(look).result(JOIN_S)
        with touchdown.task("second"):
            contextvars.Context().run(pool.submit, look).result(JOIN_S)
            pool.submit(look).result(JOIN_S)
        assert names_of(seen) == ["first", "first", "process", "process", "second"]


class Waiting:
    """A thread that does its work when it is told to."""

    def __init__(self) -> None:
        self._go = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        self._go.wait(JOIN_S)
        look()

    def go(self) -> None:
        self._go.set()
        join(self._thread)


def test_a_thread_that_outlives_its_task_stands_in_the_task_around_it() -> None:
    with capture() as seen:
        with touchdown.task("outer"):
            with touchdown.task("inner"):
                first, second = Waiting(), Waiting()
            first.go()
        second.go()
        assert names_of(seen) == ["outer", "process"]


def test_outside_tasks_the_local_trace_goes_along() -> None:
    place = SpanContext(0xABC, 0xDEF, is_remote=False, trace_flags=TraceFlags(1))
    with capture() as seen:
        with use_span(NonRecordingSpan(place)):
            thread(look)
            submitted(lambda: trace.get_current_span() and look())
        thread(look)
        assert names_of(seen) == [f"trace {0xABC:032x}"[:14]] * 2 + ["process"]


def test_nothing_of_the_hosts_own_context_goes_along() -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("host", default="unset")
    variable.set("set")
    found: list[Any] = []
    with capture(), touchdown.task("goal"):
        thread(lambda: found.append(variable.get()))
        thread(lambda: found.append(trace.get_current_span().get_span_context().is_valid))
    assert found == ["unset", False]


def alive(kind: type) -> int:
    gc.collect()
    return sum(isinstance(found, kind) for found in gc.get_objects())


def test_ten_thousand_nested_spawns_leave_no_trace() -> None:
    depth, rounds = 50, 200
    done = []

    def descend(left: int) -> None:
        done.append(left)
        if left:
            with touchdown.task("deeper"):
                thread(partial(descend, left - 1))

    touchdown.instrument()
    try:
        descend(2)
        done.clear()
        touchdown.flush()
        before = {kind: alive(kind) for kind in (TaskState, Place, Carried)}
        for _ in range(rounds):
            descend(depth)
        assert len(done) == rounds * (depth + 1)
        assert current_place() is None
        touchdown.flush()  # delivers what holds the latest tasks
        after = {kind: alive(kind) for kind in before}
    finally:
        touchdown.uninstrument()
    grown = {kind.__name__: after[kind] - before[kind] for kind in before}
    assert all(count <= 2 for count in grown.values()), grown


# -- the host does not notice --------------------------------------------------------------------


class BrokenError(Exception):
    """The host's own."""


def fail() -> None:
    raise BrokenError("as ever")


def test_exceptions_of_jobs_are_as_without_us_and_are_not_held() -> None:
    def frames(pool: ThreadPoolExecutor) -> list[str]:
        error = pool.submit(fail).exception(JOIN_S)
        return [frame.name for frame in traceback.extract_tb(error and error.__traceback__)]

    with ThreadPoolExecutor(1) as pool:
        before = frames(pool)
        with capture(), touchdown.task("goal"):
            assert frames(pool) == before
            gc.disable()
            try:
                future = pool.submit(fail)
                assert isinstance(future.exception(JOIN_S), BrokenError)
                pool.submit(look).result(JOIN_S)  # the worker has let go of the job before
                gone = weakref.ref(future)
                del future
                assert gone() is None
            finally:
                gc.enable()


def test_exceptions_of_threads_are_as_without_us(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[list[str]] = []

    def hook(raised: threading.ExceptHookArgs) -> None:
        told.append([frame.name for frame in traceback.extract_tb(raised.exc_traceback)])

    monkeypatch.setattr(threading, "excepthook", hook)
    thread(fail)
    with capture(), touchdown.task("goal"):
        thread(fail)
    assert told[0] == told[1] != []


def test_a_thread_that_cannot_be_started_raises_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    started = threading.Thread(target=look, daemon=True)
    with capture(), touchdown.task("goal"):
        started.start()
        join(started)
        with pytest.raises(RuntimeError, match="only be started once"):
            started.start()


def test_what_is_patched_is_given_back_by_identity() -> None:
    patched = [(threading.Thread, "start"), (Future, "add_done_callback")]
    before = [vars(owner)[name] for owner, name in patched]
    touchdown.instrument()
    try:
        assert all(
            vars(owner)[name] is not was for (owner, name), was in zip(patched, before, strict=True)
        )
    finally:
        touchdown.uninstrument()
    assert [vars(owner)[name] for owner, name in patched] == before


def test_what_someone_wrapped_around_ours_stays_and_works(monkeypatch: pytest.MonkeyPatch) -> None:
    touchdown.instrument()
    ours = threading.Thread.start
    started: list[threading.Thread] = []

    def theirs(self: threading.Thread) -> None:
        started.append(self)
        ours(self)

    monkeypatch.setattr(threading.Thread, "start", theirs)
    touchdown.uninstrument()
    assert threading.Thread.start is theirs
    thread(lambda: None)
    assert len(started) == 1
