"""A clock that tests can move."""

from __future__ import annotations

import threading
import time


class Clock:
    """Real time plus an offset; or, once set, whatever the test says.

    Units: seconds since the Unix epoch.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._offset_s = 0.0

    def now(self) -> float:
        """The current reading."""
        with self._lock:
            return time.time() + self._offset_s

    def advance(self, seconds: float) -> None:
        """Move the clock forward, so that cache entries age without waiting."""
        with self._lock:
            self._offset_s += seconds

    def set(self, now_s: float) -> None:
        """Make the clock read `now_s`; it runs on from there."""
        with self._lock:
            self._offset_s = now_s - time.time()
