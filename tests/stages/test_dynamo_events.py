"""The cache events of two workers behind one frontend (``DYNAMO_URL``, ``DYNAMO_KV_EVENTS``)."""

import os
import threading
import time
from collections.abc import Iterator

import pytest

import touchdown
from tests.stages.checks import SETTLE_S
from tests.stages.talk import converse
from touchdown.engines.host import EngineHost
from touchdown.engines.hosts import HOSTS
from touchdown.testing import capture

pytestmark = pytest.mark.stage_dynamo

SESSIONS = 6


@pytest.fixture
def host() -> Iterator[EngineHost]:
    named = touchdown.engine(
        os.environ["DYNAMO_URL"], "dynamo", kv_events=os.environ["DYNAMO_KV_EVENTS"]
    )
    yield named
    HOSTS.forget(named)


def together(host: EngineHost) -> None:
    sessions = [
        threading.Thread(target=converse, args=(host, name), kwargs={"turns": 3, "as_claude": 0})
        for name in map(str, range(SESSIONS))
    ]
    for session in sessions:
        session.start()
    for session in sessions:
        session.join()


def test_every_worker_is_heard_and_what_another_one_stores_is_no_eviction(host: EngineHost) -> None:
    feeds = host._feed
    assert feeds is not None
    with capture(stream_usage=True) as seen:
        touchdown.engine(host.url, "dynamo")  # listens, now that touchdown is active
        deadline = time.monotonic() + SETTLE_S
        while not all(feed.batches for feed in feeds.all) and time.monotonic() < deadline:
            together(host)
        assert [feed.problem for feed in feeds.all] == ["", ""]
        assert host.events_problem == ""
        told = [call.engine for call in seen.calls if call.engine is not None]
    assert len(told) >= SESSIONS * 3
    assert {timing.evicted_tokens for timing in told} == {None}
    assert any("nothing was seen" in t.not_observable["evicted_tokens"] for t in told)
