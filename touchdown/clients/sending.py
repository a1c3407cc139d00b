"""Sending one call: what is current while the SDK's ``request`` runs, and what its answer means."""

import sys
import time
import weakref
from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import ContextVar

from touchdown.clients.body import whole_body
from touchdown.clients.request import attempt_of
from touchdown.integration import CallObservation, Guard
from touchdown.runtime.guard import failed
from touchdown.runtime.place import reset_place, set_place

SENDING = "clients.sending"
QUIET = Guard(SENDING)

current_sending: ContextVar["Sending | None"] = ContextVar("touchdown_sending", default=None)
"""The request that is being sent in this thread or task, for the hooks inside it."""


class Sending:
    """While the SDK's ``request`` runs: the call is current, its span too, and an exception ends it.

    One request is one call, however often its attempts fail. A middleware of the SDK that sends again
    after it had an answer (another model after a refusal) makes another call, with a bill of its own.
    """

    __slots__ = ("_active", "_answered", "_failed", "_token", "seen", "sent")

    def __init__(self, seen: CallObservation) -> None:
        self.seen = seen
        self.sent = False
        """Whether anything was sent: a middleware may answer by itself."""
        self._answered: weakref.ref[object] | None = None
        self._failed: tuple[object, type | None, float] | None = None

    def __enter__(self) -> "Sending":
        self._token = current_sending.set(self)
        try:
            self._begin()
        except BaseException as error:  # a signal's, of the host's
            self.__exit__(type(error), error, None)
            raise
        return self

    def __exit__(self, kind: object, error: BaseException | None, tb: object) -> None:
        try:
            self._end()
        finally:
            try:  # noqa: SIM105 - a context manager more in each call
                current_sending.reset(self._token)
            except ValueError:  # a coroutine that is closed from another context
                pass
        if error is not None:
            with QUIET:
                self.seen.fail(error)

    def _begin(self) -> None:
        self._active = active = self.seen.activate()
        try:
            active.__enter__()
        except Exception:
            failed(SENDING)

    def _end(self) -> None:
        try:
            self._active.__exit__(None, None, None)
        except Exception:
            failed(SENDING)

    # -- its attempts ------------------------------------------------------------------------

    @property
    def began(self) -> bool:
        """Whether an attempt was made that another may follow."""
        return self._failed is not None or self._answered is not None

    def attempt(self, open_another: Callable[[], CallObservation | None]) -> None:
        """An attempt goes out: the first, one after a failure, or another call after an answer.

        Raises only what a budget raises: then it is not sent.
        """
        if self._failed is not None:
            with QUIET:
                self.slept(*self._failed)
        elif self._answered is not None:
            self._end()
            answer, self._answered = self._answered(), None
            if answer is not None:
                settle(self.seen, answer)
            here = set_place(
                self.seen.place
            )  # the SDK's own span may be current: no task of its own
            try:
                self.seen = open_another() or self.seen
            finally:
                reset_place(here)
            self._begin()

    def failed(self, response: object = None) -> None:
        """The attempt failed, with this response or the exception that is being handled."""
        self._failed = (response, sys.exc_info()[0], time.monotonic())

    def slept(self, response: object, failure: type | None, began: float) -> None:
        """The failed attempt is sent again, by the SDK after a sleep or by a middleware."""
        self._failed = None
        self.seen.retried(attempt_of(response, failure, began, self.seen.clocks.last_sent_ns))

    def answered(self, response: object) -> None:
        """This attempt's answer was taken."""
        self._answered = weakref.ref(response)

    def settle(self, answer: object) -> None:
        """The request came back with this; it is the call's answer unless a middleware made it."""
        if self.sent and self._failed is None:
            settle(self.seen, answer)
        else:
            with QUIET:
                self.seen.finish(status="not_started" if self._failed is None else "error")


class Aside:
    """While a request runs that is no model call: what happens in it does not belong to one around it."""

    __slots__ = ("_token",)

    def __enter__(self) -> None:
        self._token = current_sending.set(None)

    def __exit__(self, *_error: object) -> None:
        with suppress(ValueError):
            current_sending.reset(self._token)


def settle(seen: CallObservation, answer: object) -> None:
    """Close the call when its answer is whole; an unread body closes it later."""
    try:
        if seen.is_stream or seen.closed:
            return  # a stream ends its call itself, one that a middleware made by the bytes it reads
        if "usage" in getattr(answer, "__dict__", ()):
            seen.finish(
                answer
            )  # not asked any more: a model takes long to say that it lacks a name
            return
        if hasattr(answer, "_iterator"):
            return
        response = getattr(answer, "http_response", answer)
        if not hasattr(response, "is_closed"):
            seen.finish(answer)
        elif response.is_closed:
            seen.raw = whole_body(response)
            seen.finish()
    except Exception:
        failed("clients.settle")


async def settle_async(pending: Awaitable[object], seen: CallObservation) -> object:
    answer = await pending
    settle(seen, answer)
    return answer


async def slept_async(
    sleeping: Awaitable[object],
    sending: Sending,
    response: object,
    failure: type | None,
    began: float,
) -> object:
    slept = await sleeping
    with QUIET:
        sending.slept(response, failure, began)
    return slept
