"""A real vLLM's cache events (``VLLM_URL``, ``VLLM_KV_EVENTS``): what was evicted while a tool ran."""

import os
from collections.abc import Iterator

import pytest

import touchdown
from tests.stages.evicting import FULL, talk_around_a_tool
from touchdown.engines.hosts import HOSTS, EngineHost

pytestmark = pytest.mark.stage_vllm

BLOCK = 32


@pytest.fixture
def host() -> Iterator[EngineHost]:
    named = touchdown.engine(os.environ["VLLM_URL"], "vllm", kv_events=os.environ["VLLM_KV_EVENTS"])
    named.look()
    yield named
    HOSTS.forget(named)


def test_a_prefix_that_was_evicted_while_a_tool_ran(host: EngineHost) -> None:
    seen = talk_around_a_tool(host, "vllm", FULL)
    first, second = seen.calls
    told = second.engine
    assert first.engine is not None
    assert told is not None
    assert first.engine.evicted_tokens is None
    lost = (first.engine.prompt_tokens or 0) // BLOCK * BLOCK
    assert (second.usage.cache_read, told.evicted_tokens) == (0, lost)
    assert told.basis["evicted_tokens"] == "measured"
    assert told.evicted_ago_ns is not None
    assert 0 < told.evicted_ago_ns < second.sent_at_ns - first.ended_at_ns
    (miss,) = seen.verdicts[1].misses
    assert (miss.cause, miss.tax, miss.basis) == ("eviction_seen", "cache_expired", "measured")
    assert "while search ran" in miss.detail


def test_a_prefix_that_stayed(host: EngineHost) -> None:
    seen = talk_around_a_tool(host, "vllm", 0)
    told = seen.calls[1].engine
    assert told is not None
    assert told.cached_tokens
    assert told.evicted_tokens is None
    assert "nothing was seen to be evicted" in told.not_observable["evicted_tokens"]
    assert seen.verdicts[1].misses == ()
