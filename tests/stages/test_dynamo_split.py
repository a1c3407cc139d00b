"""Dynamo before one worker that prefills and one that decodes (``DYNAMO_SPLIT_URL``)."""

import os
from collections.abc import Iterator

import pytest

import touchdown
from tests.stages.checks import phases_add_up, sums_are_counted, time_adds_up
from tests.stages.talk import TURNS, converse
from touchdown.engines.host import EngineHost
from touchdown.engines.hosts import HOSTS
from touchdown.testing import capture

pytestmark = pytest.mark.stage_dynamo


@pytest.fixture
def host() -> Iterator[EngineHost]:
    named = touchdown.engine(os.environ["DYNAMO_SPLIT_URL"], "dynamo")
    named.look()
    yield named
    HOSTS.forget(named)


def test_the_transfer_between_two_workers_is_told(host: EngineHost) -> None:
    with capture(stream_usage=True) as seen:
        converse(host, "split", as_claude=0)
    calls = seen.calls
    assert len(calls) == TURNS
    assert all(call.usage.cache_read for call in calls[1:])
    sums_are_counted(host, calls)
    for call in calls:
        timing = call.engine
        assert timing is not None
        assert timing.fabric_ns
        assert timing.basis["fabric_ns"] == "estimated"
        assert sum(timing.phases_ns.values()) <= (timing.total_ns or 0) + len(timing.phases_ns)
        phases_add_up(call)
    assert len({call.engine.worker for call in calls if call.engine}) == 1
    time_adds_up(seen)
    (account,) = seen.accounts
    assert account.time.taxes["fabric_transfer"] > 0
    assert account.time.basis["fabric_transfer"] == "estimated"
