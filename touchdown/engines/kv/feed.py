"""The feed of one engine's cache events: a background thread that subscribes to them over ZeroMQ.

Frames are topic, sequence (8 bytes, big-endian) and batch. A jump in the sequence is filled from the
engine's replay socket where one is named; else what was known is forgotten.
"""

import importlib
import threading
import time
from collections.abc import Iterator
from typing import Any

from touchdown.engines.kv.events import read_batch
from touchdown.engines.kv.log import CacheLog
from touchdown.runtime import core
from touchdown.runtime.ending import at_end, never_mind
from touchdown.runtime.guard import failed
from touchdown.runtime.identity import clock
from touchdown.runtime.loading import loading

WAIT_MS = 100
END_S = 0.5
"""How long the process's end waits for the thread to close its sockets."""

REPLAY_S = 2.0
MOST_WAITING = 100_000
"""Messages that ZeroMQ keeps for us; more are lost, which the sequence shows."""

SEQUENCE_BYTES = 8
REPLAY_ENDS = (-1).to_bytes(SEQUENCE_BYTES, "big", signed=True)

NOT_INSTALLED = "its cache events need pyzmq: install touchdown-agents[engines]"
NOT_HEARD = "no cache event was received yet"
LOST = "cache events were lost: what was evicted before is not known"
RESTARTED = "the engine was started again: what was evicted before is not known"
STRANGE = "its cache events are in a form that is not known here"

Frames = list[bytes]


class KvFeed:
    """One engine's feed. ``wake`` is quick; nothing here raises or waits for the network on a caller's path.

    ``endpoint`` is its publisher's address, ``tcp://host:port``; behind a comma may stand that of its
    replay socket.
    """

    def __init__(self, endpoint: str) -> None:
        self.endpoint, _, self.replay = (part.strip() for part in endpoint.partition(","))
        self.log = CacheLog()
        self.problem = NOT_HEARD
        self.batches = 0
        """How many were read."""
        self.after_fork()

    def after_fork(self) -> None:
        """The thread and its sockets are the parent's; a child listens for itself from its next call on."""
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._ended = False
        self._next: int | None = None
        self._last_at_ns = 0
        self._ahead_ns: int | None = None
        self.log = CacheLog()

    def wake(self) -> None:
        """Listen from here on, while touchdown is active."""
        if self._is_done():
            return
        with self._lock:
            if self._is_done():
                return
            thread = threading.Thread(target=self._listen, name="touchdown-kv", daemon=True)
            try:
                thread.start()
            except RuntimeError:
                return  # no more threads, e.g. at the interpreter's end
            self._thread = thread
        at_end(self.rest)

    def _is_done(self) -> bool:
        return self._thread is not None or self._ended

    def stop(self) -> None:
        """Listen no more."""
        self._ended = True
        never_mind(self.rest)

    def rest(self) -> None:
        """Listen no more, and be done before the interpreter takes the thread's modules away."""
        self._ended = True
        thread = self._thread
        if thread is not None:
            thread.join(END_S)

    # -- its thread -------------------------------------------------------------------------------

    def _listen(self) -> None:
        try:
            with loading():
                zmq = importlib.import_module("zmq")
        except ImportError:
            self.problem, self._ended = NOT_INSTALLED, True
            return
        try:
            with zmq.Context() as context:
                self._subscribe(zmq, context)
        except Exception as error:
            self.problem, self._ended = f"{self.endpoint}: {error}", True
            failed("engines.kv")

    def _subscribe(self, zmq: Any, context: Any) -> None:
        with context.socket(zmq.SUB) as socket:
            socket.linger, socket.rcvhwm = 0, MOST_WAITING
            socket.connect(self.endpoint)
            socket.subscribe(b"")
            if self.replay:
                self._fill(zmq, context, 0)
            while not self._ended and core.active() is not None:
                if not socket.poll(WAIT_MS):
                    continue
                sequence = self._sequence(frames := socket.recv_multipart())
                if sequence is None:
                    continue
                if self._next is not None and sequence > self._next and self.replay:
                    self._fill(zmq, context, self._next)
                self._take(sequence, frames[-1], live=True)
        with self._lock:  # what happens from here on is not heard
            self._forget(NOT_HEARD)
            self._thread, self._next = None, None

    def _sequence(self, frames: Frames) -> int | None:
        if len(frames) < 2 or len(frames[-2]) != SEQUENCE_BYTES:
            self.problem = STRANGE
            return None
        return int.from_bytes(frames[-2], "big")

    def _fill(self, zmq: Any, context: Any, first: int) -> None:
        """Ask for what was published from this number on; what does not come is found missing later."""
        with context.socket(zmq.DEALER) as socket:
            socket.linger = 0
            socket.connect(self.replay)
            socket.send_multipart([b"", first.to_bytes(SEQUENCE_BYTES, "big")])
            for frames in self._replayed(socket):
                sequence = self._sequence(frames)
                if sequence is not None:
                    self._take(sequence, frames[-1], live=False)

    def _replayed(self, socket: Any) -> Iterator[Frames]:
        ends = time.monotonic() + REPLAY_S
        while not self._ended and (left := ends - time.monotonic()) > 0:
            if not socket.poll(min(int(left * 1000), WAIT_MS)):
                continue
            frames = socket.recv_multipart()
            if len(frames) < 2 or frames[-2] == REPLAY_ENDS:
                return
            yield frames

    def _take(self, sequence: int, payload: bytes, live: bool) -> None:
        """Fold one batch, or forget what was known where one is missing."""
        try:
            batch = read_batch(payload)
        except ValueError:
            self._next = sequence + 1
            self._forget(STRANGE)
            return
        expected = sequence if self._next is None else self._next
        if sequence < expected:
            if batch.at_ns <= self._last_at_ns:
                return  # told twice: by the replay and live
            self._forget(RESTARTED)
        elif sequence > expected:
            self._forget(LOST)
        elif self.problem == NOT_HEARD:
            self.problem = ""
        self._next, self._last_at_ns = sequence + 1, batch.at_ns
        self.batches += 1
        self.log.fold(batch, self._moment(batch.at_ns, live))

    def _forget(self, problem: str) -> None:
        self.problem = problem
        self._ahead_ns = None
        self.log.forget()

    def _moment(self, server_ns: int, live: bool) -> int:
        """The server's time on our steady clock: no event is heard before it happened."""
        now = time.monotonic_ns()
        if live:
            ahead = now - server_ns
            self._ahead_ns = ahead if self._ahead_ns is None else min(self._ahead_ns, ahead)
        ahead = -clock().anchor_ns if self._ahead_ns is None else self._ahead_ns
        return min(server_ns + ahead, now)
