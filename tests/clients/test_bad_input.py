"""Odd answers and arguments: the host gets what it gets without us, and the record says what is unknown."""

import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.clients import async_shapes, shapes
from tests.clients.apis import APIS, CHAT, MESSAGES, QUESTION, RESPONSES, Api, plain
from tests.clients.conftest import Desk
from tests.clients.test_attempts import told
from touchdown.testing import Reply, capture

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore:Pydantic serializer warnings"
)

ClientOf = Callable[[Api], Any]
HUGE = 10**30
NAMES = {
    CHAT: ("prompt_tokens", "completion_tokens", "prompt_tokens_details", "cached_tokens"),
    RESPONSES: ("input_tokens", "output_tokens", "input_tokens_details", "cached_tokens"),
    MESSAGES: ("input_tokens", "output_tokens", "cache_creation", "ephemeral_5m_input_tokens"),
}


def usages(api: Api) -> dict[str, Any]:
    """Odd values of ``usage``, by what is wrong with them."""
    given, made, nested, part = NAMES[api]
    return {
        "null": None,
        "empty": {},
        "a list": [1, 2],
        "text": "12 tokens",
        "a number": 12,
        "strings": {given: "12", made: "3"},
        "nulls": {given: None, made: None},
        "floats": {given: 12.5, made: 3.0},
        "booleans": {given: True, made: False},
        "negative": {given: -5, made: 3},
        "negative output": {given: 5, made: -3},
        "negative output alone": {made: -3},
        "no output": {given: 12},
        "more cached than there is": {
            given: 5,
            made: 3,
            nested: {part: 99},
            "cache_read_input_tokens": -1,
        },
        "details of another shape": {given: 12, made: 3, nested: "none"},
        "huge": {given: HUGE, made: HUGE},
    }


KNOWN = {"details of another shape": "full", "huge": "full", "no output": "input_only"}
"""The odd ones of which something is known."""


def answer_of(api: Api, usage: Any) -> dict[str, Any]:
    text = {"type": "text", "text": "Paris."}
    return {
        CHAT: {
            "id": "answer_1",
            "object": "chat.completion",
            "created": 1,
            "model": "gpt-5.4",
            "choices": [
                {
                    "index": 0,
                    "finish_reason": "stop",
                    "message": {"role": "assistant", "content": "Paris."},
                }
            ],
        },
        RESPONSES: {
            "id": "answer_1",
            "object": "response",
            "status": "completed",
            "model": "gpt-5.4",
            "output": [{"type": "message", "role": "assistant", "content": [text]}],
        },
        MESSAGES: {
            "id": "answer_1",
            "type": "message",
            "role": "assistant",
            "model": "claude-opus-4-8",
            "stop_reason": "end_turn",
            "content": [text],
        },
    }[api] | {"usage": usage}


def events_of(api: Api, usage: Any) -> str:
    """The same as a stream."""
    whole = answer_of(api, usage)
    if api is CHAT:
        delta = {"index": 0, "delta": {"content": "Paris."}, "finish_reason": "stop"}
        events = [
            whole | {"object": "chat.completion.chunk", "choices": [delta], "usage": None},
            whole | {"object": "chat.completion.chunk", "choices": []},
        ]
    elif api is RESPONSES:
        events = [
            {"type": "response.created", "response": whole | {"status": "in_progress"}},
            {"type": "response.completed", "response": whole},
        ]
    else:
        events = [
            {"type": "message_start", "message": whole},
            {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": usage},
            {"type": "message_stop"},
        ]
    return "".join(sent(event) for event in events)


def sent(event: Any, name: str = "") -> str:
    named = name or (event.get("type", "") if isinstance(event, dict) else "")
    data = event if isinstance(event, str) else json.dumps(event)
    return (f"event: {named}\n" if named else "") + f"data: {data}\n\n"


def outcome(run: Callable[[], Any]) -> Any:
    """What a caller gets: an answer, or the exception with everything that can be seen of it."""
    try:
        return plain(run())
    except Exception as error:
        return told(error)


def compared(
    desk: Desk, reply: Reply, run: Callable[[], Any], caplog: pytest.LogCaptureFixture
) -> Any:
    """The record of a call that is sent and ends as it does without us; none if it is not even begun."""

    def once() -> Any:
        begun = desk.begin()
        desk.script(reply)
        ended = outcome(run)
        return ended, [request.raw for request in desk.provider.requests[begun:]]

    without = once()
    with capture() as seen, caplog.at_level(logging.WARNING, logger="touchdown"):
        assert once() == without
        calls = seen.calls
        assert len(calls) == len(seen.spans) <= 1
        assert calls or not without[1]
    assert len([r for r in caplog.records if r.name == "touchdown"]) <= 1
    return calls[0] if calls else None


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("wrong", usages(CHAT))
@pytest.mark.parametrize("api", NAMES, ids=str)
def test_odd_usage(
    api: Api,
    wrong: str,
    streamed: bool,
    desk: Desk,
    client_of: ClientOf,
    caplog: pytest.LogCaptureFixture,
) -> None:
    usage = usages(api)[wrong]
    body = events_of(api, usage) if streamed else answer_of(api, usage)
    run = shapes.read if streamed else shapes.create
    call = compared(desk, Reply(body=body), lambda: run(api, client_of(api)), caplog)
    assert call.status == "ok"
    coerced = streamed and api is MESSAGES and wrong in ("strings", "booleans")  # by the SDK
    assert call.usage.completeness == ("full" if coerced else KNOWN.get(wrong, "none"))
    if call.usage.completeness == "none":
        assert call.usage.problems
        assert (call.usage.output or 0) >= 0


BODIES = {
    "a list": b"[]",
    "a number": b"7",
    "null": b"null",
    "text": b'"hello"',
    "nothing": b"",
    "half": b'{"id": "answer_1", "usa',
    "an empty object": b"{}",
    "another object": b'{"object": "list", "data": [{"usage": 3}], "choices": 4, "content": 5}',
    "deep": b'{"usage": ' + b'{"a": ' * 200 + b"1" + b"}" * 201,
    "no text": b"\xff\xfe\x00",
}


@pytest.mark.parametrize("run", [shapes.create, shapes.raw, shapes.read], ids=lambda r: r.__name__)
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
@pytest.mark.parametrize("api", APIS, ids=str)
def test_an_answer_of_another_shape(
    api: Api,
    body: bytes,
    run: Any,
    desk: Desk,
    client_of: ClientOf,
    caplog: pytest.LogCaptureFixture,
) -> None:
    call = compared(desk, Reply(body=body), lambda: run(api, client_of(api)), caplog)
    assert call.usage.completeness == "none"
    assert call.usage.problems


@pytest.mark.parametrize("run", [shapes.create, shapes.raw, shapes.read], ids=lambda r: r.__name__)
@pytest.mark.parametrize("api", APIS, ids=str)
def test_a_page_instead_of_an_answer(
    api: Api, run: Any, desk: Desk, client_of: ClientOf, caplog: pytest.LogCaptureFixture
) -> None:
    page = Reply(body=b"<html>Sign in</html>", headers={"content-type": "text/html"})
    call = compared(desk, page, lambda: run(api, client_of(api)), caplog)
    assert call.usage.completeness == "none"


STREAMS = {
    "nothing": "",
    "only a comment": ": still here\n\n",
    "broken JSON": sent('{"type": "messa', "message_start"),
    "broken JSON at the end": "{events}" + sent('{"ty', "message_delta"),
    "an unknown event": sent({"type": "telepathy", "usage": {"input_tokens": 3}}) + "{events}",
    "a list for an event": sent("[1, 2]", "message_start") + "{events}",
    "an error in the middle": "{start}"
    + sent({"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}, "error"),
    "an error at once": sent({"error": {"message": "no", "code": "rate_limit"}}, "error"),
    "no blank line at the end": "data: {}",
    "the end alone": sent("[DONE]"),
    "events out of order": "{end}{start}",
}


@pytest.mark.parametrize(
    "run", [shapes.read, shapes.raw_stream_lines], ids=["events", "lines the host reads"]
)
@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)
@pytest.mark.parametrize("api", NAMES, ids=str)
def test_a_broken_stream(
    api: Api,
    stream: str,
    run: Any,
    desk: Desk,
    client_of: ClientOf,
    caplog: pytest.LogCaptureFixture,
) -> None:
    given, made, *_ = NAMES[api]
    whole = events_of(api, {given: 12, made: 3})
    first, _, rest = whole.partition("\n\n")
    body = stream.replace("{events}", whole).replace("{start}", first + "\n\n")
    body = body.replace("{end}", rest)
    call = compared(desk, Reply(body=body), lambda: run(api, client_of(api)), caplog)
    assert call.usage.completeness != "none" or call.usage.problems


@pytest.mark.parametrize("api", APIS, ids=str)
def test_a_model_nobody_knows(api: Api, client_of: ClientOf) -> None:
    client = client_of(api)
    asked = {**api.ask, "model": "made-up-9000"}
    with capture() as seen:
        api.of(client).create(**asked)
        (call,) = seen.calls
        account = seen.account
    assert (call.model, call.status) == ("made-up-9000", "ok")
    assert account.money.unpriced_calls == 1
    assert not account.money.complete


def once(items: list[Any], left: list[int]) -> Iterator[Any]:
    left.append(1)
    yield from items


@pytest.mark.parametrize("api", APIS, ids=str)
def test_a_generator_is_read_once_and_by_the_sdk(
    api: Api, desk: Desk, client_of: ClientOf, caplog: pytest.LogCaptureFixture
) -> None:
    field = "input" if api is RESPONSES else "messages"
    started: list[int] = []

    def run() -> Any:
        asked = {**api.ask, field: once([QUESTION], started)}
        return api.of(client_of(api)).create(**asked)

    call = compared(desk, Reply("Paris.", response_id="answer_1"), run, caplog)
    if not started:
        assert call.error_type == "TypeError"  # this SDK method takes lists only
        return
    assert len(started) == 2  # with us and without
    sent = desk.provider.requests[-1].body[field]
    assert sent in ([QUESTION], [])  # one SDK method reads it before it sends it
    assert call.usage.completeness == "full"
    assert [segment.kind for segment in call.context.new] == ["tools", *["user"] * len(sent)]


WRONG = {
    "no messages": {"messages": None, "input": None},
    "a number": {"messages": 7, "input": 7},
    "text": {"messages": "hello", "input": "hello"},
    "odd items": {"messages": [None, 3, "x", {"role": 5, "content": {"a": 1}}], "input": [None, 3]},
    "an odd model": {"model": 3},
    "odd tools": {"tools": "all of them"},
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("api", APIS, ids=str)
def test_odd_arguments(
    api: Api,
    wrong: dict[str, Any],
    desk: Desk,
    client_of: ClientOf,
    caplog: pytest.LogCaptureFixture,
) -> None:
    fields = {k: v for k, v in wrong.items() if k in api.ask}

    def run() -> Any:
        return api.of(client_of(api)).create(**{**api.ask, **fields})

    compared(desk, Reply("Paris.", response_id="answer_1"), run, caplog)


@pytest.mark.parametrize("api", APIS, ids=str)
async def test_odd_answers_async(api: Api, desk: Desk, async_client_of: ClientOf) -> None:
    client = async_client_of(api)

    async def run(body: Any, shape: Any) -> Any:
        desk.begin()
        desk.script(Reply(body=body))
        try:
            return plain(await shape(api, client))
        except Exception as error:
            return told(error)

    for body, shape in (
        (b"[]", async_shapes.create),
        (b"", async_shapes.create),
        (sent('{"ty', "message_start"), async_shapes.read),
    ):
        without = await run(body, shape)
        with capture() as seen:
            assert await run(body, shape) == without
            (call,) = seen.calls
        assert call.usage.completeness == "none"
