"""Generators and coroutines of users: every way to drive, leave and never begin them."""

import asyncio
import gc
import sys
import warnings
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from typing import Any

import pytest

import touchdown
from touchdown.testing import Capture, capture

LOG: list[str] = []


def talk() -> Generator[str, str | None, str]:
    """Says what it is told, survives one KeyError, ends on ``stop``."""
    said: str | None = "begin"
    try:
        while said != "stop":
            try:
                said = yield f"<{said}>"
            except KeyError:
                said = "caught"
        return "returned"
    finally:
        LOG.append("cleaned up")


async def talk_later() -> Any:
    said: str | None = "begin"
    try:
        while said != "stop":
            try:
                said = yield f"<{said}>"
            except KeyError:
                said = "caught"
    finally:
        await asyncio.sleep(0)
        LOG.append("cleaned up")


def stubborn() -> Generator[str, None, None]:
    """Does not let itself be closed."""
    while True:
        try:
            yield "still here"
        except GeneratorExit:
            continue


@touchdown.tool
def mark() -> str:
    return "x"


def drive(steps: str, generator: Any) -> list[Any]:
    """What a consumer sees at each step; exceptions by their type and value."""
    seen: list[Any] = []
    do: dict[str, Callable[[], Any]] = {
        "n": lambda: next(generator),
        "s": lambda: generator.send("more"),
        "e": lambda: generator.send("stop"),
        "k": lambda: generator.throw(KeyError("k")),
        "v": lambda: generator.throw(ValueError("v")),
        "g": lambda: generator.throw(GeneratorExit()),
        "c": lambda: generator.close(),
        "t": lambda: generator.send("too early"),
    }
    for step in steps:
        try:
            seen.append(do[step]())
        except BaseException as error:
            seen.append((type(error), str(error), getattr(error, "value", None)))
    return seen


@pytest.mark.parametrize(
    "steps",
    [
        "",
        "n",
        "nnn",
        "nsse",
        "nsen",
        "nksk",
        "nv",
        "nvn",
        "kn",
        "v",
        "nc",
        "ncn",
        "cn",
        "ng",
        "gn",
        "t",
        "tn",
    ],
)
@pytest.mark.parametrize("way", [touchdown.tool, touchdown.agent, touchdown.task])
def test_a_generator_answers_every_step_as_without_us(
    way: Callable[[Any], Any], steps: str
) -> None:
    LOG.clear()
    expected, log = drive(steps, talk()), list(LOG)
    LOG.clear()
    with capture():
        assert drive(steps, way(talk)()) == expected
    assert log == LOG


@pytest.mark.parametrize("steps", ["nc", "ncn", "ng", "ngncn"])
def test_a_generator_that_does_not_let_itself_be_closed_does_not_with_us(steps: str) -> None:
    plain = stubborn()
    with capture() as seen:
        ours = touchdown.tool(stubborn)()
        assert drive(steps, ours) == drive(steps, plain)
        for generator in (plain, ours):
            with pytest.raises(ZeroDivisionError):
                generator.throw(ZeroDivisionError())
        assert ends(seen) == [("stubborn", "error")]


def ends(seen: Capture) -> list[tuple[str, str]]:
    return [(tool.name, tool.status) for tool in seen.tools]


@pytest.mark.parametrize(
    ("steps", "status"),
    [
        ("", "not_started"),
        ("n", "closed_early"),
        ("nc", "closed_early"),
        ("c", "not_started"),
        ("ne", "ok"),
        ("nv", "error"),
        ("v", "not_started"),
    ],
)
def test_how_a_generator_ended_is_recorded_once(steps: str, status: str) -> None:
    with capture() as seen:
        generator = touchdown.tool(talk)()
        drive(steps, generator)
        del generator
        gc.collect()
        assert ends(seen) == [("talk", status)]


def test_yield_from_and_the_returned_value() -> None:
    inner = touchdown.tool(talk)

    def outer() -> Generator[str, str | None, str]:
        return (yield from inner())

    with capture() as seen:
        assert drive("nske", outer()) == drive("nske", talk())
        assert [(tool.status, tool.output_chars) for tool in seen.tools] == [("ok", 21)]


def test_nothing_that_was_handed_out_or_thrown_in_is_kept() -> None:
    class Big:
        pass

    held: list[int] = []

    @touchdown.tool
    def big() -> Iterator[Any]:
        yield Big()
        held.append(sum(isinstance(thing, Big) for thing in gc.get_objects()))
        yield None

    with capture():
        generator = big()
        next(generator)
        next(generator)
        assert held == [0]
        gc.collect()
        gc.disable()
        try:
            broken = touchdown.tool(talk)()
            next(broken)
            error: Exception | None = ValueError("v")
            with pytest.raises(ValueError, match="v"):
                broken.throw(error)
            del broken
            references = sys.getrefcount(error)
            error = None
            gc.collect()
        finally:
            gc.enable()
    assert references <= 4


async def drive_later(steps: str, generator: Any) -> list[Any]:
    seen: list[Any] = []
    do: dict[str, Callable[[], Any]] = {
        "n": lambda: generator.__anext__(),
        "s": lambda: generator.asend("more"),
        "e": lambda: generator.asend("stop"),
        "k": lambda: generator.athrow(KeyError("k")),
        "v": lambda: generator.athrow(ValueError("v")),
        "c": lambda: generator.aclose(),
    }
    for step in steps:
        try:
            seen.append(await do[step]())
        except BaseException as error:
            seen.append((type(error), str(error)))
    return seen


@pytest.mark.parametrize(
    "steps", ["n", "nnn", "nsse", "nsen", "nksk", "nv", "nvn", "v", "nc", "ncn", "cn"]
)
@pytest.mark.parametrize("way", [touchdown.tool, touchdown.agent, touchdown.task])
async def test_an_async_generator_answers_every_step_as_without_us(
    way: Callable[[Any], Any], steps: str
) -> None:
    LOG.clear()
    expected = await drive_later(steps, talk_later())
    gc.collect()
    await asyncio.sleep(0.01)
    log = list(LOG)
    LOG.clear()
    with capture():
        assert await drive_later(steps, way(talk_later)()) == expected
        gc.collect()
        await asyncio.sleep(0.01)  # the loop closes what was dropped
    assert log == LOG


@pytest.mark.parametrize(
    ("steps", "status"),
    [
        ("", "not_started"),
        ("n", "closed_early"),
        ("nc", "closed_early"),
        ("ne", "ok"),
        ("nv", "error"),
    ],
)
async def test_how_an_async_generator_ended_is_recorded_once(steps: str, status: str) -> None:
    with capture() as seen:
        generator = touchdown.tool(talk_later)()
        await drive_later(steps, generator)
        del generator
        gc.collect()
        await asyncio.sleep(0.01)
        assert ends(seen) == [("talk_later", status)]


async def test_a_consumer_stands_outside_between_two_steps() -> None:
    @touchdown.agent
    def numbers() -> Iterator[int]:
        with touchdown.task("inside"):
            mark()
            yield 1
        mark()
        yield 2

    @touchdown.agent
    async def numbers_later() -> AsyncIterator[int]:
        mark()
        yield 1
        await asyncio.sleep(0)
        mark()
        yield 2

    with capture() as seen, touchdown.task("consumer") as task:
        first, second = numbers(), numbers()
        for generator in (first, second, first, second):
            next(generator)
            assert touchdown.current_task().id == task.id  # type: ignore[union-attr]
            mark()
        first.close()
        async for _ in numbers_later():
            mark()
        agents = [tool.agent_id for tool in seen.tools]
        assert agents.count(task.id) == 6
        assert len(set(agents) - {task.id}) == 5


async def test_an_abandoned_or_cancelled_coroutine_ends() -> None:
    @touchdown.tool
    async def waits() -> None:
        await asyncio.sleep(60)

    with capture() as seen:
        begun = waits()
        begun.send(None)
        begun.close()
        running = asyncio.create_task(waits())
        await asyncio.sleep(0)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert ends(seen) == [("waits", "closed_early"), ("waits", "cancelled")]
        assert touchdown.current_task().name == "process"  # type: ignore[union-attr]


@pytest.mark.parametrize("way", [touchdown.tool, touchdown.agent, touchdown.task])
def test_python_says_of_a_coroutine_never_awaited_what_it_says_without_us(
    way: Callable[[Any], Any],
) -> None:
    async def forgotten() -> None: ...

    def said(function: Any) -> list[tuple[type[Warning], str]]:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            function()
            gc.collect()
        return [(warning.category, str(warning.message)) for warning in caught]

    with capture() as seen:
        assert said(way(forgotten)) == said(forgotten) != []
        ended = [
            getattr(record, "status", getattr(record, "error_type", None))
            for record in seen.records
        ]
        assert ended[-1] == "not_started"
