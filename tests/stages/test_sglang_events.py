"""A real SGLang's cache events (``SGLANG_URL``, ``SGLANG_KV_EVENTS``): what was evicted while a tool ran."""

import os
from collections.abc import Iterator

import pytest

import touchdown
from tests.stages.evicting import check_eviction, check_none, talk_around_a_tool
from touchdown.engines.host import EngineHost
from touchdown.engines.hosts import HOSTS

pytestmark = pytest.mark.stage_sglang

FULL, SENTENCES = 3, 500
"""Long prompts that need the whole cache that ci/stages/sglang.sh gives it, and how long each is."""


@pytest.fixture
def host() -> Iterator[EngineHost]:
    named = touchdown.engine(
        os.environ["SGLANG_URL"], "sglang", kv_events=os.environ["SGLANG_KV_EVENTS"]
    )
    named.look()
    yield named
    HOSTS.forget(named)


def test_a_prefix_that_was_evicted_while_a_tool_ran(host: EngineHost) -> None:
    seen = talk_around_a_tool(host, "sglang", FULL, SENTENCES)
    first, second = seen.calls
    print(first.engine, second.engine, first.usage, second.usage)
    check_eviction(seen, (first.usage.input_tokens or 0) - (second.usage.cache_read or 0))


def test_a_prefix_that_stayed(host: EngineHost) -> None:
    check_none(talk_around_a_tool(host, "sglang", 0))
