"""A real vLLM's cache events (``VLLM_URL``, ``VLLM_KV_EVENTS``): what was evicted while a tool ran."""

import os
from collections.abc import Iterator

import pytest

import touchdown
from tests.stages.evicting import FULL, check_eviction, check_none, talk_around_a_tool
from touchdown.engines.host import EngineHost
from touchdown.engines.hosts import HOSTS

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
    assert second.usage.cache_read == 0
    check_eviction(seen, (first.usage.input_tokens or 0) // BLOCK * BLOCK)


def test_a_prefix_that_stayed(host: EngineHost) -> None:
    check_none(talk_around_a_tool(host, "vllm", 0))
