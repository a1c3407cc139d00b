"""Delivery in order: a bounded queue, a worker that empties it, and whoever asks for totals."""

import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from touchdown.runtime.carried import start_apart
from touchdown.runtime.guard import failed, warn_once

CAPACITY = 100_000
"""Items that may wait; the oldest are never dropped, new ones are, and counted."""

LINGER_S = 0.02
"""How long the worker lets items gather, so that it does not compete with the caller for each one."""


TEND_S = 1.0

POLL_S = 0.001
"""How often who waits for the worker looks."""

STUCK_S = 5.0
"""Who asks for totals waits for items in hand, but no longer than this for any one of them."""

FORK_S = 10.0
"""How long a fork waits at most for the item in hand: in the child nobody would give its locks back, the
interpreter's own on modules being imported (the price book with the first call) among them."""


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
        self._closed = False
        self.dropped = 0
        self.counted = False
        """Whether the item in hand is folded, or counted as lost: what fails behind that loses nothing."""
        self._renew()
        _deliveries.add(self)

    def _renew(self) -> None:
        self._items: deque[Item] = deque()
        self._signal = threading.Event()
        self._hurry = threading.Event()
        self._lock = threading.RLock()
        self._worker: threading.Thread | None = None
        self._drainer = 0
        self._taken = 0
        self._dropping = threading.Lock()
        self._in_hand = threading.RLock()
        self._forking = False
        self._forked = threading.Event()

    def put(self, item: Item) -> None:
        """Append one item; never blocks, never raises."""
        if len(self._items) >= self._capacity:
            warn_once("delivery:full", "touchdown: the queue is full; records are being dropped")
            self._drop(item)
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
            start_apart(worker)
        except RuntimeError:
            self._closed = (
                True  # no more threads, e.g. at the interpreter's end: nobody waits for one
            )
            self.drain()

    def wait(self) -> bool:
        """Wait for work; false once closed. For the worker."""
        self._signal.wait(1.0)
        if self._signal.is_set() and not self._closed:
            self._hurry.wait(LINGER_S)
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

    def _drop(self, item: Item) -> None:
        with self._dropping:
            self.dropped += 1
        _lose(item)

    def drain(self, timeout_s: float | None = None) -> bool:
        """Deliver all that is pending; false when time was up before, or another thread is stuck in it."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        lock = self._lock
        if not self._acquire(lock, timeout_s):
            return False
        try:
            if self._drainer:
                return True  # asked from inside a delivery: the loop below this frame goes on
            self._drainer = threading.get_ident()
            try:
                self._signal.clear()
                return self._deliver_all(deadline)
            finally:
                self._drainer = 0
        finally:
            lock.release()

    def settle(self, timeout_s: float) -> bool:
        """Have the worker deliver all that is pending; false when time was up before.

        Something of the host's that blocks in it (a span processor, its function ``redact``) holds the worker
        up then, not the thread that asks here.
        """
        worker, deadline = self._worker, time.monotonic() + timeout_s
        mine = threading.get_ident()
        if worker is None or not worker.is_alive() or mine in (worker.ident, self._drainer):
            return self.drain(timeout_s)
        self._hurry.set()
        self._signal.set()
        try:
            while not self._is_empty():
                if time.monotonic() > deadline:
                    return False
                time.sleep(POLL_S)
        finally:
            self._hurry.clear()
        return True

    def _is_empty(self) -> bool:
        if self._items or not self._in_hand.acquire(blocking=False):
            return False
        self._in_hand.release()
        return True

    def _acquire(self, lock: Any, timeout_s: float | None) -> bool:
        if timeout_s is not None:
            return bool(lock.acquire(timeout=timeout_s))
        taken = self._taken
        while not lock.acquire(timeout=STUCK_S):
            # A host's span processor, say, that waits for the very thread that asks here.
            if taken == self._taken:
                return False
            taken = self._taken
        return True

    def _deliver_all(self, deadline: float | None) -> bool:
        while self._items:
            if deadline is not None and time.monotonic() > deadline:
                return False
            if self._forking:
                self._forked.wait(FORK_S)
            with self._in_hand:
                self._deliver(self._items.popleft())
            self._taken += 1
        return True

    def _deliver(self, item: Item) -> None:
        self.counted = False
        try:
            item.deliver()
        except BaseException as error:
            if not self.counted:
                _lose(item)
            if not isinstance(error, Exception):
                raise  # Ctrl-C while somebody asks for totals
            failed("delivery")

    def close(self, timeout_s: float) -> int:
        """Deliver what is pending and stop the worker; how many items there was no time for."""
        done = self.settle(timeout_s)
        self._closed = True
        self._signal.set()
        if done and self.drain(timeout_s):
            return 0
        waiting = len(self._items)
        # Who keeps the queue has one in hand. It may go on, so nothing is taken from it.
        if not self._in_hand.acquire(blocking=False):
            return waiting + 1
        self._in_hand.release()
        return waiting

    def before_fork(self) -> None:
        """Let the item in hand be finished and no other begin, within a bound."""
        self._forked.clear()
        self._forking = True
        self._holds = self._in_hand.acquire(timeout=FORK_S)

    def after_fork_in_parent(self) -> None:
        """Go on."""
        self._forking = False
        self._forked.set()
        if self._holds:
            self._in_hand.release()

    def after_fork(self) -> None:
        """In a child: the parent delivers what was pending; start with fresh locks and no worker."""
        self._renew()


def _work(reference: Callable[[], Delivery | None]) -> None:
    while True:
        delivery = reference()
        if delivery is None or not delivery.wait():
            return
        try:
            delivery.drain()
            delivery.tend()
        except BaseException:  # e.g. a host's exporter that exits: in a thread it ends nothing else
            failed("delivery.worker")
        del delivery


def _lose(item: Item) -> None:
    try:
        item.drop()
    except Exception:
        failed("delivery.drop")


_deliveries: weakref.WeakSet[Delivery] = weakref.WeakSet()


def _each(step: Callable[[Delivery], None]) -> Callable[[], None]:
    def take() -> None:
        for delivery in list(_deliveries):
            step(delivery)

    return take


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_each(Delivery.before_fork),
        after_in_parent=_each(Delivery.after_fork_in_parent),
        after_in_child=_each(Delivery.after_fork),
    )
