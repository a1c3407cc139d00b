"""The hooks inside one request of the SDK: each attempt, the answer that was taken, streams made of it."""

import inspect
import sys
import time
import weakref
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from touchdown.clients.arrival import unread_ns
from touchdown.clients.body import watch_body, whole_body
from touchdown.clients.events import AsyncEvents, Follower, events_of
from touchdown.clients.fields import field_of
from touchdown.clients.request import credential_of, keep_body, options_of
from touchdown.clients.sending import (
    QUIET,
    SENDING,
    Sending,
    current_sending,
    settle,
    settle_async,
    slept_async,
)
from touchdown.clients.wrapping import Method, Wrapped
from touchdown.integration import Asked, CallObservation, add_headers, guarded
from touchdown.runtime.guard import failed

Kwargs = dict[str, object]
REFUSED = 400
"""HTTP statuses from here on are no answers."""

_by_response: "weakref.WeakKeyDictionary[object, Follower]" = weakref.WeakKeyDictionary()


class Inside:
    """The hooks of everything that the SDK does between ``request`` and its answer.

    ``again``: this SDK has middleware, which may send again after it had an answer.
    """

    def __init__(
        self,
        open_call: Callable[[object, object], CallObservation | None],
        wrapped: Wrapped,
        *,
        again: bool,
    ) -> None:
        self._open_call, self._wrapped, self._again = open_call, wrapped, again

    def build_request(self, method: Method) -> Method:
        """Each attempt: the body as it goes out, one-shot iterators already read by the SDK."""
        wrapped = self._wrapped

        def build(client: object, /, *args: object, **kwargs: object) -> object:
            request = method(client, *args, **kwargs)
            sending = current_sending.get() if wrapped.on else None
            if sending is not None:
                changed = False
                try:
                    changed = _note_sent(sending, request, options_of(args, kwargs, first=0))
                except Exception:
                    failed(SENDING)
                if changed:
                    _ask_again(sending.seen)
            return request

        return build

    def attempt(self, method: Method) -> Method:
        """One HTTP attempt; where a middleware of the SDK sends again, another call may begin with it."""
        wrapped, is_async = self._wrapped, inspect.iscoroutinefunction(method)

        def attempt(client: object, /, *args: object, **kwargs: object) -> object:
            if not wrapped.on:
                return method(client, *args, **kwargs)
            options = options_of(args, kwargs, first=0)
            sending, later = current_sending.get(), False
            if sending is not None:
                if sending.began:
                    sending.attempt(partial(self._open_call, client, options))
            else:
                seen = self._open_call(client, options)
                if seen is None:
                    return method(client, *args, **kwargs)
                sending, later = Sending(seen), True
            if is_async:
                return _attempt_async(partial(method, client, *args, **kwargs), sending, later)
            if later:
                with sending:
                    answer = method(client, *args, **kwargs)
                return _taken_later(sending, answer)
            try:
                answer = method(client, *args, **kwargs)
            except Exception:
                sending.failed()
                raise
            _told(sending, answer)
            return answer

        return attempt

    def process_response(self, method: Method) -> Method:
        """The answer that was taken: remember whose it is, for streams and raw responses made of it."""
        wrapped, again = self._wrapped, self._again

        def process(client: object, /, *args: object, **kwargs: object) -> object:
            sending = current_sending.get() if wrapped.on else None
            if sending is None:
                return method(client, *args, **kwargs)
            seen = sending.seen
            taken = False
            try:
                taken = _note_received(sending, kwargs, again)
            except Exception:
                failed(SENDING)
            answer: Any = method(client, *args, **kwargs)
            if taken and seen.start.adopt:
                if inspect.isawaitable(answer):
                    return settle_async(answer, seen)
                settle(seen, answer)
            return answer

        return process

    def sleep_for_retry(self, method: Method) -> Method:
        """A failed attempt that is sent again: its status, and how long the SDK slept."""
        wrapped = self._wrapped

        def sleep(client: object, /, *args: object, **kwargs: object) -> object:
            sending = current_sending.get() if wrapped.on else None
            failure = sys.exc_info()[0]
            began = time.monotonic()
            slept: Any = method(client, *args, **kwargs)
            if sending is None:
                return slept
            if inspect.isawaitable(slept):
                return slept_async(slept, sending, kwargs.get("response"), failure, began)
            with QUIET:
                sending.slept(kwargs.get("response"), failure, began)
            return slept

        return sleep

    def stream_made(self, method: Method) -> Method:
        """A stream over an answer we know: its inner iterator is followed, the stream stays itself."""
        wrapped = self._wrapped

        def init(stream: object, /, *args: object, **kwargs: object) -> None:
            method(stream, *args, **kwargs)
            if not wrapped.on:
                return
            with QUIET:
                seen = _by_response.get(kwargs.get("response"))
                if seen is not None and not seen.closed:
                    seen.begin_stream()
                    follow(stream, seen)

        return init


def _note_sent(sending: Sending, request: object, options: object) -> bool:
    """Whether this is another body than a budget was asked for."""
    sending.sent, seen = True, sending.seen
    sent = seen.sent
    seen.open_adopted()
    seen.clocks.sent()
    changed = keep_body(sent, options)
    sent.credential = credential_of(request, seen.vendor)
    if sent.serving is not None:
        add_headers(sent.serving, request, seen, seen.ids)
    return changed and sent.admission is not None


def _ask_again(seen: CallObservation) -> None:
    """Reserve for what is about to be sent. Raises only what a budget raises: then it is not."""
    start, sent = seen.start, seen.sent
    asked = Asked(
        seen.reader, seen.vendor, start.provider, start.model, start.host, start.port, sent.body
    )
    try:
        if sent.admission is not None:
            sent.admission.changed(asked)
    except BaseException:
        seen.finish(status="not_started")
        raise


def _note_received(sending: Sending, given: Kwargs, again: bool) -> bool:
    """Whether this is an answer."""
    response: Any = given.get("response")
    status = field_of(response, "status_code")
    if isinstance(status, int) and status >= REFUSED:
        return False
    seen = sending.seen
    clocks = seen.clocks
    clocks.received()
    clocks.unread_ns = unread_ns(response, clocks)
    if again:
        sending.answered(response)
    if given.get("stream") or not field_of(response, "is_closed"):
        _take(response, seen)  # a stream may be made of it, or its body be read later
    else:
        seen.sent.http_status = status if isinstance(status, int) else None
    return True


def _take(response: Any, seen: CallObservation) -> None:
    seen.sent.http_status = getattr(response, "status_code", None)
    _by_response[response] = seen
    watch_body(response, seen)


async def _attempt_async(
    call: Callable[[], Awaitable[object]], sending: Sending, later: bool
) -> object:
    if not later:
        try:
            answer = await call()
        except Exception:
            sending.failed()
            raise
        _told(sending, answer)
        return answer
    with sending:
        answer = await call()
    return _taken_later(sending, answer)


def _told(sending: Sending, answer: object) -> None:
    try:
        response = _response_of(answer)
        status = field_of(response, "status_code")
        if not isinstance(status, int) or status >= REFUSED:
            sending.seen.sent.http_status = response.status_code
            sending.failed(response)
    except Exception:
        failed(SENDING)


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
