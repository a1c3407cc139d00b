"""Functions of the user's that we call: asynchronous by mistake, or leaving in unusual ways."""

import asyncio
import gc
import threading
import warnings
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import openai
import pytest

import touchdown
from touchdown.live.budgets import BudgetGate
from touchdown.runtime import core
from touchdown.runtime.guard import forget_warnings
from touchdown.testing import Provider, capture


async def later(*_given: object) -> bool:
    raise AssertionError("nobody awaits this")


class Later:
    async def __call__(self, *_given: object) -> bool:
        raise AssertionError("nobody awaits this")


LATER: list[Callable[..., Any]] = [lambda *_given: later(), Later()]


@pytest.fixture(autouse=True)
def _nothing_unawaited() -> Iterator[None]:
    """Python says of a coroutine that is let go of unawaited that it was never awaited."""
    forget_warnings()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", RuntimeWarning)
        yield
        gc.collect()
    assert [str(one.message) for one in said if one.category is RuntimeWarning] == []
    forget_warnings()


def said_once(caplog: pytest.LogCaptureFixture, place: str) -> bool:
    return caplog.messages == [f"touchdown: {place} is to be a plain function; nobody awaits it"]


@pytest.mark.parametrize("decide", LATER)
def test_a_decision_that_must_be_awaited_lets_no_call_over_a_budget(
    decide: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    with Provider(["hello"]) as provider, capture():
        client = openai.OpenAI(base_url=provider.openai_url, api_key="test")
        with touchdown.task("asked", max_calls=0, on_budget=decide):
            for _ in range(2):
                with pytest.raises(touchdown.BudgetExceeded):
                    client.chat.completions.create(model="gpt-5.4", messages=[])
        client.close()
        assert provider.requests == []
    assert said_once(caplog, "on_budget")


@pytest.mark.parametrize("rule", [*LATER, later])
def test_a_rule_that_must_be_awaited_says_of_no_tool_that_it_failed(
    rule: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    with capture() as seen:
        for _ in range(2):
            assert touchdown.tool(failed=rule)(lambda: "found")() == "found"
        assert [tool.failed for tool in seen.tools] == [False, False]
    assert said_once(caplog, "tool(failed=)")


def leaves(error: BaseException) -> Callable[[str], str]:
    def redact(_text: str) -> str:
        raise error

    return redact


@pytest.mark.parametrize(
    "redact", [*LATER, *map(leaves, [SystemExit(3), GeneratorExit(), asyncio.CancelledError()])]
)
def test_a_redaction_that_leaves_in_an_unusual_way_drops_the_content_alone(
    redact: Callable[[str], str],
) -> None:
    with capture(capture_content=True, redact=redact) as seen:
        assert touchdown.tool(lambda: "found")() == "found"
        (tool,) = seen.tools
        assert tool.output_chars == 5
        (span,) = [span for span in seen.spans if span.attributes]
        assert "found" not in str(span.to_json())
        runtime = core.active()
        assert runtime is not None
        assert runtime.flush(30)
        assert runtime.accountant.lost()["records"] == 0


@pytest.mark.parametrize("left", [SystemExit(3), KeyboardInterrupt()])
def test_updates_go_on_whatever_the_function_raises(left: BaseException) -> None:
    twice, told = threading.Event(), []

    def told_of(_accounts: object) -> None:
        told.append(1)
        if len(told) == 2:
            twice.set()
        raise left

    with capture():
        updates = touchdown.on_update(told_of, every=0.05)
        while not twice.wait(0.02):
            touchdown.tool(lambda: "found")()
            assert updates.active
        updates.cancel()


def test_a_call_that_ends_while_its_budgets_are_looked_at_waits_for_nobody() -> None:
    """The garbage collector lets go of a stream anywhere: in the same thread, and under any lock."""
    gate: Any = BudgetGate(None, None, lambda: None, lambda _task: None)  # type: ignore[arg-type]
    ended = SimpleNamespace(view=object(), place=SimpleNamespace(agent_id="agent"))

    def end_inside() -> None:
        with gate._lock:
            gate.note_ended(ended, None)

    thread = threading.Thread(target=end_inside, daemon=True)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()
