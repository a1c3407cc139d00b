"""The hooks inside one request of the SDK: each attempt, the answer that was taken, streams made of it."""

import inspect
import sys
import time
import weakref
from collections.abc import Awaitable, Callable
from typing import Any

from touchdown.clients.arrival import unread_ns
from touchdown.clients.body import watch_body, whole_body
from touchdown.clients.events import AsyncEvents, Follower, events_of
from touchdown.clients.request import credential_of, keep_body, options_of
from touchdown.clients.sending import (
    QUIET,
    Sending,
    current_sending,
    settle,
    settle_async,
    slept_async,
)
from touchdown.integration import CallObservation, add_headers, guarded

Wrapped = Callable[..., Any]
Args = tuple[object, ...]
Kwargs = dict[str, object]
REFUSED = 400
"""HTTP statuses from here on are no answers."""

_by_response: "weakref.WeakKeyDictionary[object, Follower]" = weakref.WeakKeyDictionary()


class Inside:
    """The hooks of everything that the SDK does between ``request`` and its answer."""

    def __init__(self, open_call: Callable[[object, object], CallObservation | None]) -> None:
        self._open_call = open_call

    def build_request(self, wrapped: Wrapped, client: object, args: Args, kwargs: Kwargs) -> object:
        """Each attempt: the body as it goes out, one-shot iterators already read by the SDK."""
        request = wrapped(*args, **kwargs)
        sending = current_sending.get()
        if sending is not None:
            with QUIET:
                sending.sent, seen = True, sending.seen
                seen.open_adopted()
                seen.clocks.sent()
                keep_body(seen.sent, options_of(args, kwargs, first=0))
                seen.sent.credential = credential_of(request, seen.vendor)
                if seen.sent.serving is not None:
                    add_headers(seen.sent.serving, request, seen, seen.ids)
        return request

    def attempt(self, wrapped: Wrapped, client: object, args: Args, kwargs: Kwargs) -> object:
        """One HTTP attempt; where a middleware of the SDK sends again, another call may begin with it."""
        options = options_of(args, kwargs, first=0)
        sending, later = current_sending.get(), False
        if sending is not None:
            sending.attempt(lambda: self._open_call(client, options))
        else:
            seen = self._open_call(client, options)
            if seen is None:
                return wrapped(*args, **kwargs)
            sending, later = Sending(seen), True
        if inspect.iscoroutinefunction(wrapped):
            return _attempt_async(wrapped, args, kwargs, sending, later)
        if not later:
            return _attempt(wrapped, args, kwargs, sending)
        with sending:
            answer = _attempt(wrapped, args, kwargs, sending)
        return _taken_later(sending, answer)

    def process_response(
        self, wrapped: Wrapped, client: object, args: Args, kwargs: Kwargs
    ) -> object:
        """The answer that was taken: remember whose it is, for streams and raw responses made of it."""
        sending = current_sending.get()
        response = kwargs.get("response")
        if sending is None or getattr(response, "status_code", 0) >= REFUSED:
            return wrapped(*args, **kwargs)
        seen = sending.seen
        with QUIET:
            seen.clocks.received()
            seen.clocks.unread_ns = unread_ns(response, seen.clocks)
            sending.answered(response)
            _take(response, seen)
        answer = wrapped(*args, **kwargs)
        if seen.start.adopt:
            if inspect.isawaitable(answer):
                return settle_async(answer, seen)
            settle(seen, answer)
        return answer

    def sleep_for_retry(
        self, wrapped: Wrapped, client: object, args: Args, kwargs: Kwargs
    ) -> object:
        """A failed attempt that is sent again: its status, and how long the SDK slept."""
        sending = current_sending.get()
        failure = sys.exc_info()[0]
        began = time.monotonic()
        slept = wrapped(*args, **kwargs)
        if sending is None:
            return slept
        if inspect.isawaitable(slept):
            return slept_async(slept, sending, kwargs.get("response"), failure, began)
        with QUIET:
            sending.slept(kwargs.get("response"), failure, began)
        return slept

    def stream_made(self, wrapped: Wrapped, stream: object, args: Args, kwargs: Kwargs) -> None:
        """A stream over an answer we know: its inner iterator is followed, the stream stays itself."""
        wrapped(*args, **kwargs)
        with QUIET:
            seen = _by_response.get(kwargs.get("response"))
            if seen is not None and not seen.closed:
                seen.begin_stream()
                follow(stream, seen)


def _take(response: Any, seen: CallObservation) -> None:
    seen.sent.http_status = getattr(response, "status_code", None)
    _by_response[response] = seen
    watch_body(response, seen)


def _attempt(wrapped: Wrapped, args: Args, kwargs: Kwargs, sending: Sending) -> object:
    try:
        answer = wrapped(*args, **kwargs)
    except Exception:
        sending.failed()
        raise
    _told(sending, answer)
    return answer


async def _attempt_async(
    wrapped: Callable[..., Awaitable[object]],
    args: Args,
    kwargs: Kwargs,
    sending: Sending,
    later: bool,
) -> object:
    if not later:
        try:
            answer = await wrapped(*args, **kwargs)
        except Exception:
            sending.failed()
            raise
        _told(sending, answer)
        return answer
    with sending:
        answer = await wrapped(*args, **kwargs)
    return _taken_later(sending, answer)


def _told(sending: Sending, answer: object) -> None:
    with QUIET:
        response = _response_of(answer)
        if response.status_code >= REFUSED:
            sending.seen.sent.http_status = response.status_code
            sending.failed(response)


def _taken_later(sending: Sending, answer: object) -> object:
    """An attempt made while the host reads a stream that ``request`` gave back before."""
    with QUIET:
        response = _response_of(answer)
        if response.status_code < REFUSED:
            _take(response, sending.seen)
        else:
            sending.seen.sent.http_status = response.status_code
            sending.seen.finish(status="error")
    return answer


def _response_of(answer: Any) -> Any:
    """What an attempt hands back is the response and the options it was sent with."""
    return answer[0] if isinstance(answer, tuple) else answer


@guarded("clients.follow")
def follow(stream: object, seen: Follower) -> None:
    """Follow the events of an SDK stream through its inner iterator."""
    is_async = hasattr(stream, "__aiter__")
    stream._iterator = AsyncEvents(stream, seen) if is_async else events_of(stream, seen)  # type: ignore[attr-defined]


def follow_raw(response: object, seen: Follower) -> None:
    """Follow a raw answer: its bytes, or the stream that the host makes of it."""
    if getattr(response, "is_closed", False):
        seen.raw = whole_body(response)
        seen.finish()
    else:
        _by_response[response] = seen
        watch_body(response, seen)
