"""Tools, agents and tasks in every form a function has, and the host that never notices."""

import asyncio
import gc
import logging
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

import touchdown
from touchdown.runtime.delivery import Delivery
from touchdown.testing import Provider, capture


@touchdown.tool
def plain(text: str) -> str:
    return text * 2


@touchdown.tool
async def awaited(text: str) -> str:
    await asyncio.sleep(0)
    return text * 2


@touchdown.tool
def yielded(text: str) -> Iterator[str]:
    got = yield text
    yield got or text


@touchdown.tool
async def yielded_async(text: str) -> AsyncIterator[str]:
    yield text
    yield text


class Box:
    @touchdown.tool
    def method(self, text: str) -> str:
        return text

    @staticmethod
    @touchdown.tool
    def static(text: str) -> str:
        return text

    @classmethod
    @touchdown.tool
    def of_class(cls, text: str) -> str:
        return text


async def everything() -> None:
    assert plain("ab") == "abab"
    assert await awaited("ab") == "abab"
    generator = yielded("ab")
    assert (next(generator), generator.send("cd")) == ("ab", "cd")
    assert list(generator) == []
    assert [item async for item in yielded_async("ab")] == ["ab", "ab"]
    assert (Box().method("ab"), Box.static("ab"), Box.of_class("ab")) == ("ab", "ab", "ab")


def test_every_form_of_a_tool_is_measured_once() -> None:
    with capture() as seen:
        asyncio.run(everything())
        measured = {tool.name: (tool.output_chars, tool.status) for tool in seen.tools}
    assert measured == {
        "plain": (4, "ok"),
        "awaited": (4, "ok"),
        "yielded": (4, "ok"),
        "yielded_async": (4, "ok"),
        "method": (2, "ok"),
        "static": (2, "ok"),
        "of_class": (2, "ok"),
    }


def test_generators_that_are_left_and_coroutines_never_awaited_are_said_so() -> None:
    with capture() as seen:
        generator = yielded("ab")
        next(generator)
        generator.close()
        awaited("ab").close()
        gc.collect()
        assert [(tool.name, tool.status) for tool in seen.tools] == [
            ("yielded", "closed_early"),
            ("awaited", "not_started"),
        ]


def test_failures_are_told_apart_and_pass_unchanged() -> None:
    @touchdown.tool(failed=lambda result: "FAILED" in result)
    def by_rule() -> str:
        return "2 FAILED"

    @touchdown.tool
    def raises() -> None:
        raise KeyError("gone")

    @touchdown.tool
    def interrupted() -> None:
        raise KeyboardInterrupt

    with capture() as seen:
        assert by_rule() == "2 FAILED"
        with pytest.raises(KeyError) as raised:
            raises()
        with pytest.raises(KeyboardInterrupt):
            interrupted()
        told = [(tool.name, tool.failed, tool.failure, tool.status) for tool in seen.tools]
    assert raised.traceback[-1].name == "raises"
    assert told == [
        ("by_rule", True, "rule", "ok"),
        ("raises", True, "raised", "error"),
        ("interrupted", False, None, "cancelled"),
    ]


def test_tasks_nest_and_agents_follow_the_code_across_yields() -> None:
    @touchdown.agent("walker")
    def walker() -> Iterator[str]:
        plain("inside")
        yield "x"
        plain("inside")

    with capture() as seen:
        with touchdown.task("outer") as outer:
            for _ in walker():
                plain("outside")
            with touchdown.task("inner"):
                plain("inner")
        (run,) = seen.agents
        agents = [tool.agent_id == run.id for tool in seen.tools]
        owners = {tool.task_id for tool in seen.tools}
        assert agents == [True, False, True, False]
        assert len(owners) == 2
        assert outer.totals.tool_calls == 4
        assert [account.task.name for account in seen.accounts] == ["outer"]


def test_outcomes_may_come_late() -> None:
    with capture() as seen:
        with touchdown.task("late") as task:
            pass
        assert seen.summary.unknown == 1
        task.useless("the user said so")
        assert (seen.summary.useless, seen.summary.unknown) == (1, 0)


def test_a_broken_accountant_never_reaches_the_host(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    openai = pytest.importorskip("openai")
    from touchdown.accounting.ledger import Ledger
    from touchdown.runtime.guard import forget_warnings

    def broken(self: Any, record: Any) -> None:
        raise RuntimeError("broken on purpose")

    forget_warnings()
    monkeypatch.setattr(Ledger, "add", broken)
    asked: Any = {"model": "gpt-5.4", "messages": [{"role": "user", "content": "x"}]}
    caplog.set_level(logging.WARNING, "touchdown")
    with Provider(["fine", "fine"]) as provider, capture() as seen:
        client = openai.OpenAI(base_url=provider.openai_url, api_key="k")
        for _ in range(2):
            assert client.chat.completions.create(**asked).choices[0].message.content == "fine"
        assert len(seen.calls) == 2
    told = "touchdown: accountant.fold failed; the call is not affected (RuntimeError at runtime/"
    assert [line.startswith(told) for line in caplog.messages] == [True]
    forget_warnings()


class Item:
    def __init__(self, number: int, told: list[int]) -> None:
        self.number, self.told = number, told

    def deliver(self) -> None:
        if self.number == 3:
            raise ValueError("broken on purpose")
        self.told.append(self.number)

    def drop(self) -> None:
        self.told.append(-self.number)


def test_delivery_keeps_the_order_passes_over_a_broken_item_and_counts_what_is_dropped() -> None:
    told: list[int] = []
    delivery = Delivery(capacity=5)
    with delivery._lock:
        for number in range(1, 8):
            delivery.put(Item(number, told))
        assert (told, delivery.dropped) == ([-6, -7], 2)
        delivery.drain()
    assert told == [-6, -7, 1, 2, -3, 4, 5]
    delivery.close(1.0)


def test_many_threads_are_folded_exactly() -> None:
    with capture() as seen, touchdown.task("threads") as task:
        import contextvars

        def work(context: contextvars.Context) -> None:
            for _ in range(50):
                context.run(plain, "ab")

        threads = [
            threading.Thread(target=work, args=(contextvars.copy_context(),)) for _ in range(16)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert task.totals.tool_calls == 800
        assert {tool.output_chars for tool in seen.tools} == {4}
