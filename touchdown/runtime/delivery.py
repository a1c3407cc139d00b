"""Delivery in order: a bounded queue, a worker that empties it, and whoever asks for totals."""

import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from typing import Protocol

from touchdown.runtime.guard import failed, warn_once

CAPACITY = 100_000
"""Items that may wait; the oldest are never dropped, new ones are, and counted."""

LINGER_S = 0.02
"""How long the worker lets items gather, so that it does not compete with the caller for each one."""


TEND_S = 1.0


class Item(Protocol):
    """Something that ended and waits to be read, folded and shown."""

    def deliver(self) -> None:
        """Do all of it; called once, in order, in the worker or in the thread that asked."""
        ...

    def drop(self) -> None:
        """It could not be delivered: count it."""
        ...


class Delivery:
    """The queue between the caller's thread and everything that takes time.

    ``put`` costs the caller an append. ``drain`` works off what is pending in the calling thread; the
    worker thread, started at the first ``put``, does the same shortly after. Both keep the order. About
    once a second the worker also calls ``tend``. Once closed, ``put`` delivers in the caller's thread.
    """

    def __init__(self, capacity: int = CAPACITY, tend: Callable[[], None] | None = None) -> None:
        self._capacity = capacity
        self._tend = tend
        self._tended = time.monotonic()
        self._items: deque[Item] = deque()
        self._signal = threading.Event()
        self._lock = threading.RLock()
        self._worker: threading.Thread | None = None
        self._busy = False
        self._closed = False
        self.dropped = 0
        _deliveries.add(self)

    def put(self, item: Item) -> None:
        """Append one item; never blocks, never raises."""
        if len(self._items) >= self._capacity:
            self.dropped += 1
            warn_once("delivery:full", "touchdown: the queue is full; records are being dropped")
            item.drop()
            return
        self._items.append(item)
        if not self._signal.is_set():
            self._signal.set()
        if self._closed:
            self.drain()
        elif self._worker is None:
            self._start()

    def _start(self) -> None:
        with self._lock:
            if self._worker is not None:
                return
            worker = threading.Thread(
                target=_work, args=(weakref.ref(self),), name="touchdown", daemon=True
            )
            self._worker = worker
        try:
            worker.start()
        except RuntimeError:
            self._closed = (
                True  # no more threads, e.g. at the interpreter's end: nobody waits for one
            )
            self.drain()

    def wait(self) -> bool:
        """Wait for work; false once closed. For the worker."""
        self._signal.wait(1.0)
        if self._signal.is_set() and not self._closed:
            threading.Event().wait(LINGER_S)
        return not self._closed

    def tend(self) -> None:
        """Look after what only time brings. For the worker."""
        now = time.monotonic()
        if self._tend is None or now - self._tended < TEND_S:
            return
        self._tended = now
        try:
            self._tend()
        except Exception:
            failed("delivery.tend")

    def drain(self, timeout_s: float | None = None) -> bool:
        """Deliver all that is pending; false when another thread kept the queue past the time-out."""
        if not self._lock.acquire(timeout=-1 if timeout_s is None else timeout_s):
            return False
        try:
            if self._busy:
                return True  # asked from inside a delivery: the loop below this frame goes on
            self._busy = True
            try:
                self._signal.clear()
                self._deliver_all()
            finally:
                self._busy = False
        finally:
            self._lock.release()
        return True

    def _deliver_all(self) -> None:
        while self._items:
            item = self._items.popleft()
            try:
                item.deliver()
            except Exception:
                failed("delivery")
                item.drop()

    def close(self, timeout_s: float) -> bool:
        """Deliver what is pending and stop the worker."""
        self._closed = True
        self._signal.set()
        return self.drain(timeout_s)

    def after_fork(self) -> None:
        """In a child: the parent delivers what was pending; start with fresh locks and no worker."""
        self._items = deque()
        self._signal = threading.Event()
        self._lock = threading.RLock()
        self._worker = None
        self._busy = False


def _work(reference: Callable[[], Delivery | None]) -> None:
    while True:
        delivery = reference()
        if delivery is None or not delivery.wait():
            return
        delivery.drain()
        delivery.tend()
        del delivery


_deliveries: weakref.WeakSet[Delivery] = weakref.WeakSet()


def _after_fork() -> None:
    for delivery in list(_deliveries):
        delivery.after_fork()


os.register_at_fork(after_in_child=_after_fork)
