"""Driving the functions of users: sync, async, generator and async generator, one observation each.

The context of the step is attached while the user's code runs and never across a yield.
"""

import inspect
import weakref
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator
from functools import partial
from types import TracebackType
from typing import Any, Protocol

from touchdown.runtime.guard import guarded

KEEP_CHARS = 1 << 20
"""Text that a generator yields is kept up to here, to be measured and matched with a tool result."""


class Observed(Protocol):
    """What a driven function is observed by; inside it the step is current."""

    def __enter__(self) -> object: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None: ...

    def finish(self, result: object = None, *, status: Any = "ok") -> None: ...


def drive(call: Callable[[], Any], seen: Observed) -> Any:
    """Run `call` and tell `seen` how it ended, whatever shape its answer has."""
    with seen:
        answer = call()
    if inspect.isgenerator(answer):
        return _watched(_generate(answer, seen), answer, seen)
    if inspect.isasyncgen(answer):
        return _watched(_generate_async(answer, seen), answer, seen)
    if inspect.isawaitable(answer):
        return _watched(_await(answer, seen), answer, seen)
    seen.finish(answer)
    return answer


def _watched(driver: Any, inner: Any, seen: Observed) -> Any:
    """Name the driver like what it drives, and record it as not started when it never is."""
    for name in ("__name__", "__qualname__"):
        if hasattr(inner, name):
            setattr(driver, name, getattr(inner, name))
    weakref.finalize(driver, _never_started, inner, seen).atexit = False
    return driver


@guarded("driving.not_started")
def _never_started(inner: Any, seen: Observed) -> None:
    seen.finish(status="not_started")
    if inspect.iscoroutine(inner) and inspect.getcoroutinestate(inner) == inspect.CORO_CREATED:
        inner.close()


async def _await(pending: Awaitable[Any], seen: Observed) -> Any:
    with seen:
        answer = await pending
    seen.finish(answer)
    return answer


def _generate(inner: Generator[Any, Any, Any], seen: Observed) -> Generator[Any, Any, Any]:
    said = _Said()
    step: Callable[[], Any] = partial(next, inner)
    while True:
        try:
            with seen:
                item = step()
        except StopIteration as stop:
            seen.finish(said.result(stop.value))
            return stop.value
        said.add(item)
        try:
            sent = yield item
            step = partial(inner.send, sent)
        except GeneratorExit:
            with seen:
                inner.close()
            seen.finish(said.result(None), status="closed_early")
            raise
        except BaseException as error:
            step = partial(inner.throw, error)


async def _generate_async(
    inner: AsyncGenerator[Any, Any], seen: Observed
) -> AsyncGenerator[Any, Any]:
    said = _Said()
    step: Callable[[], Coroutine[Any, Any, Any]] = partial(inner.asend, None)
    while True:
        try:
            with seen:
                item = await step()
        except StopAsyncIteration:
            seen.finish(said.result(None))
            return
        said.add(item)
        try:
            sent = yield item
            step = partial(inner.asend, sent)
        except GeneratorExit:
            with seen:
                await inner.aclose()
            seen.finish(said.result(None), status="closed_early")
            raise
        except BaseException as error:
            step = partial(inner.athrow, error)


class _Said:
    """What a generator handed out, where it is text."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._chars = 0

    def add(self, item: object) -> None:
        if isinstance(item, str) and self._chars <= KEEP_CHARS:
            self._parts.append(item)
            self._chars += len(item)

    def result(self, returned: object) -> object:
        return "".join(self._parts) if self._parts else returned
