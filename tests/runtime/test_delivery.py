"""What the host's own functions do behind the queue: whoever waits for a time is not held longer."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from touchdown.runtime.delivery import Delivery

STUCK = """
import time, touchdown

def redact(text):
    time.sleep(600)

touchdown.instrument(capture_content=True, redact=redact, clients=())

@touchdown.tool
def look():
    return "found"

look()
print(touchdown.flush(0.2))
look()
"""


HELD = """
import builtins, sys, touchdown
from openai import OpenAI
from touchdown.testing import Provider

provider = Provider(["hello"]).start()
if sys.argv[1:]:
    touchdown.instrument(journal=sys.argv[1])
client = OpenAI(base_url=provider.openai_url, api_key="test")
builtins.held = client.chat.completions.create(model="gpt-5.4", messages=[], stream=True)
next(builtins.held)
provider.close()
"""


class Item:
    """Waits until it is let go on."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.threads: list[str] = []

    def deliver(self) -> None:
        self.threads.append(threading.current_thread().name)
        self.go_on.wait()

    def drop(self) -> None: ...


def test_a_function_of_the_hosts_that_never_comes_back_does_not_hold_the_exit() -> None:
    done = subprocess.run(
        [sys.executable, "-c", STUCK], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (0, "False\n")
    assert "touchdown: lost at the end: " in done.stderr


def test_a_stream_that_the_interpreters_end_drops_is_in_the_journal_and_we_say_nothing(
    tmp_path: Path,
) -> None:
    journal = tmp_path / "journal.jsonl"
    bare, done = (
        subprocess.run(
            [sys.executable, "-c", HELD, *given],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        for given in ([], [str(journal)])
    )
    # The SDK imports a module at this moment: Python 3.14 says that it cannot, 3.13.0 crashes.
    assert done.returncode == bare.returncode
    assert "touchdown: " not in done.stderr
    if not done.returncode:
        assert journal.read_text().count('"ModelCall"') == 1


def test_the_worker_delivers_for_whoever_waits_for_a_time() -> None:
    delivery, stuck, other = Delivery(), Item(), Item()
    other.go_on.set()
    delivery.put(stuck)
    delivery.put(other)
    assert not delivery.settle(0.05)
    assert delivery.close(0.05) == 2
    stuck.go_on.set()
    assert delivery.close(30) == 0
    assert stuck.threads == other.threads == ["touchdown"]


def test_the_worker_does_not_wait_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("touchdown.runtime.delivery.TEND_S", 0.0)
    seen, done, item = [], threading.Event(), Item()
    item.go_on.set()

    def tend() -> None:
        if not done.is_set():
            delivery.put(item)
            seen.append(delivery.settle(2))
            done.set()

    delivery = Delivery(tend=tend)
    delivery.put(item)
    assert done.wait(30)
    assert seen == [True]


@pytest.mark.parametrize("asks", ["settle", "drain"])
def test_an_item_that_asks_for_all_that_is_pending_goes_on(asks: str) -> None:
    delivery, seen = Delivery(), []

    class Asking(Item):
        def deliver(self) -> None:
            seen.append(getattr(delivery, asks)(30))

    delivery.put(Asking())
    assert delivery.settle(30)
    delivery.put(Asking())
    assert delivery.drain(30)
    assert seen == [True, True]
