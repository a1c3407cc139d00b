"""The inner iterators of SDK streams, followed: the stream keeps its type, each event is looked at once."""

import time
import weakref
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from typing import Any, Protocol

from touchdown.integration import StreamReader
from touchdown.records.call import CallStatus
from touchdown.runtime.guard import failed
from touchdown.runtime.raw import RawBody
from touchdown.runtime.waits import RECENT, Waits


class Follower(Protocol):
    """What is told of an answer as it is read: a model call, or a look-up of a background response."""

    raw: RawBody | None
    stream: StreamReader | None
    chunks: int
    first_ns: int | None
    is_stream: bool
    reading: bool
    hide_usage_chunk: bool

    @property
    def closed(self) -> bool: ...

    def begin_stream(self) -> None: ...

    def finish(self, answer: object = None, status: CallStatus = "ok") -> None: ...

    def fail(self, error: BaseException) -> None: ...

    def dropped(self) -> None: ...


_now_ns = time.monotonic_ns


def _waits_of(seen: Follower) -> Waits:
    """Where the wait for each event is noted; a look-up of a background response has no clocks."""
    waits = Waits()
    clocks = getattr(seen, "clocks", None)
    if clocks is not None:
        clocks.waits = waits
    return waits


def _content_of(seen: Follower, waits: Waits) -> Callable[[int], bool] | None:
    """Asked at each event until it notes that content came; ``None`` where the reader cannot tell."""
    has_content = getattr(seen.stream, "has_content", None)
    clocks = getattr(seen, "clocks", None)
    if has_content is None or clocks is None:
        return None

    def noted(came_ns: int) -> bool:
        if has_content():
            clocks.contents = came_ns, len(waits)
        return clocks.contents is not None

    return noted


def _reader_of(seen: Follower) -> Callable[[object], None]:
    """What looks at each event: the reader itself, for this is done for every piece of text."""
    if seen.stream is None:
        return _pass_over
    looking = getattr(seen.stream, "looking", None)
    return seen.stream.chunk if looking is None else looking()


def _unreadable(seen: Follower) -> Callable[[object], None]:
    """The reader raised: what it says from here on would be half of the truth."""
    seen.stream = None
    failed("reader.chunk")
    return _pass_over


def _pass_over(_event: object) -> None:
    """Nobody reads it."""


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


def events_of(stream: object, seen: Follower) -> Iterator[object]:
    """A sync stream's events. Ends the call when they end, fail, or the iterator is let go of."""
    following = _following(_own_iterator(stream), seen)
    next(following)  # to where it hears that it is let go of, even if nobody reads
    return following


def _following(make: Callable[[], Any], seen: Follower) -> Generator[object, None, None]:
    hide, look, waits = seen.hide_usage_chunk, _reader_of(seen), _waits_of(seen)
    recent, has_content = waits.recent, _content_of(seen, waits)
    began = seen.first_ns is not None
    try:
        yield None
        seen.reading = True
        asked_ns = _now_ns()
        for chunks, event in enumerate(make(), seen.chunks + 1):
            came_ns = _now_ns()
            seen.chunks = chunks
            recent.append(came_ns - asked_ns)
            if len(recent) == RECENT:
                recent = waits.pack()
            seen.reading = False
            if not began:
                began, seen.first_ns = True, came_ns
            try:
                look(event)
                if has_content is not None and has_content(came_ns):
                    has_content = None
            except Exception:
                look, has_content = _unreadable(seen), None
            if not (hide and _hides(event)):
                yield event
            seen.reading = True
            asked_ns = _now_ns()
        recent.append(_now_ns() - asked_ns)
        seen.finish()
    except BaseException as error:
        if seen.reading:
            seen.fail(error)
        else:
            seen.dropped()
        raise


class AsyncEvents:
    """An async stream's events; as :func:`events_of`.

    Not a generator: those of one that is let go of would be told so only by the event loop, later.
    """

    __slots__ = (
        "__weakref__",
        "_has_content",
        "_hide",
        "_inner",
        "_look",
        "_make",
        "_recent",
        "_seen",
        "_waits",
    )

    def __init__(self, stream: object, seen: Follower) -> None:
        self._make = _own_iterator(stream)
        self._inner: AsyncIterator[object] | None = None
        self._seen, self._hide = seen, seen.hide_usage_chunk
        self._look, self._waits = _reader_of(seen), _waits_of(seen)
        self._recent = self._waits.recent
        self._has_content = _content_of(seen, self._waits)

    def __aiter__(self) -> "AsyncEvents":
        return self

    async def __anext__(self) -> object:
        seen = self._seen
        if self._inner is None:
            self._inner = self._make()
        seen.reading = True
        asked_ns = _now_ns()
        try:
            event = await self._inner.__anext__()
        except StopAsyncIteration:
            self._recent.append(_now_ns() - asked_ns)
            seen.finish()
            raise
        except BaseException as error:
            seen.fail(error)
            raise
        came_ns = _now_ns()
        recent = self._recent
        recent.append(came_ns - asked_ns)
        if len(recent) == RECENT:
            self._recent = self._waits.pack()
        seen.reading = False
        if seen.first_ns is None:
            seen.first_ns = came_ns
        seen.chunks += 1
        try:
            self._look(event)
            if self._has_content is not None and self._has_content(came_ns):
                self._has_content = None
        except Exception:
            self._look, self._has_content = _unreadable(seen), None
        if self._hide and _hides(event):
            return await self.__anext__()
        return event

    def __del__(self) -> None:
        self._seen.dropped()
