"""Sending one call: what is current while the SDK's ``request`` runs, and what its answer means."""

from collections.abc import Awaitable
from contextlib import suppress

from touchdown.clients.body import whole_body
from touchdown.clients.request import attempt_of
from touchdown.integration import CallObservation, Guard, current_call, guarded

QUIET = Guard("clients.sending")


class Sending:
    """While the SDK's ``request`` runs: the call is current, its span too, and an exception ends it."""

    __slots__ = ("_active", "_seen", "_token")

    def __init__(self, seen: CallObservation) -> None:
        self._seen = seen

    def __enter__(self) -> None:
        self._token = current_call.set(self._seen)
        self._active = self._seen.activate()
        with QUIET:
            self._active.__enter__()

    def __exit__(self, kind: object, error: BaseException | None, tb: object) -> None:
        with QUIET:
            self._active.__exit__(None, None, None)
        with suppress(ValueError):  # a coroutine that is closed from another context
            current_call.reset(self._token)
        if error is not None:
            with QUIET:
                self._seen.fail(error)


class Aside:
    """While a request runs that is no model call: what happens in it does not belong to one around it."""

    __slots__ = ("_token",)

    def __enter__(self) -> None:
        self._token = current_call.set(None)

    def __exit__(self, *_error: object) -> None:
        with suppress(ValueError):
            current_call.reset(self._token)


@guarded("clients.settle")
def settle(seen: CallObservation, answer: object) -> None:
    """Close the call when its answer is whole; an unread body closes it later."""
    if seen.is_stream or seen.closed:
        return
    response = getattr(answer, "http_response", answer)
    if not hasattr(response, "is_closed"):
        seen.finish(answer)
    elif response.is_closed:
        seen.raw = whole_body(response)
        seen.finish()


async def settle_async(pending: Awaitable[object], seen: CallObservation) -> object:
    answer = await pending
    settle(seen, answer)
    return answer


async def slept_async(
    sleeping: Awaitable[object],
    seen: CallObservation,
    response: object,
    failure: type | None,
    began: float,
) -> object:
    slept = await sleeping
    with QUIET:
        seen.retried(attempt_of(response, failure, began))
    return slept
