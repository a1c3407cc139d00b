"""Driving the functions of users: sync, async, generator and async generator, one observation each.

The context of the step is attached while the user's code runs and never across a yield. What the caller
gets is of the same kind as without us: a coroutine, a generator, the very future, or the answer itself.
"""

import copy
import inspect
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator
from functools import partial
from types import AsyncGeneratorType, CoroutineType, GeneratorType, TracebackType
from typing import TYPE_CHECKING, Any, Protocol

import wrapt
from msgspec import Struct

from touchdown.runtime.guard import Guard, failed, guarded

if TYPE_CHECKING:
    Proxy = wrapt.ObjectProxy[Any]
else:
    Proxy = wrapt.ObjectProxy  # generic from wrapt 2 on only

DRIVING = Guard("driving")

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

    def fail(self, error: BaseException) -> None: ...


def drive(call: Callable[[], Any], seen: Observed) -> Any:
    """Run `call` and tell `seen` how it ended, whatever shape its answer has."""
    with seen:
        answer = call()
    try:
        return _followed(answer, seen)
    except Exception:
        failed("driving")  # what cannot be followed is the answer all the same
    with DRIVING:
        seen.finish(answer)
    return answer


def _followed(answer: Any, seen: Observed) -> Any:
    """The answer, or what says how it ends. Asked of its type: a proxy may do anything when it is asked."""
    kind = type(answer)
    if kind is CoroutineType:
        return _watched(_await, answer, seen)
    if kind is GeneratorType:
        legacy = answer.gi_code.co_flags & inspect.CO_ITERABLE_COROUTINE
        return _watched(_await if legacy else _generate, answer, seen)
    if kind is AsyncGeneratorType:
        return _watched(_generate_async, answer, seen)
    if hasattr(kind, "add_done_callback"):
        return _follow_future(answer, seen)
    if issubclass(kind, Awaitable):
        return (AwaitedStream if hasattr(kind, "__aiter__") else AwaitedOnce)(answer, seen)
    seen.finish(answer)
    return answer


class _Driven(Struct):
    """What is driven, who is told of it, and whether it began."""

    inner: Any
    seen: Observed
    began: bool = False


def _watched(drive_it: Callable[[_Driven], Any], inner: Any, seen: Observed) -> Any:
    """A driver named like what it drives; recorded as not started when it never is."""
    driven = _Driven(inner, seen)
    driver = drive_it(driven)
    driver.__name__, driver.__qualname__ = inner.__name__, inner.__qualname__
    weakref.finalize(driver, _let_go, driven).atexit = False
    return driver


@guarded("driving.not_started")
def _let_go(driven: _Driven) -> None:
    if driven.began:
        return  # it is told by its own end: letting go of a generator closes it
    driven.seen.finish(status="not_started")
    if isinstance(driven.inner, CoroutineType):
        driven.inner.close()  # the driver is the one that Python says was never awaited


class AwaitedOnce(Proxy):
    """An awaitable of the host's own type, itself in everything but that its end is seen."""

    def __init__(self, inner: Awaitable[Any], seen: Observed) -> None:
        super().__init__(inner)
        self._self_driven = driven = _Driven(inner, seen)
        weakref.finalize(self, _let_go, driven).atexit = False

    def __await__(self) -> Generator[Any, Any, Any]:
        self._self_driven.began = True  # whoever awaits may let go of this object
        return _await(self._self_driven).__await__()

    def __aenter__(self) -> Coroutine[Any, Any, Any]:
        self._self_driven.began = True
        return _await(_Driven(self.__wrapped__.__aenter__(), self._self_driven.seen))

    def __aexit__(self, *error: Any) -> Any:
        return self.__wrapped__.__aexit__(*error)

    def __copy__(self) -> Any:
        return copy.copy(self.__wrapped__)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return copy.deepcopy(self.__wrapped__, memo)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.__wrapped__.__reduce_ex__(protocol)


class AwaitedStream(AwaitedOnce):
    """One that can be iterated too, as the cursors of databases can."""

    def __aiter__(self) -> AsyncIterator[Any]:
        driven = self._self_driven
        driven.began = True
        rows: AsyncIterator[Any] = self.__wrapped__.__aiter__()
        if isinstance(rows, AsyncGeneratorType):
            return _generate_async(_Driven(rows, driven.seen))
        driven.seen.finish(rows)  # an iterator of the host's own is handed on as it is
        return rows


def _follow_future(future: Any, seen: Observed) -> Any:
    """A future of asyncio or of an executor is handed on as it is, and says itself when it is done."""
    future.add_done_callback(partial(_done, seen))
    return future


@guarded("driving.future")
def _done(seen: Observed, future: Any) -> None:
    if future.cancelled():
        seen.finish(status="cancelled")
        return
    # Asking with exception() would count as the host's own look at it.
    error = getattr(future, "_exception", None)
    if isinstance(error, BaseException):
        seen.fail(error)
    else:
        seen.finish(future.result())


async def _await(driven: _Driven) -> Any:
    driven.began = True
    with driven.seen:
        answer = await driven.inner
    driven.seen.finish(answer)
    return answer


def _generate(driven: _Driven) -> Generator[Any, Any, Any]:
    driven.began = True
    inner, seen, said = driven.inner, driven.seen, _Said()
    step: Callable[[], Any] = partial(next, inner)
    status = "ok"
    while True:
        with seen:
            try:
                item = step()
            except StopIteration as stop:
                seen.finish(said.result(stop.value), status=status)
                return stop.value
            except GeneratorExit:
                seen.finish(said.result(None), status="closed_early")
                raise
            finally:
                del step  # it may hold an exception, which holds this frame
        said.add(item)
        try:
            sent = yield item
        except BaseException as error:
            step, status = partial(inner.throw, error), _status(error)
        else:
            step, status = partial(inner.send, sent), "ok"
        del item


async def _generate_async(driven: _Driven) -> AsyncIterator[Any]:
    driven.began = True
    inner, seen, said = driven.inner, driven.seen, _Said()
    step: Callable[[], Awaitable[Any]] = partial(inner.asend, None)
    status = "ok"
    while True:
        with seen:
            try:
                item = await step()
            except StopAsyncIteration:
                seen.finish(said.result(None), status=status)
                return
            except GeneratorExit:
                seen.finish(said.result(None), status="closed_early")
                raise
            finally:
                del step
        said.add(item)
        try:
            sent = yield item
        except BaseException as error:
            step, status = partial(inner.athrow, error), _status(error)
        else:
            step, status = partial(inner.asend, sent), "ok"
        del item


def _status(thrown: BaseException) -> str:
    """How a generator ended that ends in peace over this."""
    return "closed_early" if isinstance(thrown, GeneratorExit) else "ok"


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
