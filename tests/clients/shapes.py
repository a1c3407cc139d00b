"""Every shape of a call, sync: each takes an API and a client and gives back what reached the caller.

A shape that is not read to its end says so by what is then known of the call.
"""

import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from tests.clients.apis import Api

Run = Callable[[Api, Any], Any]


@dataclass(frozen=True, slots=True)
class Shape:
    """One way to make a call. ``early``: its stream is not read to the end; ``unread``: nothing of it is."""

    name: str
    run: Run
    status: str = "ok"
    early: bool = False
    unread: bool = False
    stream: bool = False

    def __str__(self) -> str:
        return self.name

    def completeness(self, api: Api) -> str:
        """How much of the usage is known after it."""
        if self.unread:
            return "none"
        return api.known_early if self.early else "full"


def create(api: Api, client: Any) -> Any:
    return api.of(client).create(**api.ask)


def stream(api: Api, client: Any) -> Any:
    return api.of(client).create(**api.ask, **api.streamed)


def read(api: Api, client: Any) -> Any:
    answer = stream(api, client)
    return type(answer).__name__, list(answer)


def read_in_with(api: Api, client: Any) -> Any:
    with stream(api, client) as answer:
        return list(answer)


def read_by_next(api: Api, client: Any) -> Any:
    answer, events = stream(api, client), []
    with suppress(StopIteration):
        while True:
            events.append(next(answer))
    with suppress(StopIteration):
        events.append(next(answer))
    return events


def closed_early(api: Api, client: Any) -> Any:
    answer = stream(api, client)
    first = next(answer)
    answer.close()
    return first, answer.response.is_closed


def left_early(api: Api, client: Any) -> Any:
    with stream(api, client) as answer:
        for event in answer:
            return event
    return None


def left_by_an_error(api: Api, client: Any) -> Any:
    with suppress(KeyError), stream(api, client) as answer:
        next(answer)
        raise KeyError("the host's own")


def dropped(api: Api, client: Any) -> Any:
    return next(stream(api, client))


def iterator_dropped(api: Api, client: Any) -> Any:
    return next(iter(stream(api, client)))


def never_read(api: Api, client: Any) -> Any:
    return type(stream(api, client)).__name__


def closed_unread(api: Api, client: Any) -> Any:
    stream(api, client).close()


def raw(api: Api, client: Any) -> Any:
    answer = api.of(client, "with_raw_response").create(**api.ask)
    return answer.parse(), answer.parse() is answer.parse(), answer.retries_taken


def raw_unparsed(api: Api, client: Any) -> Any:
    answer = api.of(client, "with_raw_response").create(**api.ask)
    return answer.http_response.status_code, answer.http_response.json()


def raw_stream(api: Api, client: Any) -> Any:
    answer = api.of(client, "with_raw_response").create(**api.ask, **api.streamed)
    return list(answer.parse())


def raw_stream_lines(api: Api, client: Any) -> Any:
    answer = api.of(client, "with_raw_response").create(**api.ask, **api.streamed)
    return list(answer.http_response.iter_lines())


def raw_stream_unread(api: Api, client: Any) -> Any:
    answer = api.of(client, "with_raw_response").create(**api.ask, **api.streamed)
    return answer.http_response.status_code


def through_options(api: Api, client: Any) -> Any:
    return api.of(client.with_options(timeout=9)).create(**api.ask)


def through_copy(api: Api, client: Any) -> Any:
    return list(stream(api, client.copy(default_headers={"x-of": "a copy"})))


def through_post(api: Api, client: Any) -> Any:
    return client.post(_path(api), body=dict(api.ask), cast_to=object)


def through_post_bare(api: Api, client: Any) -> Any:
    bare = sys.modules[type(client._client).__mro__[1].__module__.partition(".")[0]].Response
    answer = client.post(_path(api), body=dict(api.ask), cast_to=bare)
    return type(answer).__name__, answer.json()


def _path(api: Api) -> str:
    return "/v1/messages" if api.vendor == "anthropic" else "/" + api.resource.replace(".", "/")


def _held(name: str, read: Callable[[Any], Any], streamed: bool, **told: Any) -> Shape:
    """``with_streaming_response``: the answer is read inside ``with``, or not."""

    def run(api: Api, client: Any) -> Any:
        more = api.streamed if streamed else {}
        with api.of(client, "with_streaming_response").create(**api.ask, **more) as answer:
            return read(answer)

    return Shape(
        ("events held: " if streamed else "answer held: ") + name, run, stream=streamed, **told
    )


def first(name: str) -> Callable[[Any], Any]:
    return lambda answer: next(iter(getattr(answer, name)()))


def status_of(answer: Any) -> Any:
    return answer.status_code


EARLY: dict[str, Any] = {"status": "closed_early", "early": True, "stream": True}
UNREAD: dict[str, Any] = {"status": "not_read", "unread": True, "stream": True}

HELD_EARLY: dict[str, Any] = {"status": "closed_early", "early": True}
HELD_UNREAD: dict[str, Any] = {"status": "not_read", "unread": True}

SHAPES = (
    Shape("create", create),
    Shape("through with_options", through_options),
    Shape("through post", through_post),
    Shape("through post, the bare response", through_post_bare),
    Shape("raw", raw),
    Shape("raw, unparsed", raw_unparsed),
    Shape("stream", read, stream=True),
    Shape("stream in with", read_in_with, stream=True),
    Shape("stream by next", read_by_next, stream=True),
    Shape("stream through a copy", through_copy, stream=True),
    Shape("raw stream", raw_stream, stream=True),
    Shape("raw stream by lines", raw_stream_lines, stream=True),
    Shape("stream closed early", closed_early, **EARLY),
    Shape("stream left early", left_early, **EARLY),
    Shape("stream left by an error", left_by_an_error, **EARLY),
    Shape("stream dropped", dropped, **EARLY),
    Shape("iterator of a stream dropped", iterator_dropped, **EARLY),
    Shape("stream never read", never_read, **UNREAD),
    Shape("stream closed unread", closed_unread, **UNREAD),
    Shape("raw stream unread", raw_stream_unread, **UNREAD),
    _held("parse", lambda answer: answer.parse(), streamed=False),
    _held("read", lambda answer: answer.read(), streamed=False),
    _held("json", lambda answer: answer.json(), streamed=False),
    _held("text", lambda answer: answer.text(), streamed=False),
    _held("iter_bytes", lambda answer: b"".join(answer.iter_bytes()), streamed=False),
    _held("iter_lines", lambda answer: list(answer.iter_lines()), streamed=False),
    _held("unread", status_of, streamed=False, **HELD_UNREAD),
    _held("parse", lambda answer: list(answer.parse()), streamed=True),
    _held("iter_bytes", lambda answer: b"".join(answer.iter_bytes()), streamed=True),
    _held("iter_text", lambda answer: "".join(answer.iter_text()), streamed=True),
    _held("iter_lines", lambda answer: list(answer.iter_lines()), streamed=True),
    _held(
        "one of parse",
        lambda answer: next(answer.parse()),
        streamed=True,
        status="closed_early",
        early=True,
    ),
    _held(
        "one of iter_lines", first("iter_lines"), streamed=True, status="closed_early", early=True
    ),
    _held("unread", status_of, streamed=True, **HELD_UNREAD),
)
