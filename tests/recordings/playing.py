"""Plays exchanges through the real SDKs and keeps what the caller got and what the server was sent."""

import asyncio
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import anthropic
import openai

from tests.recordings.asking import Ask, CannotAskError, ask_for
from tests.recordings.exchanges import Recorded
from touchdown.testing.provider import Provider, Replay, Request
from touchdown.testing.provider.answer import Answer

Way = Literal["plain", "async", "raw", "lines"]
WAYS: tuple[Way, ...] = ("plain", "async", "raw", "lines")
"""Read as objects or events; the same by the async client; by ``with_raw_response`` and ``parse()``; by
``with_streaming_response`` as lines of text."""

CHANGES_ALWAYS = ("content-type", "idempotency-key", "x-stainless-retry-count", "content-length")
"""Headers that differ from one sending to the next by themselves (a form's boundary, a random key)."""

BASE = {"anthropic": "http://api.anthropic.com", "openai": "http://api.openai.com/v1"}
_CONTEXT = ssl.create_default_context()
_ERRORS = (anthropic.APIError, openai.OpenAIError)


class Reel(Replay):
    """One replay after the other at one address."""

    def __init__(self) -> None:
        super().__init__([])
        self._now = Replay([])

    def load(self, recorded: Sequence[Recorded]) -> None:
        """Serve these from here on, in order."""
        self._now = Replay([each.raw for each in recorded])

    def next_answer(self, request: Request) -> Answer:
        """The recorded answer that is next."""
        return self._now.next_answer(request)


@dataclass(frozen=True, slots=True)
class Played:
    """What became of some exchanges. ``asked`` are those that this SDK can ask."""

    asked: list[Recorded] = field(default_factory=list)
    got: list[Any] = field(default_factory=list)
    sent: list[Any] = field(default_factory=list)
    not_asked: list[str] = field(default_factory=list)


class Player:
    """The SDKs' clients, with the vendors' own addresses, and a proxy that plays the vendors."""

    def __init__(self, provider: Provider, reel: Reel) -> None:
        self._provider, self._reel = provider, reel
        self.clients = {
            "anthropic": anthropic.Anthropic(
                http_client=anthropic.DefaultHttpxClient(**self._transport), **_given("anthropic")
            ),
            "openai": openai.OpenAI(
                http_client=openai.DefaultHttpxClient(**self._transport), **_given("openai")
            ),
        }

    @property
    def _transport(self) -> dict[str, Any]:
        return {"proxy": self._provider.url, "verify": _CONTEXT}

    def close(self) -> None:
        """Close the clients."""
        for client in self.clients.values():
            client.close()

    def play(self, recorded: Sequence[Recorded], way: Way) -> Played:
        """Ask all of it that this SDK can ask, in order."""
        played = Played()
        asks: list[Ask] = []
        for each in recorded:
            try:
                ask = ask_for(each)
                ask.bound(self.clients[each.vendor])
            except (CannotAskError, AttributeError) as reason:
                played.not_asked.append(f"{each.method} {each.path}: {reason}")
            else:
                played.asked.append(each)
                asks.append(ask)
        self._reel.load(played.asked)
        before = len(self._provider.requests)
        pairs = list(zip(played.asked, asks, strict=True))
        if way == "async":
            played.got.extend(asyncio.run(self._play_async(pairs)))
        else:
            played.got.extend(
                _got(lambda ask=ask, each=each: READ[way](ask, self.clients[each.vendor]))
                for each, ask in pairs
            )
        played.sent.extend(_as_sent(one) for one in self._provider.requests[before:])
        return played

    async def _play_async(self, pairs: Sequence[tuple[Recorded, Ask]]) -> list[Any]:
        clients = {
            "anthropic": anthropic.AsyncAnthropic(
                http_client=anthropic.DefaultAsyncHttpxClient(**self._transport),
                **_given("anthropic"),
            ),
            "openai": openai.AsyncOpenAI(
                http_client=openai.DefaultAsyncHttpxClient(**self._transport), **_given("openai")
            ),
        }
        try:
            return [await _got_async(ask, clients[each.vendor]) for each, ask in pairs]
        finally:
            for client in clients.values():
                await client.close()


def _given(vendor: str) -> dict[str, Any]:
    return {"base_url": BASE[vendor], "api_key": "test", "max_retries": 0, "timeout": 30}


@contextmanager
def player() -> Iterator[Player]:
    """A player at a loopback address of its own."""
    reel = Reel()
    with Provider(reel) as provider:
        made = Player(provider, reel)
        try:
            yield made
        finally:
            made.close()


def _read(ask: Ask, client: Any) -> Any:
    return _whole(ask.bound(client)(**ask.arguments(client)), ask)


def _read_raw(ask: Ask, client: Any) -> Any:
    raw = ask.bound(client, "with_raw_response")(**ask.arguments(client))
    return raw.http_response.status_code, _whole(raw.parse(), ask)


def _read_lines(ask: Ask, client: Any) -> Any:
    with ask.bound(client, "with_streaming_response")(**ask.arguments(client)) as response:
        return list(response.iter_lines())


READ: dict[str, Callable[[Ask, Any], Any]] = {
    "plain": _read,
    "raw": _read_raw,
    "lines": _read_lines,
}


def _whole(answer: Any, ask: Ask) -> Any:
    return (
        (type(answer).__name__, [_plain(event) for event in answer])
        if ask.streamed
        else _plain(answer)
    )


def _plain(answer: Any) -> Any:
    """An object of the SDK as data: its type, its fields, and which of them were set."""
    return (
        type(answer).__name__,
        answer.model_dump(mode="json", warnings=False),
        sorted(answer.model_fields_set),
    )


def _got(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except _ERRORS as error:
        return _failure(error)


async def _got_async(ask: Ask, client: Any) -> Any:
    try:
        answer = await ask.bound(client)(**ask.arguments(client))
        if ask.streamed:
            return type(answer).__name__, [_plain(event) async for event in answer]
        return _plain(answer)
    except _ERRORS as error:
        return _failure(error)


def _failure(error: Any) -> Any:
    return (
        type(error).__name__,
        str(error),
        getattr(error, "status_code", None),
        getattr(error, "body", None),
    )


def _as_sent(request: Request) -> Any:
    """A request as the server read it, without what changes from one sending to the next."""
    boundary = request.headers.get("content-type", "").partition("boundary=")[2].encode()
    headers = {name: value for name, value in request.headers.items() if name not in CHANGES_ALWAYS}
    raw = request.raw.replace(boundary, b"BOUNDARY") if boundary else request.raw
    return request.method, request.path, dict(request.query), headers, raw
