"""The bounded queue between the servers and whoever reads what came, and the thread that empties it."""

import threading
import time
from collections import deque
from collections.abc import Iterable
from typing import Protocol

from touchdown.collect.counts import Counts
from touchdown.collect.wire import Export, too_busy
from touchdown.runtime.carried import start_apart
from touchdown.runtime.guard import failed
from touchdown.telemetry.span import SpanView

TICK_S = 0.25


class Reader(Protocol):
    """Reads what came, in one thread."""

    def take(self, spans: Iterable[SpanView], now_s: float) -> None:
        """The spans of one request. Units: ``now_s`` seconds of the monotonic clock."""
        ...

    def tick(self, now_s: float) -> None:
        """Time has passed."""
        ...


class Intake:
    """Bounded by bytes: who brings more waits a moment, and is then asked to come again."""

    def __init__(self, reader: Reader, counts: Counts, most_bytes: int, busy_s: float) -> None:
        self._reader, self._counts = reader, counts
        self._most_bytes, self._busy_s = most_bytes, busy_s
        self._exports: deque[Export] = deque()
        self._bytes = 0
        self._changed = threading.Condition()
        self._reading = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="touchdown collect", daemon=True)

    def start(self) -> None:
        """Begin to read. Errors: ``RuntimeError`` where no thread can be started any more."""
        start_apart(self._thread)

    def put(self, export: Export) -> None:
        """Take it in. Errors: ``Refused`` when there is no room even after a moment."""
        size = len(export.body)
        with self._changed:
            room = self._changed.wait_for(lambda: self._has_room(size), self._busy_s)
            if not room or self._closed:
                raise too_busy()
            self._exports.append(export)
            self._bytes += size
            self._changed.notify_all()

    def _has_room(self, size: int) -> bool:
        return self._closed or not self._exports or self._bytes + size <= self._most_bytes

    def _work(self) -> None:
        ticked = time.monotonic()
        while not self._closed:
            with self._changed:
                self._changed.wait_for(lambda: self._exports or self._closed, TICK_S)
            self.drain()
            now = time.monotonic()
            if now - ticked >= TICK_S:
                ticked = now
                self.tick(now)
        self.drain()

    def drain(self) -> None:
        """Read all that waits; in whatever thread asks."""
        with self._reading:
            while self._exports:
                export = self._exports[0]
                self._read(export)
                with self._changed:
                    self._exports.popleft()
                    self._bytes -= len(export.body)
                    self._changed.notify_all()

    def _read(self, export: Export) -> None:
        try:
            self._reader.take(export.views(), time.monotonic())
        except Exception:
            self._counts.add("requests not read")
            failed("collect.read")

    def tick(self, now_s: float) -> None:
        """Let the reader know what time it is."""
        with self._reading:
            try:
                self._reader.tick(now_s)
            except Exception:
                failed("collect.tick")

    def close(self, timeout_s: float) -> int:
        """Let what waits be read, and end; how many requests there was no time for.

        Read by the thread alone: one request may take longer than there is time. When nothing is left, who
        goes on with the reader is alone with it.
        """
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return len(self._exports)
