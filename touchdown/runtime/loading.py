"""Parts of touchdown that load when they are first needed, in whichever thread that is."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

FORK_S = 10.0
"""How long a fork waits at most for a part that is being loaded elsewhere: in the child nobody would give
the interpreter's locks on its modules back."""


class _Loading:
    """Kept by whoever loads a part."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._holds = False

    def before_fork(self) -> None:
        """Let the part be whole."""
        self._holds = self.lock.acquire(timeout=FORK_S)

    def after_fork_in_parent(self) -> None:
        """Go on."""
        if self._holds:
            self.lock.release()

    def after_fork(self) -> None:
        """In a child."""
        self.lock = threading.RLock()


_LOADING = _Loading()


@contextmanager
def loading() -> Iterator[None]:
    """Around imports that do not stand at the top of a module. No fork falls into them."""
    with _LOADING.lock:
        yield


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_LOADING.before_fork,
        after_in_parent=_LOADING.after_fork_in_parent,
        after_in_child=_LOADING.after_fork,
    )
