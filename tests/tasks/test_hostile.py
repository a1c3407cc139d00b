"""What the host's own types do when they are looked at: never more than without us."""

import asyncio
import copy
import pickle
from collections.abc import Callable, Generator
from typing import Any

import pytest

import touchdown
from touchdown.testing import capture

asked: list[str] = []


class Lazy:
    """A proxy, as those of Django and Werkzeug: asked for its class, it makes what it stands for."""

    @property
    def __class__(self) -> Any:  # type: ignore[override]
        asked.append("class")
        raise RuntimeError("nothing stands behind it")


class OtherCallback:
    """No future, though it has something of that name."""

    def add_done_callback(self, *, context: object) -> None: ...


class Shy(type):
    def __getattribute__(cls, name: str) -> Any:
        if name in ("add_done_callback", "__await__", "__aiter__"):
            raise RuntimeError(name)
        return super().__getattribute__(name)


class Reserved(metaclass=Shy): ...


class BrokenText(str):
    def __len__(self) -> int:
        raise RuntimeError


class BrokenMapping(dict[str, int]):
    def items(self) -> Any:
        raise RuntimeError


class BrokenBytes(bytearray):
    def __bytes__(self) -> bytes:
        raise RuntimeError


def done_on_a_loop_that_is_closed() -> "asyncio.Future[int]":
    loop = asyncio.new_event_loop()
    future = loop.create_future()
    future.set_result(1)
    loop.close()
    return future


ANSWERS: list[Callable[[], Any]] = [
    Lazy,
    OtherCallback,
    Reserved,
    lambda: BrokenText("text"),
    lambda: BrokenMapping(a=1),
    lambda: BrokenBytes(b"bytes"),
    done_on_a_loop_that_is_closed,
]


@pytest.mark.parametrize("make", ANSWERS)
def test_an_answer_of_the_hosts_own_type_is_handed_on_and_recorded(make: Callable[[], Any]) -> None:
    asked.clear()
    answer = make()
    with capture() as seen:
        assert touchdown.tool(lambda: answer)() is answer
        assert touchdown.agent("other")(lambda: answer)() is answer
        assert touchdown.task("whole")(lambda: answer)() is answer
        assert [tool.status for tool in seen.tools] == ["ok"]
        assert [agent.status for agent in seen.agents if agent.name == "other"] == ["ok"]
    assert asked == []


class Ready:
    """Awaitable, and a value besides."""

    def __init__(self, value: int) -> None:
        self.value = value

    def __await__(self) -> Generator[Any, Any, int]:
        yield from asyncio.sleep(0).__await__()
        return self.value


def test_an_awaitable_is_copied_and_pickled_as_without_us() -> None:
    with capture():
        answer = touchdown.tool(lambda: Ready(7))()
        for made in (copy.copy(answer), copy.deepcopy(answer), pickle.loads(pickle.dumps(answer))):
            assert type(made) is Ready
            assert made.value == 7


class Nameless(type):
    @property
    def __module__(cls) -> str:  # type: ignore[override]
        raise RuntimeError("no module")


class NamelessError(Exception, metaclass=Nameless): ...


def test_an_exception_whose_class_cannot_be_named_stays_the_hosts_own() -> None:
    error = NamelessError("x")

    def fails() -> None:
        raise error

    with capture() as seen:
        for mark in (touchdown.tool, touchdown.agent, touchdown.task):
            with pytest.raises(NamelessError) as caught:
                mark(fails)()
            assert caught.value is error
        assert [tool.error_type for tool in seen.tools] == ["Exception"]
