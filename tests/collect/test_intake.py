"""The queue between the servers and the reader: its end holds nobody longer than it was given."""

import threading
from collections.abc import Iterable
from typing import Any

from touchdown.collect.counts import Counts
from touchdown.collect.intake import Intake


class Slow:
    """Takes no second request before it is let."""

    def __init__(self) -> None:
        self.read = 0
        self.let = threading.Event()

    def take(self, spans: Iterable[Any], now_s: float) -> None:
        self.let.wait(30)
        self.read += 1

    def tick(self, now_s: float) -> None:
        """Nothing waits for time to pass."""


class One:
    body = b"x"

    def views(self) -> list[Any]:
        return []


def opened(reader: Slow) -> Intake:
    intake = Intake(reader, Counts(), 100, 0.1)
    intake.start()
    for _ in range(3):
        put: Any = One()
        intake.put(put)
    return intake


def test_a_reader_that_is_stuck_holds_nobody_and_what_is_not_read_is_counted() -> None:
    reader = Slow()
    intake = opened(reader)
    assert intake.close(0.05) == 3
    reader.let.set()


def test_what_waits_is_read_by_the_thread_alone() -> None:
    reader = Slow()
    intake = opened(reader)
    readers: list[int] = []
    take = reader.take

    def told(spans: Iterable[Any], now_s: float) -> None:
        readers.append(threading.get_ident())
        take(spans, now_s)

    reader.take = told  # type: ignore[method-assign]
    reader.let.set()
    assert intake.close(30) == 0
    assert reader.read == 3
    assert threading.get_ident() not in readers
