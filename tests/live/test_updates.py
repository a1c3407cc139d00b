"""``on_update()``: told what has changed, holding nothing up, gone when it is cancelled."""

import logging
import threading
import time
from itertools import pairwise
from typing import Any

import pytest

import touchdown
from touchdown.accounting.account import TaskAccount
from touchdown.live.accountant import LiveAccountant
from touchdown.live.updates import REST
from touchdown.testing import capture

LONG_S = 30
SOON_S = 0.05
DEAR_S = 0.02


@touchdown.tool
def step() -> str:
    return "done"


class Listener:
    """Keeps what it is told; an event says when it was."""

    def __init__(self) -> None:
        self.told: list[list[TaskAccount]] = []
        self.threads: set[str] = set()
        self.heard = threading.Event()

    def __call__(self, changed: list[TaskAccount]) -> None:
        self.told.append(changed)
        self.threads.add(threading.current_thread().name)
        self.heard.set()

    def next(self) -> list[TaskAccount]:
        assert self.heard.wait(LONG_S)
        self.heard.clear()
        return self.told[-1]


def test_it_is_told_only_what_changed_since() -> None:
    listener = Listener()
    with capture():
        updates = touchdown.on_update(listener, every=SOON_S)
        with touchdown.task("first"):
            step()
        seen = {account.task.name for account in listener.next()}
        assert seen == {"first"}
        with touchdown.task("second") as second:
            step()
            while not any(a.task.name == "second" and a.tool_calls for a in listener.told[-1]):
                listener.next()
            assert {account.task.name for account in listener.told[-1]} == {"second"}
            assert listener.told[-1][-1].tool_calls == second.totals.tool_calls == 1
        updates.cancel()
        assert not updates.active
    assert listener.threads == {"touchdown updates"}


def test_a_slow_function_holds_nothing_up_and_is_skipped_and_counted() -> None:
    inside, go_on, again = threading.Event(), threading.Event(), threading.Event()

    def slow(_changed: list[TaskAccount]) -> None:
        if inside.is_set():
            again.set()
        inside.set()
        assert go_on.wait(LONG_S)

    with capture() as seen:
        updates = touchdown.on_update(slow, every=SOON_S)
        with touchdown.task("goal") as task:
            step()
            assert inside.wait(LONG_S)
            for _ in range(100):
                step()
            assert task.totals.tool_calls == 101  # delivery goes on
            threading.Event().wait(SOON_S * 4)
            go_on.set()
            assert again.wait(LONG_S)
        assert updates.skipped >= 1
        updates.cancel()
        assert len(seen.tools) == 101


def test_accounts_that_are_dear_to_make_are_made_less_often(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[tuple[float, float]] = []
    real = LiveAccountant.changed_since

    def dear(accountant: LiveAccountant, mark: int) -> tuple[int, list[TaskAccount]]:
        began_s = time.thread_time()
        while time.thread_time() - began_s < DEAR_S:
            pass
        made.append((time.monotonic(), time.thread_time() - began_s))
        return real(accountant, mark)

    monkeypatch.setattr(LiveAccountant, "changed_since", dear)
    listener = Listener()
    with capture():
        updates = touchdown.on_update(listener, every=SOON_S)
        with touchdown.task("goal"):
            for _ in range(3):
                step()
                listener.next()
        updates.cancel()
    for (before_s, spent_s), (after_s, again_s) in pairwise(made):
        assert after_s - again_s - before_s > 0.9 * REST * spent_s
    assert updates.skipped >= 2


def test_what_it_raises_is_said_once_and_reaches_nobody(
    caplog: pytest.LogCaptureFixture,
) -> None:
    calls = threading.Semaphore(0)

    def broken(_changed: list[TaskAccount]) -> None:
        calls.release()
        raise RuntimeError("a user's mistake")

    with caplog.at_level(logging.WARNING, "touchdown"), capture():
        updates = touchdown.on_update(broken, every=SOON_S)
        for _ in range(2):
            with touchdown.task("goal"):
                step()
            assert calls.acquire(timeout=LONG_S)
        updates.cancel()
    assert caplog.text.count("the function of on_update failed") == 1


def test_it_ends_with_the_runtime() -> None:
    listener = Listener()
    with capture():
        updates = touchdown.on_update(listener, every=SOON_S)
        assert updates.active
    (thread,) = [t for t in threading.enumerate() if t.name == "touchdown updates"] or [None]
    if thread is not None:
        thread.join(LONG_S)
    assert not updates.active


@pytest.mark.parametrize("every", [0, -1, float("nan"), "1", True])
def test_what_is_no_time_is_refused(every: Any) -> None:
    with pytest.raises(ValueError, match="every"):
        touchdown.on_update(print, every=every)
    nothing: Any = None
    with pytest.raises(TypeError, match="function"):
        touchdown.on_update(nothing)


def test_without_instrument_it_says_that_it_does_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING, "touchdown"):
        updates = touchdown.on_update(print)
    assert not updates.active
    assert "on_update() does nothing" in caplog.text
