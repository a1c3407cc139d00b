"""Anthropic's message threads: each call sends only what is new, and is billed for the whole conversation."""

from collections.abc import Callable
from typing import Any

import anthropic
import pytest

from tests.clients.apis import BETA, Api
from tests.clients.conftest import Desk
from touchdown.testing import Reply, ToolUse, capture
from touchdown.testing.provider import count_tokens

pytestmark = [
    pytest.mark.skipif(
        not hasattr(anthropic.resources.beta.messages.Messages, "thread"),
        reason="this SDK has no message threads",
    ),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

ClientOf = Callable[[Api], Any]
MODEL = "claude-opus-4-8"
RULES = "Answer from the files you were given, and name the line. " * 150
CACHED = {"cache_control": {"type": "ephemeral"}}
OPAQUE = "thread: the messages before lie on the server"


def thread_of(client: Any, **more: Any) -> Any:
    return client.beta.messages.thread(model=MODEL, max_tokens=99, system=RULES, **more)


def user(text: str) -> Any:
    return {"role": "user", "content": text}


def check_life(calls: list[Any], desk: Desk) -> None:
    """Two calls of one thread: the second sends little, and its input is the first's and more."""
    first, second = calls
    sent = [request.body for request in desk.provider.requests[-2:]]
    assert "system" not in sent[1]
    assert len(sent[1]["messages"]) == 1
    assert (first.previous_response_id, first.context.opaque) == ("", None)
    assert second.previous_response_id == first.response_id == "answer_1"
    assert second.context.opaque == OPAQUE
    assert [segment.kind for segment in second.context.new] == ["user"]
    new = count_tokens("One.", MODEL) + count_tokens("And the next?", MODEL)
    assert second.usage.input_tokens == first.usage.input_tokens + new
    assert (second.usage.completeness, second.status) == ("full", "ok")


ANSWERS = (Reply("One.", response_id="answer_1"), Reply("Two.", response_id="answer_2"))


def send(thread: Any, text: str) -> Any:
    return thread.send(user(text)).content[0].text


def stream(thread: Any, text: str) -> Any:
    with thread.stream(user(text)) as events:
        return events.get_final_message().content[0].text


@pytest.mark.parametrize("turn", [send, stream], ids=lambda turn: turn.__name__)
def test_a_thread(turn: Any, desk: Desk, claude: Any) -> None:
    desk.script(*ANSWERS)
    with capture() as seen:
        thread = thread_of(claude, **CACHED)
        assert [turn(thread, "Which line?"), turn(thread, "And the next?")] == ["One.", "Two."]
        first, second = seen.calls
        assert len(seen.spans) == 2
        check_life([first, second], desk)
    assert first.usage.written_tokens == first.usage.input_tokens
    assert second.usage.cache_read == first.usage.input_tokens
    assert second.usage.written_tokens > 0


async def test_a_thread_async(desk: Desk, async_client_of: ClientOf) -> None:
    client = async_client_of(BETA)
    desk.script(*ANSWERS)
    with capture() as seen:
        thread = thread_of(client)
        await thread.send(user("Which line?"))
        async with thread.stream(user("And the next?")) as events:
            assert (await events.get_final_message()).content[0].text == "Two."
        check_life(seen.calls, desk)


def test_a_thread_that_expired_is_sent_whole_again(desk: Desk, claude: Any) -> None:
    desk.script(*ANSWERS)
    with capture() as seen:
        thread = thread_of(claude)
        send(thread, "Which line?")
        desk.provider.clock.advance(301)
        assert send(thread, "And the next?") == "Two."
        first, refused, again = seen.calls
    assert (refused.status, refused.http_status) == ("error", 404)
    assert refused.usage.completeness == "none"
    assert (again.previous_response_id, again.context.opaque) == ("", None)
    assert again.usage.input_tokens > first.usage.input_tokens
    assert len(again.context.new) + again.context.shared == 4  # the rules and three messages


def test_continuing_from_an_answer_nobody_gave(desk: Desk, claude: Any) -> None:
    with capture() as seen:
        with pytest.raises(anthropic.NotFoundError) as refused:
            claude.beta.messages.create(
                model=MODEL,
                max_tokens=99,
                messages=[user("And?")],
                thread={"type": "continue", "previous_message_id": "msg_unknown"},
            )
        (call,) = seen.calls
    assert refused.value.body["error"]["details"] == {"error_code": "thread_not_found"}
    assert (call.status, call.previous_response_id) == ("error", "msg_unknown")
    assert desk.provider.requests


def tool(kind: str) -> Any:
    async def run_tests_async(pattern: str) -> str:
        """Runs the tests.

        Args:
            pattern: Which ones.
        """
        return f"1 failed: {pattern}"

    def run_tests(pattern: str) -> str:
        """Runs the tests.

        Args:
            pattern: Which ones.
        """
        return f"1 failed: {pattern}"

    if kind == "async":
        return anthropic.beta_async_tool(name="run_tests")(run_tests_async)
    return anthropic.beta_tool(run_tests)


TURNS = (
    Reply("", [ToolUse("run_tests", {"pattern": "a"}, id="call_1")], response_id="answer_1"),
    Reply("", [ToolUse("run_tests", {"pattern": "b"}, id="call_2")], response_id="answer_2"),
    Reply("It is b.", response_id="answer_3"),
)


def runner_of(client: Any, kind: str, **more: Any) -> Any:
    return client.beta.messages.tool_runner(
        model=MODEL, max_tokens=99, messages=[user("Which fails?")], tools=[tool(kind)], **more
    )


def check_runner(seen: Any, last: Any) -> None:
    calls = seen.calls
    assert last.content[0].text == "It is b."
    assert [call.previous_response_id for call in calls] == ["", "answer_1", "answer_2"]
    inputs = [call.usage.input_tokens for call in calls]
    assert inputs == sorted(set(inputs))
    results = [part.call_id for call in calls for part in call.context.new if part.call_id]
    assert results == ["call_1", "call_2"]
    assert [(row.name, row.calls) for row in seen.account.tools] == [("run_tests", 2)]
    assert {call.usage.completeness for call in calls} == {"full"}
    assert len([span for span in seen.spans if span.kind.name == "CLIENT"]) == 3


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_the_tool_runner(streamed: bool, desk: Desk, claude: Any) -> None:
    desk.script(*TURNS)
    with capture() as seen:
        check_runner(seen, runner_of(claude, "sync", stream=streamed).until_done())


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
async def test_the_async_tool_runner(streamed: bool, desk: Desk, async_client_of: ClientOf) -> None:
    desk.script(*TURNS)
    with capture() as seen:
        runner = runner_of(async_client_of(BETA), "async", stream=streamed)
        check_runner(seen, await runner.until_done())


def test_a_tool_runner_without_a_thread_sends_everything(desk: Desk, claude: Any) -> None:
    desk.script(*TURNS)
    with capture() as seen:
        runner_of(claude, "sync", thread=False).until_done()
        assert {call.previous_response_id for call in seen.calls} == {""}
        assert {call.context.opaque for call in seen.calls} == {None}
        assert [(row.name, row.calls) for row in seen.account.tools] == [("run_tests", 2)]
