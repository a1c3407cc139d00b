"""The SDKs' own helpers: parsing, helper streams with their iterators, tool runners."""

import gc
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from pydantic import BaseModel

from tests.clients.apis import BETA, CHAT, MESSAGES, RESPONSES, TEXT, Api, plain
from tests.clients.conftest import Desk
from touchdown.testing import Reply, ToolUse, capture

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

Use = Callable[[Any], Any]
PROSE = Reply(TEXT, response_id="answer_1", chunk_chars=6)


class Verdict(BaseModel):
    """What the model is asked to answer."""

    test: str


JSON = Reply('{"test": "test_sum"}', response_id="answer_1", chunk_chars=6)


def ask_of(api: Api, **more: Any) -> dict[str, Any]:
    return {name: value for name, value in api.ask.items() if name != "tools"} | more


def asks_usage(api: Api) -> dict[str, Any]:
    return {"stream_options": {"include_usage": True}} if api is CHAT else {}


PARSED = [
    (CHAT, {"response_format": Verdict}),
    (RESPONSES, {"text_format": Verdict}),
    (MESSAGES, {"output_format": Verdict}),
    (BETA, {"output_format": Verdict}),
]


@pytest.mark.parametrize(
    ("api", "form"), PARSED, ids=lambda value: str(value) if isinstance(value, Api) else ""
)
def test_parse(api: Api, form: dict[str, Any], desk: Desk, client_of: Callable[[Api], Any]) -> None:
    parse = api.of(client_of(api)).parse
    desk.script(JSON)
    without = plain(parse(**ask_of(api), **form))
    desk.begin()
    desk.script(JSON)
    with capture() as seen:
        answer = parse(**ask_of(api), **form)
        (call,) = seen.calls
    assert plain(answer) == without
    assert "Verdict" in repr(answer)
    assert (call.api, call.status, call.usage.completeness) == (api.name, "ok", "full")


def whole(stream: Any) -> Any:
    return [event.type for event in stream]


def until_done(stream: Any) -> Any:
    stream.until_done()


def first_event(stream: Any) -> Any:
    return next(iter(stream)).type


def nothing(stream: Any) -> Any:
    return None


def closed(stream: Any) -> Any:
    next(iter(stream))
    stream.close()


def raised(stream: Any) -> Any:
    next(iter(stream))
    raise KeyError("the host's own")


FINALS = {
    CHAT: ("get_final_completion",),
    RESPONSES: ("get_final_response",),
    MESSAGES: ("get_final_message", "get_final_text"),
    BETA: ("get_final_message", "get_final_text"),
}


def final(name: str) -> Use:
    return lambda stream: getattr(stream, name)()


def texts(stream: Any) -> Any:
    return list(stream.text_stream)


def first_text(stream: Any) -> Any:
    return next(iter(stream.text_stream))


def text_then_message(stream: Any) -> Any:
    return list(stream.text_stream), stream.get_final_message()


def helper_cases() -> Iterator[Any]:
    everything: dict[str, tuple[Use, str]] = {
        "iterated": (whole, "ok"),
        "until_done": (until_done, "ok"),
        "first event": (first_event, "closed_early"),
        "unread": (nothing, "not_read"),
        "closed": (closed, "closed_early"),
        "left by an error": (raised, "closed_early"),
    }
    anthropic: dict[str, tuple[Use, str]] = {
        "text_stream": (texts, "ok"),
        "first text": (first_text, "closed_early"),
        "text_stream, then the message": (text_then_message, "ok"),
    }
    for api, finals in FINALS.items():
        uses = everything | {name: (final(name), "ok") for name in finals}
        if api.vendor == "anthropic":
            uses |= anthropic
        for name, (use, status) in uses.items():
            yield pytest.param(api, use, status, id=f"{api}-{name}")


@pytest.mark.parametrize(("api", "use", "status"), list(helper_cases()))
def test_a_helper_stream(
    api: Api, use: Use, status: str, desk: Desk, client_of: Callable[[Api], Any]
) -> None:
    def run() -> Any:
        desk.begin()
        desk.script(PROSE)
        with (
            suppress(KeyError),
            api.of(client_of(api)).stream(**ask_of(api), **asks_usage(api)) as stream,
        ):
            return type(stream).__name__, use(stream)

    without = plain(run())
    with capture() as seen:
        assert plain(run()) == without
        (call,) = seen.calls
        assert len(seen.spans) == 1
    assert (call.api, call.status, call.stream) == (api.name, status, True)
    known = {"ok": "full", "closed_early": api.known_early, "not_read": "none"}
    assert call.usage.completeness == known[status]


@pytest.mark.parametrize("api", FINALS, ids=str)
async def test_a_helper_stream_async(
    api: Api, desk: Desk, async_client_of: Callable[[Api], Any]
) -> None:
    async def run(use: str) -> Any:
        desk.begin()
        desk.script(PROSE)
        manager = api.of(async_client_of(api)).stream(**ask_of(api), **asks_usage(api))
        async with manager as stream:
            if use == "iterated":
                return [event.type async for event in stream]
            if use == "first":
                return (await anext(aiter(stream))).type
            return await getattr(stream, FINALS[api][0])()

    for use, status in (("iterated", "ok"), ("final", "ok"), ("first", "closed_early")):
        without = plain(await run(use))
        with capture() as seen:
            assert plain(await run(use)) == without
            (call,) = seen.calls
        assert (call.api, call.status) == (api.name, status)


@pytest.mark.parametrize("api", [MESSAGES, BETA], ids=str)
async def test_the_async_text_stream(
    api: Api, desk: Desk, async_client_of: Callable[[Api], Any]
) -> None:
    desk.script(PROSE)
    with capture() as seen:
        async with api.of(async_client_of(api)).stream(**ask_of(api)) as stream:
            assert "".join([text async for text in stream.text_stream]) == TEXT
        (call,) = seen.calls
    assert (call.status, call.usage.completeness) == ("ok", "full")


@pytest.mark.parametrize("api", FINALS, ids=str)
def test_a_helper_stream_that_is_never_entered_sends_nothing(
    api: Api, desk: Desk, client_of: Callable[[Api], Any]
) -> None:
    before = len(desk.provider.requests)
    with capture() as seen:
        api.of(client_of(api)).stream(**ask_of(api))
        gc.collect()
        assert seen.calls == []
    assert len(desk.provider.requests) == before


def test_the_tool_runner_makes_one_call_a_turn(desk: Desk, claude: Any) -> None:
    from anthropic import beta_tool

    ran = []

    @beta_tool
    def run_tests(pattern: str) -> str:
        """Runs the tests.

        Args:
            pattern: Which ones.
        """
        ran.append(pattern)
        return "1 failed: test_sum"

    for streamed in (False, True):
        desk.script(Reply("", [ToolUse("run_tests", {"pattern": "sum"})]), "It is test_sum.")
        with capture() as seen:
            runner = claude.beta.messages.tool_runner(
                model="claude-opus-4-8",
                max_tokens=99,
                messages=[{"role": "user", "content": "Which test fails?"}],
                tools=[run_tests],
                stream=streamed,
            )
            last = runner.until_done()
            first, second = seen.calls
        assert last.content[0].text == "It is test_sum."
        assert [request.name for request in first.output.tool_requests] == ["run_tests"]
        assert (first.finish_reasons, second.finish_reasons) == (("tool_use",), ("end_turn",))
        (result,) = [part for part in second.context.new if part.kind == "tool_result"]
        asked = first.output.tool_requests[0]
        assert result.call_id == asked.call_id
        if second.previous_response_id:  # newer SDKs leave the messages before on the server
            assert second.previous_response_id == first.response_id
            assert second.context.opaque == "thread: the messages before lie on the server"
        else:
            assert result.tool_name == asked.name
        assert [(tool.name, tool.calls) for tool in seen.account.tools] == [("run_tests", 1)]
        assert second.usage.completeness == "full"
    assert ran == ["sum", "sum"]
