"""``stream_usage=True``: chat streams are asked for usage, and the chunk that brings it stays hidden."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.clients import async_shapes, shapes
from tests.clients.apis import APIS, CHAT, Api, plain
from tests.clients.conftest import Desk
from tests.clients.shapes import Run
from touchdown.testing import Reply, capture

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

ClientOf = Callable[[Api], Any]
UNASKED = Api("chat.completions", "openai", CHAT.resource, CHAT.ask)
"""The same question without ``include_usage``."""


def with_options_of_its_own(api: Api, client: Any) -> Any:
    answer = client.chat.completions.create(
        **api.ask, stream=True, stream_options={"include_obfuscation": False}
    )
    return list(answer)


def helper(api: Api, client: Any) -> Any:
    asked = {name: value for name, value in api.ask.items() if name != "tools"}
    with client.chat.completions.stream(**asked) as stream:
        return [event.type for event in stream], stream.get_final_completion()


def helper_final(api: Api, client: Any) -> Any:
    asked = {name: value for name, value in api.ask.items() if name != "tools"}
    with client.chat.completions.stream(**asked) as stream:
        return stream.get_final_completion()


ASKED_FOR_US = [
    shapes.read,
    shapes.read_in_with,
    shapes.read_by_next,
    shapes.through_copy,
    with_options_of_its_own,
    helper,
    helper_final,
]
NOT_ASKED = [
    shapes.raw_stream,
    shapes.raw_stream_lines,
    *(shape.run for shape in shapes.SHAPES if shape.name.startswith("events held")),
]


def body_of(desk: Desk) -> Any:
    return desk.provider.requests[-1].body


@pytest.mark.parametrize("run", ASKED_FOR_US, ids=lambda run: run.__name__)
def test_a_stream_that_did_not_ask(run: Run, desk: Desk, client_of: ClientOf) -> None:
    client = client_of(CHAT)
    desk.script(Reply("It is test_sum.", response_id="answer_1", chunk_chars=4))
    without = plain(run(UNASKED, client))
    assert not body_of(desk).get("stream_options", {}).get("include_usage")
    sent = body_of(desk)
    desk.begin()
    desk.script(Reply("It is test_sum.", response_id="answer_1", chunk_chars=4))
    with capture(stream_usage=True) as seen:
        assert plain(run(UNASKED, client)) == without
        (call,) = seen.calls
    asked = body_of(desk)
    assert asked["stream_options"]["include_usage"] is True
    assert asked | {"stream_options": None} == sent | {"stream_options": None}
    assert (call.status, call.usage.completeness) == ("ok", "full")


@pytest.mark.parametrize("run", NOT_ASKED)
def test_bytes_that_the_host_reads_are_left_as_they_are(
    run: Run, desk: Desk, client_of: ClientOf
) -> None:
    """Where the chunk could not be hidden it is not asked for, and the usage is unknown, said so."""
    client = client_of(CHAT)
    without = plain(run(UNASKED, client))
    sent = body_of(desk)
    desk.begin()
    with capture(stream_usage=True) as seen:
        assert plain(run(UNASKED, client)) == without
        (call,) = seen.calls
    assert body_of(desk) == sent
    assert call.usage.completeness == "none"


@pytest.mark.parametrize("api", APIS, ids=str)
def test_who_asked_sees_it_and_other_apis_are_left_alone(
    api: Api, desk: Desk, client_of: ClientOf
) -> None:
    client = client_of(api)
    without = plain(shapes.read(api, client))
    sent = body_of(desk)
    desk.begin()
    with capture(stream_usage=True) as seen:
        assert plain(shapes.read(api, client)) == without
        assert seen.calls[0].usage.completeness == "full"
    assert body_of(desk) == sent
    if api is CHAT:
        assert '"total_tokens"' in without


def test_who_asked_for_none_gets_none(desk: Desk, client_of: ClientOf) -> None:
    asked = {"stream": True, "stream_options": {"include_usage": False}}
    with capture(stream_usage=True) as seen:
        list(client_of(CHAT).chat.completions.create(**CHAT.ask, **asked))
        (call,) = seen.calls
    assert body_of(desk)["stream_options"] == {"include_usage": False}
    assert "include_usage" in call.usage.problems[0]


async def test_async(desk: Desk, async_client_of: ClientOf) -> None:
    client = async_client_of(CHAT)
    without = plain(await async_shapes.read(UNASKED, client))
    desk.begin()
    with capture(stream_usage=True) as seen:
        assert plain(await async_shapes.read(UNASKED, client)) == without
        (call,) = seen.calls
    assert body_of(desk)["stream_options"] == {"include_usage": True}
    assert call.usage.completeness == "full"


async def test_an_async_helper_stream(desk: Desk, async_client_of: ClientOf) -> None:
    client = async_client_of(CHAT)

    async def run() -> Any:
        desk.begin()
        desk.script(Reply("It is test_sum.", response_id="answer_1"))
        asked = {name: value for name, value in CHAT.ask.items() if name != "tools"}
        async with client.chat.completions.stream(**asked) as stream:
            events = [event.type async for event in stream]
            return events, await stream.get_final_completion()

    without = plain(await run())
    with capture(stream_usage=True) as seen:
        assert plain(await run()) == without
        assert seen.calls[0].usage.completeness == "full"


def test_a_stream_closed_early_has_no_usage(client_of: ClientOf) -> None:
    with capture(stream_usage=True) as seen:
        shapes.closed_early(UNASKED, client_of(CHAT))
        (call,) = seen.calls
    assert (call.status, call.usage.completeness) == ("closed_early", "none")
    assert call.usage.problems == ("the stream was not read to its end",)
