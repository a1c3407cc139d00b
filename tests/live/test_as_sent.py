"""What goes out is not what a budget was asked for: it is reserved for as it is sent, or not sent."""

from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import openai
import pytest
from openai.types.chat import ChatCompletion

import touchdown
from touchdown.testing import Provider, Reply, Request, capture

ROOM = 20_000
"""Tokens of the budgets here: small histories fit, :data:`HUGE` does not."""
HUGE = "far more than was said before " * 10_000
SHORT = "a few words"


def history(middle: str = SHORT) -> list[dict[str, Any]]:
    said = ["the goal", "well", middle, "yes", "and then?"]
    roles = ("user", "assistant")
    return [{"role": roles[n % 2], "content": text} for n, text in enumerate(said)]


@pytest.fixture
def provider() -> Iterator[Provider]:
    def answer(_request: Request) -> Reply:
        return Reply("a word", output_tokens=4)

    with Provider(answer) as provider:
        yield provider


def ask(client: openai.OpenAI, said: list[dict[str, Any]]) -> None:
    """The host's own list goes out, which no method of the SDK copied."""
    body = {"model": "gpt-5.4", "max_tokens": 40, "messages": said}
    client.post("/chat/completions", cast_to=ChatCompletion, body=body)


def held(task: touchdown.Task) -> tuple[int, int]:
    """Tokens held, and calls counted."""
    _ = task.totals
    cells = task._state.budgets[0]._cells
    return cells[3], cells[5]


class Changing(openai.OpenAI):
    """A client of the host's that changes what it is about to send."""

    change: Callable[[Any], object] | None = None

    def _prepare_options(self, options: Any) -> Any:
        if self.change is not None:
            self.change(options.json_data)
        return options


class AsyncChanging(openai.AsyncOpenAI):
    """The same, async."""

    change: Callable[[Any], object] | None = None

    async def _prepare_options(self, options: Any) -> Any:
        if self.change is not None:
            self.change(options.json_data)
        return options


def grow(body: Any) -> None:
    body["messages"][2]["content"] = HUGE


def replace_whole(body: Any) -> None:
    body["messages"] = history(HUGE)


def add_tools(body: Any) -> None:
    body["tools"] = [{"type": "function", "function": {"name": "f", "description": HUGE}}]


CHANGES = [grow, replace_whole, add_tools]


def test_a_message_that_is_changed_in_place_is_reserved_for(provider: Provider) -> None:
    """The ends are the same, so that nothing is noticed before it is sent."""
    said = history()
    with (
        openai.OpenAI(base_url=provider.openai_url, api_key="k") as client,
        capture() as seen,
        touchdown.task("edits", budget_tokens=ROOM) as task,
    ):
        ask(client, said)
        said[2]["content"] = HUGE
        with pytest.raises(touchdown.BudgetExceeded) as stopped:
            ask(client, said)
        assert stopped.value.unit == "tokens"
        assert (stopped.value.asked or 0) > ROOM
        assert held(task) == (0, 1)
        assert len(provider.requests) == 1
        said[2]["content"] = SHORT
        ask(client, said)
        assert len(provider.requests) == 2
        assert [call.status for call in seen.calls] == ["ok", "not_started", "ok"]
        assert (task.totals.refused_calls, held(task)) == (1, (0, 2))
        assert task.totals.money.complete


def test_a_history_that_shrank_in_place_is_not_refused_for_what_it_was(provider: Provider) -> None:
    said = history(HUGE)
    with openai.OpenAI(base_url=provider.openai_url, api_key="k") as client, capture():
        with (
            touchdown.task("shrinks", budget_tokens=ROOM),
            pytest.raises(touchdown.BudgetExceeded),
        ):
            ask(client, said)
        with touchdown.task("shrinks", budget_tokens=10 * ROOM) as task:
            ask(client, said)
            said[2]["content"] = SHORT
            for _ in range(3):
                ask(client, said)
        assert len(provider.requests) == 4
        assert held(task)[1] == 4


@pytest.mark.parametrize("change", CHANGES)
def test_what_a_client_changes_in_between_is_reserved_for(
    provider: Provider, change: Callable[[Any], object]
) -> None:
    with (
        Changing(base_url=provider.openai_url, api_key="k") as client,
        capture() as seen,
        touchdown.task("changes", budget_tokens=ROOM) as task,
    ):
        ask(client, history())
        client.change = change
        with pytest.raises(touchdown.BudgetExceeded):
            client.chat.completions.create(model="gpt-5.4", messages=history())  # type: ignore[arg-type]
        assert (len(provider.requests), held(task)) == (1, (0, 1))
        client.change = None
        client.chat.completions.create(model="gpt-5.4", messages=history())  # type: ignore[arg-type]
        assert [call.status for call in seen.calls] == ["ok", "not_started", "ok"]


@pytest.mark.parametrize("change", CHANGES)
async def test_async_too(provider: Provider, change: Callable[[Any], object]) -> None:
    async with AsyncChanging(base_url=provider.openai_url, api_key="k") as client:
        with capture(), touchdown.task("changes", budget_tokens=ROOM) as task:
            said: Any = history()
            await client.chat.completions.create(model="gpt-5.4", messages=said)
            client.change = change
            with pytest.raises(touchdown.BudgetExceeded):
                await client.chat.completions.create(model="gpt-5.4", messages=said)
        assert (len(provider.requests), held(task)) == (1, (0, 1))


@pytest.mark.parametrize("change", CHANGES)
def test_it_is_sent_where_the_user_only_wants_to_be_warned(
    provider: Provider, change: Callable[[Any], object]
) -> None:
    with (
        Changing(base_url=provider.openai_url, api_key="k") as client,
        capture() as seen,
        touchdown.task("warned", budget_tokens=ROOM, on_budget="warn") as task,
    ):
        ask(client, history())
        client.change = change
        ask(client, history())
        assert len(provider.requests) == 2
        chars = sum(seen.calls[-1].context.chars_by_kind.values())
        assert chars > len(HUGE)
        assert (held(task), task.totals.refused_calls) == ((0, 2), 0)


def test_a_middleware_that_adds_to_a_request_is_reserved_for(provider: Provider) -> None:
    if not hasattr(anthropic._base_client.SyncAPIClient, "_attempt_request"):
        pytest.skip("this SDK has no middleware")

    def adds(request: Any, call_next: Any) -> Any:
        for message in request.json["messages"]:
            message["content"] = HUGE
        return call_next(request)

    said: Any = history()
    with (
        anthropic.Anthropic(base_url=provider.url, api_key="k") as client,
        capture(),
        touchdown.task("adds", budget_tokens=ROOM) as task,
    ):
        client.messages.create(model="claude-sonnet-5", max_tokens=40, messages=said)
        adding = client.with_options(middleware=[adds])
        with pytest.raises(touchdown.BudgetExceeded):
            adding.messages.create(model="claude-sonnet-5", max_tokens=40, messages=said)
    assert (len(provider.requests), held(task)) == (1, (0, 1))


def test_repeats_are_told_apart_by_all_they_say(provider: Provider) -> None:
    said = history()
    with (
        openai.OpenAI(base_url=provider.openai_url, api_key="k") as client,
        capture(),
        touchdown.task("loop", max_repeats=1, budget_tokens=ROOM),
    ):
        for number in range(3):
            said[2]["content"] = f"other words {number}"
            ask(client, said)
        with pytest.raises(touchdown.BudgetExceeded):
            ask(client, said)
        assert len(provider.requests) == 3


def test_a_gate_that_breaks_lets_the_call_pass(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        Changing(base_url=provider.openai_url, api_key="k") as client,
        capture() as seen,
        touchdown.task("broken", budget_tokens=ROOM) as task,
    ):
        ask(client, history())
        client.change = replace_whole

        def broken(_body: Any) -> None:
            replace_whole(_body)
            monkeypatch.setattr("touchdown.live.budgets.read_after", None)

        client.change = broken
        ask(client, history())
        assert [call.status for call in seen.calls] == ["ok", "ok"]
        assert held(task) == (0, 2)


def test_an_exchange_that_breaks_lets_the_call_pass(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("touchdown.live.reservation.Reservation.exchange", None)
    with (
        Changing(base_url=provider.openai_url, api_key="k") as client,
        capture() as seen,
        touchdown.task("broken", budget_tokens=ROOM),
    ):
        ask(client, history())
        client.change = replace_whole
        ask(client, history())
        assert [call.status for call in seen.calls] == ["ok", "ok"]
