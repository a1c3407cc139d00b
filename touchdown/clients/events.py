"""The inner iterators of SDK streams, followed: the stream keeps its type, each event is looked at once."""

import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Protocol

from touchdown.integration import warn_once


class Follower(Protocol):
    """What is told of a stream's events: a model call, or a fetch of a background response."""

    chunks: int
    reading: bool
    hide_usage_chunk: bool

    def chunk(self, event: object) -> None: ...

    def finish(self) -> None: ...

    def fail(self, error: BaseException) -> None: ...

    def dropped(self) -> None: ...


def _look(seen: Follower, event: object) -> None:
    try:
        seen.chunk(event)
    except Exception:
        warn_once("clients.chunk", "touchdown: a stream event could not be read", exc_info=True)


def _is_usage_chunk(event: object) -> bool:
    return getattr(event, "usage", None) is not None and not getattr(event, "choices", True)


def _own_iterator(stream: object) -> Callable[[], Any]:
    """How to get the iterator that the SDK makes: it is there, or made on first use by its class.

    Only a weak reference to the stream is kept, so that dropping the stream still closes it at once.
    """
    made_on_use = getattr(type(stream), "_iterator", None)
    if made_on_use is None:
        iterator = stream._iterator  # type: ignore[attr-defined]
        return lambda: iterator
    alive = weakref.ref(stream)
    return lambda: made_on_use.func(alive())


class Events:
    """A sync stream's events. Ends the call when they end, fail, or the iterator is let go of."""

    __slots__ = ("__weakref__", "_hide", "_inner", "_make", "_seen")

    def __init__(self, stream: object, seen: Follower) -> None:
        self._make = _own_iterator(stream)
        self._inner: Iterator[object] | None = None
        self._seen, self._hide = seen, seen.hide_usage_chunk

    def __iter__(self) -> "Events":
        return self

    def __next__(self) -> object:
        seen = self._seen
        if self._inner is None:
            self._inner = self._make()
        seen.reading = True
        try:
            event = next(self._inner)
        except StopIteration:
            seen.finish()
            raise
        except BaseException as error:
            seen.fail(error)
            raise
        seen.reading = False
        _look(seen, event)
        if self._hide and _is_usage_chunk(event):
            return self.__next__()
        return event

    def __del__(self) -> None:
        self._seen.dropped()


class AsyncEvents:
    """An async stream's events; as :class:`Events`."""

    __slots__ = ("__weakref__", "_hide", "_inner", "_make", "_seen")

    def __init__(self, stream: object, seen: Follower) -> None:
        self._make = _own_iterator(stream)
        self._inner: AsyncIterator[object] | None = None
        self._seen, self._hide = seen, seen.hide_usage_chunk

    def __aiter__(self) -> "AsyncEvents":
        return self

    async def __anext__(self) -> object:
        seen = self._seen
        if self._inner is None:
            self._inner = self._make()
        seen.reading = True
        try:
            event = await self._inner.__anext__()
        except StopAsyncIteration:
            seen.finish()
            raise
        except BaseException as error:
            seen.fail(error)
            raise
        seen.reading = False
        _look(seen, event)
        if self._hide and _is_usage_chunk(event):
            return await self.__anext__()
        return event

    def __del__(self) -> None:
        self._seen.dropped()
