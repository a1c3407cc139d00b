"""The body of an answer: who reads it as bytes, and when it is closed or dropped."""

from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any

import wrapt

from touchdown.clients.events import Follower
from touchdown.runtime.raw import RawBody

if TYPE_CHECKING:
    Proxy = wrapt.ObjectProxy[Any]
else:
    Proxy = wrapt.ObjectProxy  # generic from wrapt 2 on only


class WatchedBody(Proxy):
    """The transport's byte stream, passed through. Closing it ends the call if nothing else has.

    Bytes are kept only when no SDK stream reads the events (a raw response that the host reads itself, or
    a middleware of the SDK).
    """

    def __init__(self, body: object, seen: Follower, raw: RawBody) -> None:
        super().__init__(body)
        self._self_seen = seen
        self._self_raw = raw
        self._self_whole = False

    def __iter__(self) -> Iterator[bytes]:
        inner = iter(self.__wrapped__)
        return inner if self._self_seen.reading else self._tee(inner)

    def __aiter__(self) -> AsyncIterator[bytes]:
        inner = self.__wrapped__.__aiter__()
        return inner if self._self_seen.reading else self._tee_async(inner)

    def _tee(self, inner: Iterator[bytes]) -> Iterator[bytes]:
        self._self_seen.raw = self._self_raw
        try:
            for part in inner:
                self._self_raw.add(part)
                yield part
            self._self_whole = True
        except GeneratorExit:
            raise  # whoever reads stops early: closing says so
        except BaseException as error:
            self._self_seen.fail(error)
            raise

    async def _tee_async(self, inner: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        self._self_seen.raw = self._self_raw
        try:
            async for part in inner:
                self._self_raw.add(part)
                yield part
            self._self_whole = True
        except GeneratorExit:
            raise  # whoever reads stops early: closing says so
        except BaseException as error:
            self._self_seen.fail(error)
            raise

    def close(self) -> None:
        try:
            self.__wrapped__.close()
        finally:
            self._ended()

    async def aclose(self) -> None:
        try:
            await self.__wrapped__.aclose()
        finally:
            self._ended()

    def _ended(self) -> None:
        seen = self._self_seen
        if seen.closed or seen.reading:
            return
        if not seen.is_stream:
            seen.raw = self._self_raw
        if self._self_whole:
            seen.finish()
        else:
            seen.dropped()

    def __del__(self) -> None:
        if not self._self_seen.is_stream:
            self._ended()


def watch_body(response: object, seen: Follower) -> None:
    """Watch an answer whose body is still to be read; one that was read already is left alone."""
    if getattr(response, "is_closed", True):
        return
    headers = response.headers  # type: ignore[attr-defined]
    raw = RawBody(headers.get("content-type", ""), headers.get("content-encoding", ""))
    response.stream = WatchedBody(response.stream, seen, raw)  # type: ignore[attr-defined]


def whole_body(response: object) -> RawBody:
    """The body of a raw answer that the SDK has read already; decoded, and kept by reference."""
    content = getattr(response, "content", b"")
    raw = RawBody(response.headers.get("content-type", ""))  # type: ignore[attr-defined]
    raw.add(content)
    return raw
