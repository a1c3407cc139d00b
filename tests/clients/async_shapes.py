"""Every shape of a call, async: the twins of ``shapes``, and what only tasks can do."""

import asyncio
from contextlib import suppress
from typing import Any

from tests.clients.apis import Api
from tests.clients.shapes import EARLY, UNREAD, Shape


async def create(api: Api, client: Any) -> Any:
    return await api.of(client).create(**api.ask)


async def stream(api: Api, client: Any) -> Any:
    return await api.of(client).create(**api.ask, **api.streamed)


async def read(api: Api, client: Any) -> Any:
    answer = await stream(api, client)
    return type(answer).__name__, [event async for event in answer]


async def read_in_with(api: Api, client: Any) -> Any:
    async with await stream(api, client) as answer:
        return [event async for event in answer]


async def closed_early(api: Api, client: Any) -> Any:
    answer = await stream(api, client)
    first = await anext(answer)
    await answer.close()
    return first, answer.response.is_closed


async def left_early(api: Api, client: Any) -> Any:
    async with await stream(api, client) as answer:
        async for event in answer:
            return event
    return None


async def left_by_an_error(api: Api, client: Any) -> Any:
    with suppress(KeyError):
        async with await stream(api, client) as answer:
            await anext(answer)
            raise KeyError("the host's own")


async def dropped(api: Api, client: Any) -> Any:
    return await anext(await stream(api, client))


async def never_read(api: Api, client: Any) -> Any:
    return type(await stream(api, client)).__name__


async def never_awaited(api: Api, client: Any) -> Any:
    pending = api.of(client).create(**api.ask)
    pending.close()


async def cancelled_between(api: Api, client: Any) -> Any:
    """The task that reads is cancelled while it does something else than reading."""
    reached = asyncio.Event()

    async def reader() -> None:
        async with await stream(api, client) as answer:
            await anext(answer)
            reached.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(reader())
    await reached.wait()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    return task.cancelled()


async def raw(api: Api, client: Any) -> Any:
    answer = await api.of(client, "with_raw_response").create(**api.ask)
    parsed = answer.parse()
    return (await parsed) if asyncio.iscoroutine(parsed) else parsed


async def raw_stream(api: Api, client: Any) -> Any:
    answer = await api.of(client, "with_raw_response").create(**api.ask, **api.streamed)
    parsed = answer.parse()
    parsed = (await parsed) if asyncio.iscoroutine(parsed) else parsed
    return [event async for event in parsed]


async def raw_stream_unread(api: Api, client: Any) -> Any:
    answer = await api.of(client, "with_raw_response").create(**api.ask, **api.streamed)
    return answer.http_response.status_code


async def held_and_parsed(api: Api, client: Any) -> Any:
    async with api.of(client, "with_streaming_response").create(**api.ask) as answer:
        return await answer.parse()


async def held_and_read(api: Api, client: Any) -> Any:
    async with api.of(client, "with_streaming_response").create(**api.ask) as answer:
        return await answer.read()


async def held_events(api: Api, client: Any) -> Any:
    async with api.of(client, "with_streaming_response").create(
        **api.ask, **api.streamed
    ) as answer:
        return [event async for event in await answer.parse()]


async def held_lines(api: Api, client: Any) -> Any:
    async with api.of(client, "with_streaming_response").create(
        **api.ask, **api.streamed
    ) as answer:
        return [line async for line in answer.iter_lines()]


async def held_one_line(api: Api, client: Any) -> Any:
    async with api.of(client, "with_streaming_response").create(
        **api.ask, **api.streamed
    ) as answer:
        return await anext(answer.iter_lines())


async def held_unread(api: Api, client: Any) -> Any:
    async with api.of(client, "with_streaming_response").create(
        **api.ask, **api.streamed
    ) as answer:
        return answer.status_code


async def through_options(api: Api, client: Any) -> Any:
    return await api.of(client.with_options(timeout=9)).create(**api.ask)


async def several_at_once(api: Api, client: Any) -> Any:
    return await asyncio.gather(*(create(api, client) for _ in range(3)))


ASYNC_SHAPES = (
    Shape("create", create),
    Shape("through with_options", through_options),
    Shape("raw", raw),
    Shape("stream", read, stream=True),
    Shape("stream in with", read_in_with, stream=True),
    Shape("raw stream", raw_stream, stream=True),
    Shape("stream closed early", closed_early, **EARLY),
    Shape("stream left early", left_early, **EARLY),
    Shape("stream left by an error", left_by_an_error, **EARLY),
    Shape("stream dropped", dropped, **EARLY),
    Shape("task cancelled between reads", cancelled_between, **EARLY),
    Shape("stream never read", never_read, **UNREAD),
    Shape("raw stream unread", raw_stream_unread, **UNREAD),
    Shape("answer held: parse", held_and_parsed),
    Shape("answer held: read", held_and_read),
    Shape("events held: parse", held_events, stream=True),
    Shape("events held: iter_lines", held_lines, stream=True),
    Shape("events held: one of iter_lines", held_one_line, **EARLY),
    Shape("events held: unread", held_unread, **UNREAD),
)
