"""The guard: nothing of ours raises into the host's code, and each place says so once."""

import functools
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import CoroutineType, TracebackType
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

logger = logging.getLogger("touchdown")
MOST_PLACES = 1_000
"""Places that warnings are remembered of; some name a task or a file of the host's."""

_warned: set[str] = set()


def disabled() -> bool:
    """Whether ``TOUCHDOWN_DISABLED`` makes everything a no-op."""
    return os.environ.get("TOUCHDOWN_DISABLED", "").lower() in ("1", "true", "yes")


def warn_once(place: str, message: str, *args: object) -> None:
    """Log one warning per place and process. Never raises, even when the host's logging does."""
    if place in _warned or len(_warned) > MOST_PLACES:
        return
    _warned.add(place)
    if len(_warned) > MOST_PLACES:
        warn("touchdown: there were %s different warnings; further ones are left out", MOST_PLACES)
    else:
        warn(message, *args)


def warn(message: str, *args: object) -> None:
    """Log one warning. Never raises, even when the host's logging does."""
    try:
        logger.warning(message, *args)
    except Exception as error:
        pass_on(error)


def forget_warnings() -> None:
    """Warn again from here on: a fresh set-up must be able to say what is wrong with it."""
    _warned.clear()


def failed(place: str) -> None:
    """Note that `place` raised, once; called inside an ``except`` block.

    Raises again only what the host's own signal handler raised: see :func:`pass_on`.
    """
    error = sys.exc_info()[1]
    if error is not None:
        pass_on(error)
    told = "" if error is None else f" ({describe(error)})"
    warn_once(f"guard:{place}", "touchdown: %s failed; the call is not affected%s", place, told)


def pass_on(error: BaseException) -> None:
    """Raise again what a signal handler of the host raised: it struck while our code ran, and is no fault.

    Time limits come like this (Celery's soft one, RQ's, ``signal.alarm``), as exceptions of any kind.
    """
    tb = error.__traceback__
    tb = None if tb is None else tb.tb_next  # its first frame is the one that caught it
    if tb is None or threading.current_thread() is not threading.main_thread():
        return  # handlers run in that thread only
    codes = set(_handlers())
    while tb is not None:
        if tb.tb_frame.f_code in codes:
            raise error
        tb = tb.tb_next


def _handlers() -> Iterator[object]:
    """The code of every handler that the host has written and set."""
    for number in signal.valid_signals():
        handler = signal.getsignal(number)
        if callable(handler):
            while isinstance(handler, functools.partial):
                handler = handler.func
            function = getattr(handler, "__func__", handler)
            yield getattr(function, "__code__", getattr(type(handler).__call__, "__code__", None))


def must_be_awaited(place: str, given: object) -> bool:
    """Whether a function of the host's, whose word is needed at once, gave something to await; said once."""
    try:
        if not hasattr(type(given), "__await__"):
            return False
        if isinstance(given, CoroutineType):
            given.close()  # else Python says that it was never awaited, each time
    except Exception as error:
        pass_on(error)
        return False
    warn_once(f"await:{place}", "touchdown: %s is to be a plain function; nobody awaits it", place)
    return True


def describe(error: BaseException) -> str:
    """What may be said of an exception: its type and where it was raised, never its text.

    The text may quote a prompt, and crash reporters send the variables of every frame of a traceback.
    """
    tb = error.__traceback__
    while tb is not None and tb.tb_next is not None:
        tb = tb.tb_next
    if tb is None:
        return qualified_name(error)
    folder, name = os.path.split(tb.tb_frame.f_code.co_filename)
    return f"{qualified_name(error)} at {os.path.basename(folder)}/{name}:{tb.tb_lineno}"


class Guard:
    """A context manager that swallows our own ``Exception`` and notes it. Stateless, so it is shared."""

    __slots__ = ("place",)

    def __init__(self, place: str) -> None:
        self.place = place

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> bool:
        if kind is None or not issubclass(kind, Exception):
            return False
        failed(self.place)
        return True


def guarded(place: str) -> Callable[[Callable[P, R]], Callable[P, R | None]]:
    """Make a function of ours hand back ``None`` instead of raising."""

    def wrap(function: Callable[P, R]) -> Callable[P, R | None]:
        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R | None:
            try:
                return function(*args, **kwargs)
            except Exception:
                failed(place)
                return None

        return call

    return wrap


def qualified_name(error: BaseException) -> str:
    """The exception's class as the conventions want it: qualified, bare for builtins."""
    kind = type(error)
    try:
        name, module = kind.__qualname__, kind.__module__
        return name if module == "builtins" else f"{module}.{name}"
    except Exception as unnamed:  # the class of its class is the host's own
        pass_on(unnamed)
        return "Exception"
