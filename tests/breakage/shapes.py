"""The shapes of what users do, each with the ways in which it may end."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import touchdown
from tests.clients import async_shapes, shapes
from tests.clients.apis import CHAT, MESSAGES, RESPONSES, Api
from tests.clients.conftest import make_client
from touchdown.testing import Fault, Provider, Reply, Request

ANSWER = Reply("It is the third.", chunk_chars=5, response_id="answer_1")
ERROR = [{"role": "user", "content": "error please"}]
CUT = [{"role": "user", "content": "cut please"}]


def reply(request: Request) -> Reply | Fault:
    """An error or half an answer where the question asks for it."""
    asked = str(request.body)
    if "error please" in asked:
        return Fault(400)
    if "cut please" in asked:
        return Reply("cut " * 20, chunk_chars=4, cut_after_chunks=4)
    return ANSWER


class Desk:
    """A provider and a sync client of each SDK."""

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        self._clients = {name: self.new(name) for name in ("openai", "anthropic")}

    def new(self, vendor: str, *, asynchronous: bool = False) -> Any:
        """Another client."""
        url = self.provider.url if vendor == "anthropic" else self.provider.openai_url
        return make_client(vendor, url, asynchronous=asynchronous)

    def client(self, api: Api) -> Any:
        """The client of an API."""
        return self._clients[api.vendor]

    def close(self) -> None:
        """Close the clients."""
        for client in self._clients.values():
            client.close()


@dataclass(frozen=True)
class Shape:
    """Something that users do; what it gives or raises must not depend on us."""

    name: str
    run: Callable[[Desk], Any]

    def __str__(self) -> str:
        return self.name


def sync(name: str, api: Api, run: Callable[[Api, Any], Any]) -> Shape:
    return Shape(f"{api.resource}: {name}", lambda desk: run(api, desk.client(api)))


def in_loop(name: str, api: Api, run: Callable[[Api, Any], Any]) -> Shape:
    async def talk(desk: Desk) -> Any:
        client = desk.new(api.vendor, asynchronous=True)
        try:
            return await run(api, client)
        finally:
            await client.close()

    return Shape(f"{api.resource}: async {name}", lambda desk: asyncio.run(talk(desk)))


def _held(api: Api, client: Any) -> Any:
    with api.of(client, "with_streaming_response").create(**api.ask, **api.streamed) as answer:
        return "".join(answer.iter_text())


def _parsed(api: Api, client: Any) -> Any:
    return client.chat.completions.parse(model="gpt-5.4", messages=api.ask["messages"])


def _helper(api: Api, client: Any) -> Any:
    asked = {key: value for key, value in api.ask.items() if key != "tools"}
    with api.of(client).stream(**asked) as stream:
        return [type(event).__name__ for event in stream]


def _embedded(_api: Api, client: Any) -> Any:
    made = client.embeddings.create(model="text-embedding-3-small", input=["a", "b"])
    return len(made.data), made.usage.prompt_tokens


def _refused(api: Api, client: Any) -> Any:
    return api.of(client).create(**{**api.ask, _given(api): ERROR})


def _cut(api: Api, client: Any) -> Any:
    return list(api.of(client).create(**{**api.ask, _given(api): CUT}, **api.streamed))


def _given(api: Api) -> str:
    return "input" if api is RESPONSES else "messages"


def _interrupted(api: Api, client: Any) -> Any:
    with api.of(client).create(**api.ask, **api.streamed) as stream:
        next(iter(stream))
        raise KeyboardInterrupt


async def _refused_async(api: Api, client: Any) -> Any:
    return await api.of(client).create(**{**api.ask, _given(api): ERROR})


async def _cancelled(api: Api, client: Any) -> Any:
    reached = asyncio.Event()

    async def read() -> None:
        async with await api.of(client).create(**api.ask, **api.streamed) as stream:
            await anext(stream)
            reached.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(read())
    await reached.wait()
    task.cancel()
    await task


def is_bad(result: object) -> bool:
    """A rule of the user's."""
    return result == "bad"


@touchdown.tool(failed=lambda result: is_bad(result))
def ruled(what: str) -> str:
    return what


@touchdown.tool
def wrong(what: str) -> str:
    try:
        return str({}[what])
    except KeyError as error:
        raise ValueError(what) from error


@touchdown.tool
def interrupted() -> None:
    raise KeyboardInterrupt


@touchdown.tool
def pieces(count: int) -> Iterator[int]:
    yield from range(count)


@touchdown.tool
async def later(what: str) -> str:
    await asyncio.sleep(0)
    return what


@touchdown.tool
async def never_ending() -> None:
    await asyncio.Event().wait()


@touchdown.agent("some")
async def some(count: int) -> AsyncIterator[int]:
    for number in range(count):
        yield number


@touchdown.agent
def agent(desk: Desk) -> Any:
    return shapes.create(CHAT, desk.client(CHAT))


@touchdown.task
def whole(desk: Desk) -> Any:
    return agent(desk)


def _closed_generator(_desk: Desk) -> list[int]:
    begun = pieces(3)
    first = next(begun)
    begun.close()
    with suppress(StopIteration):
        return [first, next(begun)]
    return [first]


def _thrown_into(_desk: Desk) -> None:
    begun = pieces(3)
    next(begun)
    begun.throw(GeneratorExit("the host's own"))


async def _cancelled_tool() -> None:
    task = asyncio.create_task(never_ending())
    await asyncio.sleep(0)
    task.cancel()
    await task


async def _all_of(agen: AsyncIterator[int]) -> list[int]:
    return [number async for number in agen]


def _in_task(desk: Desk) -> Any:
    with touchdown.task("with", tags={"a": "b"}) as task:
        answer = agent(desk)
        task.useful()
    return answer


def _failing_task(_desk: Desk) -> None:
    with touchdown.task("failing"):
        wrong("x")


SHAPES = (
    sync("create", CHAT, shapes.create),
    sync("stream", CHAT, shapes.read),
    sync("stream closed early", CHAT, shapes.closed_early),
    sync("stream dropped", CHAT, shapes.dropped),
    sync("stream cut", CHAT, _cut),
    sync("stream left by Ctrl-C", CHAT, _interrupted),
    sync("raw", CHAT, shapes.raw),
    sync("raw stream", CHAT, shapes.raw_stream_lines),
    sync("streaming response", CHAT, _held),
    sync("parse", CHAT, _parsed),
    sync("helper stream", CHAT, _helper),
    sync("refused", CHAT, _refused),
    in_loop("create", CHAT, async_shapes.create),
    in_loop("stream", CHAT, async_shapes.read),
    in_loop("refused", CHAT, _refused_async),
    in_loop("cancelled", CHAT, _cancelled),
    sync("create", RESPONSES, shapes.create),
    sync("stream", RESPONSES, shapes.read),
    sync("streaming response", RESPONSES, _held),
    in_loop("stream", RESPONSES, async_shapes.read),
    sync("create", MESSAGES, shapes.create),
    sync("stream", MESSAGES, shapes.read),
    sync("helper stream", MESSAGES, _helper),
    sync("refused", MESSAGES, _refused),
    in_loop("create", MESSAGES, async_shapes.create),
    in_loop("stream", MESSAGES, async_shapes.read),
    Shape("embeddings", lambda desk: _embedded(CHAT, desk.client(CHAT))),
    Shape("tool", lambda _desk: ruled("fine")),
    Shape("tool that raises", lambda _desk: wrong("x")),
    Shape("tool left by Ctrl-C", lambda _desk: interrupted()),
    Shape("generator", lambda _desk: list(pieces(3))),
    Shape("generator closed", _closed_generator),
    Shape("generator thrown into", _thrown_into),
    Shape("async tool", lambda _desk: asyncio.run(later("x"))),
    Shape("async tool cancelled", lambda _desk: asyncio.run(_cancelled_tool())),
    Shape("async generator", lambda _desk: asyncio.run(_all_of(some(3)))),
    Shape("agent", agent),
    Shape("task function", whole),
    Shape("task block", _in_task),
    Shape("task that fails", _failing_task),
)
