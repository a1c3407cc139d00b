"""``task``, ``agent`` and ``tool`` as decorators: a decorated function is what it was, and is measured."""

import asyncio
import contextlib
import copy
import functools
import inspect
import pickle
import traceback
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import touchdown
from touchdown.records import AgentRun, ToolCall
from touchdown.testing import Capture, capture

WAYS: dict[str, Callable[[Any], Any]] = {
    "tool": touchdown.tool,
    "tool named": touchdown.tool("named"),
    "tool keywords": touchdown.tool(read_only=True),
    "agent": touchdown.agent,
    "agent named": touchdown.agent("named"),
    "task": touchdown.task,
    "task named": touchdown.task("named"),
    "task keywords": touchdown.task(tags={"team": "a"}, conversation="c"),
}


def told(seen: Capture) -> list[tuple[str, str | None]]:
    """Name and end of every step that ended, and of every task that closed."""
    return [
        (
            record.name,
            record.status if isinstance(record, ToolCall | AgentRun) else record.error_type,
        )
        for record in seen.records
        if isinstance(record, ToolCall | AgentRun)
        or (not hasattr(record, "usage") and record.duration_ns is not None)
    ]


def add(a: int, b: int = 2) -> int:
    """Adds."""
    return a + b


async def add_later(a: int, b: int = 2) -> int:
    """Adds."""
    await asyncio.sleep(0)
    return a + b


def count(a: int, b: int = 2) -> Iterator[int]:
    """Counts."""
    yield a
    yield b


async def count_later(a: int, b: int = 2) -> AsyncIterator[str]:
    """Counts."""
    yield a
    yield b


PLAIN = [add, add_later, count, count_later]


@pytest.mark.parametrize("function", PLAIN, ids=lambda function: function.__name__)
@pytest.mark.parametrize("way", WAYS)
def test_a_decorated_function_looks_as_it_did(way: str, function: Any) -> None:
    decorated = WAYS[way](function)
    asked = (
        inspect.isfunction,
        inspect.iscoroutinefunction,
        inspect.isgeneratorfunction,
        inspect.isasyncgenfunction,
        inspect.signature,
        inspect.getdoc,
        inspect.getsource,
    )
    assert [ask(decorated) for ask in asked] == [ask(function) for ask in asked]
    for name in ("__name__", "__qualname__", "__module__", "__annotations__", "__defaults__"):
        assert getattr(decorated, name) == getattr(function, name)
    assert decorated.__wrapped__ is function
    assert inspect.unwrap(decorated) is function
    assert decorated.__get__(None, int) is not function


async def outcome(function: Any) -> tuple[str, Any]:
    """What a caller gets of it, and of what kind."""
    got = function(1)
    kind = type(got).__name__
    if inspect.isawaitable(got):
        return kind, await got
    if inspect.isasyncgen(got):
        return kind, [item async for item in got]
    return kind, list(got) if inspect.isgenerator(got) else got


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("captured", [True, False])
async def test_callers_get_the_same(way: str, captured: bool) -> None:
    with capture() if captured else contextlib.nullcontext() as seen:
        for function in PLAIN:
            assert await outcome(WAYS[way](function)) == await outcome(function)
        if seen is not None:
            ended = "ok" if not way.startswith("task") else None
            name = "named" if "named" in way else None
            assert told(seen) == [(name or function.__name__, ended) for function in PLAIN]


tool_add = touchdown.tool(add)


@touchdown.tool
def top(text: str) -> str:
    return text


class Box:
    """Tools in every place of a class; ``outer`` ones have the descriptor inside."""

    def __init__(self, text: str = "box") -> None:
        self.text = text

    @touchdown.tool
    def method(self, end: str) -> str:
        return self.text + end

    @touchdown.tool
    async def later(self, end: str) -> str:
        return self.text + end

    @touchdown.tool
    @staticmethod
    def outer_static(end: str) -> str:
        return end

    @staticmethod
    @touchdown.tool
    def inner_static(end: str) -> str:
        return end

    @touchdown.tool
    @classmethod
    def outer_class(cls, end: str) -> str:
        return cls.__name__ + end

    @classmethod
    @touchdown.tool
    def inner_class(cls, end: str) -> str:
        return cls.__name__ + end

    @property
    @touchdown.tool
    def shown(self) -> str:
        return self.text

    @touchdown.tool
    def __call__(self, end: str) -> str:
        return self.text + end


class Smaller(Box):
    """A class below it."""

    @touchdown.tool
    def method(self, end: str) -> str:
        return super().method(end) + "!"


def test_methods_in_both_orders_bound_and_unbound() -> None:
    box, smaller = Box(), Smaller("small")
    with capture() as seen:
        said = [
            box.method("."),
            Box.method(box, "."),
            smaller.method("."),
            asyncio.run(box.later(".")),
            *(getattr(box, f"{order}_static")(".") for order in ("outer", "inner")),
            *(getattr(smaller, f"{order}_class")(".") for order in ("outer", "inner")),
            Box.outer_static("."),
            Box.inner_class("."),
            box.shown,
            box("."),
        ]
        names = [tool.name for tool in seen.tools]
    assert said == [
        *("box.", "box.", "small.!", "box.", ".", ".", "Smaller.", "Smaller.", ".", "Box."),
        *("box", "box."),
    ]
    assert names == [
        *("method", "method", "method", "method", "later", "outer_static", "inner_static"),
        *("outer_class", "inner_class", "outer_static", "inner_class", "shown", "__call__"),
    ]


class Later:
    """A callable object whose call is a coroutine."""

    async def __call__(self, text: str) -> str:
        return text


def as_context(text: str) -> Iterator[str]:
    top("inside")
    yield text
    top("inside")


async def test_other_callables_are_named_and_measured() -> None:
    with capture() as seen:
        assert touchdown.tool(functools.partial(add, 1))(5) == 6
        assert touchdown.tool(functools.partial(functools.partial(add, 1), 1))() == 2
        assert touchdown.tool(lambda text: text)("x") == "x"
        assert touchdown.tool(len)("abc") == 3
        assert await touchdown.tool(Later())("x") == "x"
        with touchdown.tool(contextlib.contextmanager(as_context))("x") as text:
            assert text == "x"
        assert [name for name, _ in told(seen) if name != "top"] == [
            *("add", "add", "<lambda>", "len", "Later", "as_context")
        ]


def test_a_context_manager_made_of_a_decorated_generator_covers_its_own_code_only() -> None:
    with capture() as seen:
        with contextlib.contextmanager(touchdown.agent("setting up")(as_context))("x") as text:
            top("outside")
        (run,) = seen.agents
        assert text == "x"
        assert [tool.agent_id == run.id for tool in seen.tools] == [True, False, True]


def test_a_class_is_measured_where_it_is_made_and_stays_a_class() -> None:
    @touchdown.tool
    class Made:
        def __init__(self, text: str) -> None:
            self.text = top(text)

    class Below(Made):  # type: ignore[misc, valid-type]
        pass

    with capture() as seen:
        made = Made("x")
        assert isinstance(made, Made)
        assert isinstance(Below("y"), Made)
        assert [name for name, _ in told(seen)] == ["top", "Made", "top"]


def test_recursion_and_nesting_are_each_their_own() -> None:
    @touchdown.agent
    def walk(depth: int) -> int:
        return depth if depth == 0 else walk(depth - 1) + 1

    with capture() as seen:
        assert walk(3) == 3
        runs = {run.id: run for run in seen.agents}
        parents = [run.parent_id for run in seen.agents]
        task = seen.account.task.id
        assert parents == [*list(runs)[1:], task]
        assert seen.account.agents == 4


def fail(text: str) -> None:
    raise KeyError(text)


@pytest.mark.parametrize("way", WAYS)
def test_an_exception_passes_with_its_own_traceback(way: str) -> None:
    with capture() as seen:
        with pytest.raises(KeyError) as raised:
            WAYS[way](fail)("x")
        assert traceback.extract_tb(raised.value.__traceback__)[-1].name == "fail"
        assert raised.value.__context__ is None
        assert [end for _, end in told(seen)] == ["KeyError" if way.startswith("task") else "error"]


@pytest.mark.parametrize("error", [StopIteration, StopAsyncIteration, GeneratorExit, SystemExit])
@pytest.mark.parametrize("later", [False, True])
def test_exceptions_with_a_meaning_for_iterators_end_a_step_too(
    error: type[BaseException], later: bool
) -> None:
    @touchdown.tool
    def now() -> None:
        raise error

    @touchdown.tool
    async def then() -> None:
        raise error

    coroutines_turn_it = later and error is StopIteration
    with capture() as seen:
        with pytest.raises(RuntimeError if coroutines_turn_it else error):
            then().send(None) if later else now()
        ((_, end),) = told(seen)
        assert end == {GeneratorExit: "closed_early", SystemExit: "cancelled"}.get(error, "error")


def test_decorated_functions_are_copied_and_pickled_as_functions_are() -> None:
    box = Box("kept")
    for made in (top, Box.inner_static, box.method):
        for again in (pickle.loads(pickle.dumps(made)), copy.copy(made), copy.deepcopy(made)):
            with capture() as seen:
                assert again("x") == made("x")
                assert len(seen.tools) == 2
    assert pickle.loads(pickle.dumps(top)) is copy.deepcopy(top) is top
    assert copy.deepcopy(box.method).__self__ is not box
    assert {"a": top, "b": Box.method} == copy.copy({"a": top, "b": Box.method})
    with pytest.raises(pickle.PicklingError):
        pickle.dumps(tool_add)  # another object bears the name, as with any decorator


def test_the_rule_of_a_tool_that_raises_is_ours_to_swallow(
    caplog: pytest.LogCaptureFixture,
) -> None:
    from touchdown.runtime.guard import forget_warnings

    @touchdown.tool(failed=lambda result: result["exit"] != 0)
    def shell(result: Any) -> Any:
        return result

    forget_warnings()
    with capture() as seen:
        for result in ("no mapping", "again", {"exit": 1}, {"exit": 0}):
            assert shell(result) is result
        assert [(tool.failed, tool.failure) for tool in seen.tools] == [
            *[(False, None)] * 2,
            (True, "rule"),
            (False, None),
        ]
    (line,) = caplog.messages
    assert line.startswith("touchdown: tool.failed failed; the call is not affected (TypeError at ")
    forget_warnings()


async def test_futures_and_other_awaitables_are_handed_on_as_they_are() -> None:
    class Request:
        """Awaitable, and a context manager besides, as those of aiohttp are."""

        def __await__(self) -> Any:
            yield from asyncio.sleep(0).__await__()
            return "got"

        async def __aenter__(self) -> str:
            return "entered"

        async def __aexit__(self, *_error: object) -> None: ...

    class Cursor(Request):
        """One whose rows can be read besides."""

        async def __aiter__(self) -> AsyncIterator[str]:
            yield "row "
            yield "and row"

    made: list[Any] = []

    @touchdown.tool
    def start(what: Callable[[], Awaitable[str]]) -> Any:
        made.append(what())
        return made[-1]

    async def raises() -> str:
        raise KeyError("x")

    with capture() as seen, ThreadPoolExecutor(1) as pool:
        running = start(lambda: asyncio.ensure_future(asyncio.sleep(0, "slept")))
        assert running is made[-1]
        assert seen.tools == []
        assert await running == "slept"
        assert await start(lambda: asyncio.wrap_future(pool.submit(top, "x"))) == "x"
        assert start(lambda: pool.submit(str, "y")).result() == "y"
        with pytest.raises(KeyError):
            await start(lambda: asyncio.ensure_future(raises()))
        cancelled = start(lambda: asyncio.ensure_future(asyncio.sleep(9)))
        cancelled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        assert isinstance(start(Request), Request)
        assert await start(Request) == "got"
        async with start(Request) as entered:
            assert entered == "entered"
        assert [row async for row in start(Cursor)] == ["row ", "and row"]
        assert isinstance(start(Cursor), AsyncIterable)
        assert not isinstance(start(Request), AsyncIterable)
        pool.shutdown()  # its callbacks have run then
        ended = [(tool.status, tool.output_chars) for tool in seen.tools if tool.name == "start"]
    assert sorted(ended, key=str) == sorted(
        [
            *[("ok", 5), ("ok", 1), ("ok", 1), ("ok", 3), ("error", None), ("cancelled", None)],
            *[("ok", 7), ("ok", 11)],  # entered; iterated
            *[("not_started", None)] * 3,
        ],
        key=str,
    )


async def test_a_failed_future_that_nobody_looked_at_is_still_said_by_asyncio() -> None:
    said: list[str] = []
    asyncio.get_running_loop().set_exception_handler(
        lambda _loop, context: said.append(context["message"])
    )

    async def raises() -> None:
        raise KeyError("x")

    with capture():
        touchdown.tool(lambda: asyncio.ensure_future(raises()))()
        await asyncio.sleep(0.01)
    assert said == ["Task exception was never retrieved"]
