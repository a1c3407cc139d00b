"""NVIDIA Dynamo's frontend and router before a real vLLM: usage, counters and evictions through both.

``DYNAMO_VLLM_URL`` is the frontend, ``VLLM_WORKER_URL`` where the worker shows its metrics, Dynamo's and
vLLM's on one page, ``VLLM_KV_EVENTS`` where vLLM publishes its cache events.
"""

import os
from collections.abc import Iterator

import pytest

import touchdown
from tests.stages.checks import phases_add_up, sums_are_counted, time_adds_up
from tests.stages.evicting import FULL, check_eviction, talk_around_a_tool
from tests.stages.talk import converse
from touchdown.engines.exposition import Exposition, counted, read_exposition
from touchdown.engines.fetching import fetch_text
from touchdown.engines.host import EngineHost
from touchdown.engines.hosts import HOSTS
from touchdown.engines.vllm import Vllm
from touchdown.testing import capture

pytestmark = pytest.mark.stage_dynamo_vllm

BLOCK = 32


@pytest.fixture
def host() -> Iterator[EngineHost]:
    named = touchdown.engine(
        os.environ["DYNAMO_VLLM_URL"], "dynamo", kv_events=os.environ["VLLM_KV_EVENTS"]
    )
    named.look()
    assert (named.engine, named.problem) == ("dynamo", "")
    yield named
    HOSTS.forget(named)


def of_the_worker() -> Exposition:
    return read_exposition(fetch_text(os.environ["VLLM_WORKER_URL"], "/metrics"))


def test_a_conversation_in_five_turns_through_both_sdks(host: EngineHost) -> None:
    before = of_the_worker()
    with capture(stream_usage=True) as seen:
        converse(host, "both")
    calls = seen.calls
    read = sum(call.usage.cache_read or 0 for call in calls)
    sent = sum(call.usage.input_tokens or 0 for call in calls)
    assert all(call.usage.cache_read for call in calls[1:])
    sums_are_counted(host, calls)
    engine = counted(before, of_the_worker(), Vllm().counters).figures
    assert (engine["prompt_tokens"], engine["cached_tokens"]) == (sent, read)
    for call in calls:
        assert call.engine is not None
        assert call.engine.engine == "dynamo"
        phases_add_up(call)
    time_adds_up(seen)


def test_an_eviction_is_seen_behind_the_router_too(host: EngineHost) -> None:
    """Dynamo hands the session of its header on to vLLM, whose events name it."""
    seen = talk_around_a_tool(host, "dynamo", FULL)
    first, second = seen.calls
    assert second.usage.cache_read == 0
    check_eviction(seen, (first.usage.input_tokens or 0) // BLOCK * BLOCK)
