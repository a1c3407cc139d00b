"""Several publishers behind one host: the ranks that its metrics show, and the workers that are named."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.engines.captured import page_of
from tests.engines.test_kv_feed import PATIENCE_S, Publisher, active, publisher
from touchdown.engines.exposition import read_exposition
from touchdown.engines.hosts import HOSTS, engine
from touchdown.engines.kv.feed import LOST, NOT_HEARD, KvFeed
from touchdown.engines.kv.feeds import MOST_RANKS, KvFeeds, of_rank
from touchdown.engines.looking import Look
from touchdown.engines.registry import ENGINES
from touchdown.engines.sglang import Sglang
from touchdown.engines.vllm import Vllm

__all__ = ["active", "publisher"]

REMOVED: Any = {"type": "BlockRemoved", "block_hashes": [1], "medium": "GPU"}
STORED: Any = {"type": "BlockStored", "block_hashes": [1], "parent_block_hash": None}
STORED |= {"token_ids": [], "block_size": 16, "medium": "GPU"}
FOR_EVER = (0, 1 << 62)


def until(done: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not done() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert done()


def heard(publisher: Publisher, event: Any, feed: KvFeed) -> bool:
    """A subscription takes a moment, in which what is published is heard by nobody."""
    publisher.say(event)
    time.sleep(0.05)
    return feed.batches > 0


@pytest.mark.parametrize(
    ("metric", "label", "reader"),
    [
        ("vllm:num_requests_running", "engine", Vllm()),
        ("sglang:num_running_reqs", "dp_rank", Sglang()),
    ],
)
def test_the_ranks_are_in_the_metrics(metric: str, label: str, reader: Any) -> None:
    lines = [f'{metric}{{model_name="m",{label}="{rank}"}} 0.0' for rank in range(4)]
    assert read_exposition("\n".join(lines)).ranks(*reader.ranks) == 4
    assert read_exposition(f'{metric}{{{label}="all"}} 1').ranks(*reader.ranks) == 1


@pytest.mark.parametrize("reader", ENGINES, ids=lambda one: one.id)
def test_a_page_without_them_has_one(reader: Any) -> None:
    for name, page in (
        ("vllm", "flags-metrics-server-after.txt"),
        ("sglang", "metrics-server-after.txt"),
        ("dynamo", "metrics-frontend-after.txt"),
    ):
        assert page_of(name, page).ranks(*reader.ranks) == 1


def test_a_rank_has_its_ports_behind_the_first_ones() -> None:
    assert of_rank("tcp://a:5557, tcp://[::1]:5657", 3) == "tcp://a:5560,tcp://[::1]:5660"


def test_a_host_listens_to_every_rank_that_its_metrics_show() -> None:
    host = engine("http://127.0.0.1:9", "vllm", kv_events="tcp://a:5557;ipc:///tmp/x")
    try:
        feeds = host._feed
        assert feeds is not None
        page = 'vllm:num_requests_running{engine="%d"} 0'
        for ranks in (3, 2, 10_000):
            lines = [page % rank for rank in range(ranks)]
            host.note(Look(Vllm(), read_exposition("\n".join(lines))))
            assert [feed.endpoint for feed in feeds.all][:4] == [
                *("tcp://a:5557", "ipc:///tmp/x", "tcp://a:5558", "tcp://a:5559")
            ]
        assert len(feeds.all) == MOST_RANKS + 1
    finally:
        HOSTS.forget(host)


def test_each_publisher_has_a_cache_of_its_own(publisher: Publisher) -> None:
    zmq = pytest.importorskip("zmq")
    with zmq.Context() as context:
        other = Publisher(context)
        feeds = KvFeeds(f"{publisher.both};{other.both}")
        feeds.wake()
        try:
            assert feeds.problem == NOT_HEARD
            until(lambda: heard(publisher, STORED, feeds.all[0]))
            assert feeds.problem == ""  # the other one had nothing to tell yet
            publisher.say(REMOVED)
            until(lambda: heard(other, STORED, feeds.all[1]))
            assert feeds.computed_again(*FOR_EVER) == []
            publisher.say(STORED)
            until(lambda: len(feeds.computed_again(*FOR_EVER)) == 1)
            feeds.all[1].problem = LOST
            assert feeds.problem == LOST
        finally:
            threads = [feed._thread for feed in feeds.all]
            feeds.stop()
            for thread in threads:
                if thread is not None:
                    thread.join(PATIENCE_S)
            other.close()
