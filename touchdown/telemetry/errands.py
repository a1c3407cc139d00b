"""Work that may hang, done on a thread that nobody has to wait for."""

import threading
from collections.abc import Callable
from queue import SimpleQueue

from touchdown.runtime.carried import start_apart


class Errand:
    """One piece of work that was handed over."""

    def __init__(self, action: Callable[[], object]) -> None:
        self._action = action
        self._ended = threading.Event()
        self._worked = False

    def run(self) -> None:
        """Do it; what it raises only makes it fail."""
        try:
            self._action()
            self._worked = True
        except Exception:
            self._worked = False
        finally:
            self._ended.set()

    def give_up(self) -> None:
        """Nobody will do it."""
        self._ended.set()

    def done(self, timeout_s: float) -> bool:
        """Whether it was done, and without an error, before the time was up."""
        return self._ended.wait(max(0.0, timeout_s)) and self._worked


class Runner:
    """A daemon thread that runs errands in order.

    Started early: Python 3.12 and newer start no thread any more once the interpreter is leaving, which is
    when the last errand comes.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._start()

    def _start(self) -> None:
        self._errands: SimpleQueue[Errand] = SimpleQueue()
        self._thread = threading.Thread(
            target=_work, args=(self._errands,), name=self._name, daemon=True
        )
        start_apart(self._thread)

    def hand_over(self, action: Callable[[], object]) -> Errand:
        """Queue `action`."""
        errand = Errand(action)
        try:
            self.keep()
        except RuntimeError:  # too late for a thread
            errand.give_up()
        self._errands.put(errand)
        return errand

    def keep(self) -> None:
        """Start the thread anew where it is gone: in a forked child."""
        if not self._thread.is_alive():
            self._start()


def _work(errands: SimpleQueue[Errand]) -> None:
    while True:
        errands.get().run()
