"""Every call shape of every API with the async clients, and what happens to tasks."""

import asyncio
import gc
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from tests.clients.apis import APIS, MESSAGES, REPLY, Api, plain
from tests.clients.async_shapes import ASYNC_SHAPES, create, never_awaited, several_at_once, stream
from tests.clients.conftest import Desk
from tests.clients.shapes import Shape
from tests.clients.test_shapes import check, sent
from touchdown.testing import Reply, capture

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

AsyncClientOf = Callable[[Api], Any]
SLOW = Reply(REPLY.text, response_id="answer_1", chunk_delay_s=30)


@pytest.mark.parametrize("shape", ASYNC_SHAPES, ids=str)
@pytest.mark.parametrize("api", APIS, ids=str)
async def test_a_shape(api: Api, shape: Shape, desk: Desk, async_client_of: AsyncClientOf) -> None:
    client = async_client_of(api)
    begun = desk.begin()
    without = plain(await shape.run(api, client))
    middle = desk.begin()
    with capture() as seen:
        assert plain(await shape.run(api, client)) == without
        if not seen.calls:
            gc.collect()
            await asyncio.sleep(0)
        check(seen, api, shape)
    requests = desk.provider.requests
    assert sent(requests[middle:]) == sent(requests[begun:middle])


@pytest.mark.parametrize("api", APIS, ids=str)
async def test_a_call_that_is_never_awaited_is_none(
    api: Api, async_client_of: AsyncClientOf
) -> None:
    with capture() as seen:
        await never_awaited(api, async_client_of(api))
        assert seen.calls == []
        assert seen.spans == []


async def test_calls_at_once_are_told_apart(async_client_of: AsyncClientOf) -> None:
    with capture() as seen:
        await several_at_once(MESSAGES, async_client_of(MESSAGES))
        assert len({call.id for call in seen.calls}) == 3
        assert {call.usage.completeness for call in seen.calls} == {"full"}


@pytest.mark.parametrize("api", APIS, ids=str)
async def test_a_task_cancelled_while_it_waits_for_an_event(
    api: Api, desk: Desk, async_client_of: AsyncClientOf
) -> None:
    desk.script(SLOW)
    reached = asyncio.Event()

    async def reader() -> None:
        async for _ in await stream(api, async_client_of(api)):
            reached.set()

    with capture() as seen:
        task = asyncio.create_task(reader())
        await reached.wait()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        assert task.cancelled()
        (call,) = seen.calls
    assert (call.status, call.error_type) == ("cancelled", "asyncio.exceptions.CancelledError")
    assert call.usage.completeness == api.known_early


@pytest.mark.parametrize("api", APIS, ids=str)
async def test_a_task_cancelled_before_the_answer_came(
    api: Api, desk: Desk, async_client_of: AsyncClientOf
) -> None:
    desk.script(Reply(REPLY.text, first_chunk_delay_s=30))
    before = len(desk.provider.requests)
    with capture() as seen:
        task = asyncio.create_task(create(api, async_client_of(api)))
        while len(desk.provider.requests) == before:
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        (call,) = seen.calls
    assert (call.status, call.http_status) == ("cancelled", None)
    assert call.usage.problems == ("the call was cancelled",)


@pytest.mark.parametrize("api", APIS, ids=str)
async def test_a_time_limit_around_a_stream(
    api: Api, desk: Desk, async_client_of: AsyncClientOf
) -> None:
    desk.script(SLOW)

    async def reader() -> None:
        async with await stream(api, async_client_of(api)) as answer:
            async for _ in answer:
                pass

    with capture() as seen:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(reader(), 0.1)
        (call,) = seen.calls
    assert call.status == "cancelled"
