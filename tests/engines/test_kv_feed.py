"""The feed over real ZeroMQ sockets: a publisher with a replay socket, as in vLLM, and what goes wrong."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from touchdown.engines.kv.feed import (
    LOST,
    NOT_HEARD,
    NOT_INSTALLED,
    REPLAY_ENDS,
    RESTARTED,
    STRANGE,
    KvFeed,
)
from touchdown.engines.kv.log import Again
from touchdown.runtime import core
from touchdown.testing import capture

zmq = pytest.importorskip("zmq")

PATIENCE_S = 30.0


class Publisher:
    """Publishes on one socket, and tells on another what it published before."""

    def __init__(self, context: Any) -> None:
        self.pub, self.router = context.socket(zmq.PUB), context.socket(zmq.ROUTER)
        self.pub.linger = self.router.linger = 0
        self.ports = [one.bind_to_random_port("tcp://127.0.0.1") for one in (self.pub, self.router)]
        self.said: list[tuple[int, bytes]] = []
        self.number = 0
        self.ended = False
        self._server = threading.Thread(target=self._replay, daemon=True)
        self._server.start()

    @property
    def live(self) -> str:
        return f"tcp://127.0.0.1:{self.ports[0]}"

    @property
    def both(self) -> str:
        return f"{self.live}, tcp://127.0.0.1:{self.ports[1]}"

    def say(self, *events: Any, lost: bool = False, payload: bytes | None = None) -> None:
        """Publish a batch; one that is ``lost`` can only be asked for."""
        content = payload or msgspec.msgpack.encode([time.time(), events, 0])
        self.said.append((self.number, content))
        if not lost:
            self.pub.send_multipart([b"kv", self.number.to_bytes(8, "big"), content])
        self.number += 1

    def start_again(self) -> None:
        self.said, self.number = [], 0

    def _replay(self) -> None:
        while not self.ended:
            if self.router.poll(50):
                asker, _, first = self.router.recv_multipart()
                for number, content in list(self.said):
                    if number >= int.from_bytes(first, "big"):
                        told = [asker, b"", b"kv", number.to_bytes(8, "big"), content]
                        self.router.send_multipart(told)
                self.router.send_multipart([asker, b"", b"", REPLAY_ENDS, b""])

    def close(self) -> None:
        self.ended = True
        self._server.join(PATIENCE_S)
        self.pub.close()
        self.router.close()


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    with zmq.Context() as context:
        made = Publisher(context)
        yield made
        made.close()


@pytest.fixture(autouse=True)
def active() -> Iterator[None]:
    with capture():
        yield


@pytest.fixture
def listen() -> Iterator[Callable[[str], KvFeed]]:
    feeds: list[KvFeed] = []

    def begin(endpoint: str) -> KvFeed:
        feeds.append(KvFeed(endpoint))
        feeds[-1].wake()
        return feeds[-1]

    yield begin
    for feed in feeds:
        thread = feed._thread
        feed.stop()
        if thread is not None:
            thread.join(PATIENCE_S)


def stored(*hashes: int) -> dict[str, Any]:
    told: dict[str, Any] = {"type": "BlockStored", "block_hashes": hashes, "block_size": 32}
    return told | {"parent_block_hash": None, "token_ids": [], "lora_id": None, "medium": "GPU"}


def removed(*hashes: int) -> dict[str, Any]:
    return {"type": "BlockRemoved", "block_hashes": hashes, "medium": "GPU"}


def until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert holds()


def until_heard(feed: KvFeed, publisher: Publisher) -> None:
    """A subscription takes a moment, in which what is published is heard by nobody."""

    def heard() -> bool:
        publisher.say()
        time.sleep(0.02)
        return feed.batches > 0

    until(heard)
    until(lambda: feed._next == publisher.number)


def again(feed: KvFeed) -> list[Again]:
    return feed.log.computed_again(0, time.monotonic_ns())


def test_what_is_published_is_in_the_log(publisher: Publisher, listen: Any) -> None:
    feed = listen(publisher.live)
    assert feed.problem == NOT_HEARD
    until_heard(feed, publisher)
    before = time.monotonic_ns()
    publisher.say(stored(1, 2), removed(2))
    publisher.say(stored(2))
    until(lambda: again(feed))
    (found,) = again(feed)
    assert found.tokens == 32
    assert before - 10**9 < found.evicted_ns <= found.stored_ns <= time.monotonic_ns()
    assert feed.problem == ""


def test_a_gap_without_a_replay_socket_forgets_what_was_known(
    publisher: Publisher, listen: Any
) -> None:
    feed = listen(publisher.live)
    until_heard(feed, publisher)
    publisher.say(stored(1), removed(1))
    publisher.say(lost=True)
    publisher.say(stored(1))
    until(lambda: feed._next == publisher.number)
    assert again(feed) == []
    assert feed.problem == LOST


def test_a_gap_is_filled_from_the_replay_socket(publisher: Publisher, listen: Any) -> None:
    feed = listen(publisher.both)
    until_heard(feed, publisher)
    publisher.say(stored(1))
    publisher.say(removed(1), lost=True)
    publisher.say(stored(1))
    until(lambda: again(feed))
    assert [one.tokens for one in again(feed)] == [32]
    assert feed.problem == ""
    batches = feed.batches
    publisher.say()
    until(lambda: feed.batches == batches + 1)  # none was taken twice


def test_what_was_published_before_is_asked_for(publisher: Publisher, listen: Any) -> None:
    for events in ([stored(1)], [removed(1)], [stored(1)]):
        publisher.say(*events)
    feed = listen(publisher.both)
    until(lambda: feed.batches == 3)
    assert [one.tokens for one in again(feed)] == [32]
    assert feed.problem == ""


def test_an_engine_that_was_started_again_knows_nothing_of_before(
    publisher: Publisher, listen: Any
) -> None:
    feed = listen(publisher.live)
    until_heard(feed, publisher)
    for _ in range(3):
        publisher.say(stored(1), removed(1))
    until(lambda: feed._next == publisher.number)
    publisher.start_again()
    publisher.say(stored(1))
    until(lambda: feed._next == 1)
    assert again(feed) == []
    assert feed.problem == RESTARTED


@pytest.mark.parametrize(
    "frames", [[b"kv"], [b"kv", b"7", b""], [b"kv", (1000).to_bytes(8, "big"), b"\xff"]]
)
def test_strange_messages_are_said_and_survived(
    publisher: Publisher, listen: Any, frames: list[bytes]
) -> None:
    feed = listen(publisher.live)
    until_heard(feed, publisher)
    publisher.pub.send_multipart(frames)
    until(lambda: feed.problem == STRANGE)
    publisher.number = 1001
    for events in ([stored(1), removed(1)], [stored(1)]):
        publisher.say(*events)
    until(lambda: again(feed))


def test_an_address_where_nobody_can_be_is_a_problem_in_words(listen: Any) -> None:
    feed = listen("tcp://no port")
    until(lambda: feed.problem != NOT_HEARD)
    assert feed.problem.startswith("tcp://no port: ")
    feed.wake()  # and is not tried again
    assert feed.batches == 0


def test_without_pyzmq_it_says_what_to_install(
    listen: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "zmq", None)
    feed = listen("tcp://127.0.0.1:1")
    until(lambda: feed.problem == NOT_INSTALLED)


def test_it_listens_while_touchdown_is_active(
    publisher: Publisher, listen: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed = listen(publisher.live)
    until_heard(feed, publisher)
    publisher.say(removed(1))
    until(lambda: feed._next == publisher.number)
    with monkeypatch.context() as patched:
        patched.setattr(core, "active", lambda: None)
        until(lambda: feed._thread is None)
    assert feed.problem == NOT_HEARD
    feed.wake()
    batches = feed.batches
    until(lambda: publisher.say() or feed.batches > batches)
    publisher.say(stored(1))
    until(lambda: feed._next == publisher.number)
    assert again(feed) == []  # of what was evicted before, nobody knows what came between


SCRIPT = """
import os, sys, touchdown
touchdown.instrument()
touchdown.engine("http://127.0.0.1:9", "vllm", kv_events=sys.argv[1])
if os.fork() == 0:
    touchdown.engine("http://127.0.0.1:9", "vllm")
    print("child", flush=True)
    sys.exit()
os.wait()
print("parent")
"""


def test_a_process_that_listens_and_its_forks_end_when_they_are_done(publisher: Publisher) -> None:
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SCRIPT, publisher.both],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={k: v for k, v in os.environ.items() if not k.startswith(("OTEL_", "TOUCHDOWN_"))},
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.split() == ["child", "parent"]
