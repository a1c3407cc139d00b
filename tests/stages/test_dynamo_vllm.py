"""NVIDIA Dynamo's frontend and router before a real vLLM: usage, counters and evictions through both.

``DYNAMO_VLLM_URL`` is the frontend, ``VLLM_WORKER_URL`` where the worker shows its metrics, Dynamo's and
vLLM's on one page, ``VLLM_KV_EVENTS`` where vLLM publishes its cache events.
"""

import os
from collections.abc import Iterator

import anthropic
import openai
import pytest

import touchdown
from tests.stages.evicting import FULL, talk_around_a_tool
from tests.stages.talk import (
    PATIENCE_S,
    ask,
    ask_as_claude,
    begin,
    counted_by,
    go_on,
    phases_add_up,
)
from touchdown.engines.exposition import Exposition, counted, read_exposition
from touchdown.engines.fetching import fetch_text
from touchdown.engines.hosts import HOSTS, EngineHost
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
    messages = begin("both")
    with (
        openai.OpenAI(base_url=f"{host.url}/v1", api_key="none", timeout=PATIENCE_S) as client,
        anthropic.Anthropic(base_url=host.url, api_key="none", timeout=PATIENCE_S) as claude,
        capture(stream_usage=True) as seen,
        touchdown.task("mend the option"),
    ):
        for turn in range(5):
            go_on(messages, ask(client, messages, stream=turn % 2 == 1), turn)
        for turn in range(5, 10):
            go_on(messages, ask_as_claude(claude, messages, stream=turn % 2 == 1), turn)
    calls = seen.calls
    read = sum(call.usage.cache_read or 0 for call in calls)
    sent = sum(call.usage.input_tokens or 0 for call in calls)
    assert all(call.usage.cache_read for call in calls[1:])
    assert counted_by(host, "requests", len(calls)) == len(calls)
    assert host.counted.figures["prompt_tokens"] == sent
    assert host.counted.figures["cached_tokens"] == read
    engine = counted(before, of_the_worker(), Vllm().counters).figures
    assert (engine["prompt_tokens"], engine["cached_tokens"]) == (sent, read)
    for call in calls:
        assert call.engine is not None
        assert call.engine.engine == "dynamo"
        phases_add_up(call)
    (account,) = seen.accounts
    whole = account.time
    assert whole.work_ns + sum(whole.taxes.values()) + whole.unexplained_ns == whole.total_ns


def test_an_eviction_is_seen_behind_the_router_too(host: EngineHost) -> None:
    """Dynamo hands the session of its header on to vLLM, whose events name it."""
    seen = talk_around_a_tool(host, "dynamo", FULL)
    first, second = seen.calls
    told = second.engine
    assert told is not None
    assert first.usage.input_tokens is not None
    assert (second.usage.cache_read, told.evicted_tokens) == (
        0,
        first.usage.input_tokens // BLOCK * BLOCK,
    )
    (miss,) = seen.verdicts[1].misses
    assert (miss.cause, miss.tax, miss.basis) == ("eviction_seen", "cache_expired", "measured")
    assert "while search ran" in miss.detail
