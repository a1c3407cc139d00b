"""Watching: a background thread that looks at the metrics of hosts while they are called, now and then."""

import threading
from typing import Protocol

from touchdown.runtime.guard import failed

EVERY_S = 5.0
"""A host is looked at no more often than this, however many calls go to it."""

IDLE_S = 30.0
"""The thread ends when no host was called for so long."""


class Watched(Protocol):
    """A host."""

    def look(self) -> None:
        """Read its metrics; never raises for what the network does."""
        ...


class Watch:
    """Hosts that are to be looked at. ``wake`` is quick and may be called from any thread."""

    def __init__(self) -> None:
        self.after_fork()

    def after_fork(self) -> None:
        """Fresh locks, and no thread yet."""
        self._due: set[Watched] = set()
        self._signal = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def wake(self, host: Watched) -> None:
        """Look at this host soon: it is called now, or was a moment ago."""
        if host in self._due and self._thread is not None:
            return
        with self._lock:
            self._due.add(host)
            self._signal.set()
            if self._thread is None:
                thread = threading.Thread(target=self._work, name="touchdown-engines", daemon=True)
                try:
                    thread.start()
                except RuntimeError:
                    return  # no more threads, e.g. at the interpreter's end
                self._thread = thread

    def _work(self) -> None:
        pause = threading.Event()
        while self._wait():
            with self._lock:
                due, self._due = self._due, set()
                self._signal.clear()
            for host in due:
                try:
                    host.look()
                except Exception:
                    failed("engines.look")
            pause.wait(EVERY_S)

    def _wait(self) -> bool:
        if self._signal.wait(IDLE_S):
            return True
        with self._lock:
            if self._due:
                return True
            self._thread = None
        return False
