"""The inner iterators of SDK streams, followed: the stream keeps its type, each event is looked at once."""

import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Protocol

from touchdown.records.call import CallStatus
from touchdown.runtime.guard import failed
from touchdown.runtime.raw import RawBody


class Follower(Protocol):
    """What is told of an answer as it is read: a model call, or a look-up of a background response."""

    raw: RawBody | None
    chunks: int
    is_stream: bool
    reading: bool
    hide_usage_chunk: bool

    @property
    def closed(self) -> bool: ...

    def begin_stream(self) -> None: ...

    def chunk(self, event: object) -> None: ...

    def finish(self, answer: object = None, status: CallStatus = "ok") -> None: ...

    def fail(self, error: BaseException) -> None: ...

    def dropped(self) -> None: ...


def _look(seen: Follower, event: object) -> None:
    try:
        seen.chunk(event)
    except Exception:
        failed("clients.chunk")


def _hides(event: object) -> bool:
    """Whether this chunk is there only because usage was asked for; the others lose what that set in them."""
    if getattr(event, "usage", None) is not None:
        return not getattr(event, "choices", True)
    fields_set = getattr(event, "model_fields_set", None)
    if isinstance(fields_set, set):
        fields_set.discard("usage")
    return False


def _own_iterator(stream: object) -> Callable[[], Any]:
    """How to get the iterator that the SDK makes: it is there, or made on first use by its class.

    Only a weak reference to the stream is kept, so that dropping the stream still closes it at once.
    """
    made_on_use = getattr(type(stream), "_iterator", None)
    if made_on_use is None:
        iterator = stream._iterator  # type: ignore[attr-defined]
        return lambda: iterator
    alive = weakref.ref(stream)

    def make() -> object:
        fields = vars(alive())
        # The SDK's iterator keeps a copy of the stream: with us in it, neither would be let go of.
        ours = fields.pop("_iterator")
        try:
            return made_on_use.func(alive())
        finally:
            fields["_iterator"] = ours

    return make


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
        if self._hide and _hides(event):
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
        if self._hide and _hides(event):
            return await self.__anext__()
        return event

    def __del__(self) -> None:
        self._seen.dropped()
