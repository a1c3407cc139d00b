"""Which runtime is asked: that of the innermost test that captures, else the one of ``instrument()``."""

import os
import threading
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from touchdown.runtime.garbage import watch_collector


class Forked(Protocol):
    """What is told in a forked child."""

    def after_fork(self) -> None: ...


R = TypeVar("R", bound=Forked)


class Chosen(Generic[R]):
    """The one that is active, of several."""

    def __init__(self) -> None:
        self._base: R | None = None
        self._captures: list[R] = []
        self._active: R | None = None
        self._choosing = threading.RLock()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._after_fork)

    def active(self) -> R | None:
        """That of the innermost capture, else the one that ``instrument()`` made, else ``None``."""
        return self._active

    def base(self) -> R | None:
        """The one that ``instrument()`` made, whoever captures."""
        return self._base

    def activate(self, runtime: R | None) -> None:
        """Make this the process's, as soon as no test captures."""
        with self._choosing:
            self._base = runtime
            self._choose()

    def capture(self, runtime: R) -> Callable[[], None]:
        """Make this the active one until what is handed back is called."""

        def end() -> None:
            with self._choosing:
                self._captures.remove(runtime)
                self._choose()

        with self._choosing:
            self._captures.append(runtime)
            self._choose()
        return end

    def _choose(self) -> None:
        self._active = self._captures[-1] if self._captures else self._base
        watch_collector(self._active is not None)

    def _after_fork(self) -> None:
        self._choosing = threading.RLock()
        for runtime in filter(None, [self._base, *self._captures]):
            runtime.after_fork()
