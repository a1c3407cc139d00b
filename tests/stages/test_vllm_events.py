"""A real vLLM's cache events (``VLLM_URL``, ``VLLM_KV_EVENTS``): what was evicted while a tool ran."""

import json
import os
import secrets
import time
import urllib.request
from collections.abc import Iterator
from typing import Any

import openai
import pytest

import touchdown
from tests.stages.talk import MODEL, PATIENCE_S, SETTLE_S
from touchdown.engines.hosts import HOSTS, EngineHost
from touchdown.testing import capture

pytestmark = pytest.mark.stage_vllm

BLOCK = 32
SENTENCE = "You are a careful coding agent. "
TOOLS: Any = [
    {"type": "function", "function": {"name": "search", "parameters": {"type": "object"}}}
]
ASKED: Any = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "search", "arguments": "{}"},
}


@pytest.fixture
def host() -> Iterator[EngineHost]:
    named = touchdown.engine(os.environ["VLLM_URL"], "vllm", kv_events=os.environ["VLLM_KV_EVENTS"])
    named.look()
    yield named
    HOSTS.forget(named)


def post(text: str) -> None:
    """A call of some other program."""
    body = {"model": MODEL, "max_tokens": 1, "messages": [{"role": "user", "content": text}]}
    request = urllib.request.Request(
        f"{os.environ['VLLM_URL']}/v1/chat/completions",
        json.dumps(body).encode(),
        {"content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
        answer.read()


def wait_until_heard(host: EngineHost) -> None:
    """A subscription takes a moment; what was published before it is replayed."""
    deadline = time.monotonic() + SETTLE_S
    while host.events_problem and time.monotonic() < deadline:
        post(f"{secrets.token_hex(8)} {SENTENCE * 20}")
        time.sleep(0.2)
    assert host.events_problem == ""


@touchdown.tool
def search(fill: int) -> str:
    """Takes its time; meanwhile others need the whole cache."""
    for _ in range(fill):
        post(f"{secrets.token_hex(8)} {SENTENCE * 1900}")
    return "found nothing"


@pytest.mark.parametrize("fill", [0, 2])
def test_a_prefix_that_was_evicted_while_a_tool_ran(host: EngineHost, fill: int) -> None:
    messages: list[Any] = [
        {"role": "system", "content": f"Session {secrets.token_hex(8)}. {SENTENCE * 200}"},
        {"role": "user", "content": "search for the lost option"},
    ]
    with (
        openai.OpenAI(base_url=f"{host.url}/v1", api_key="none", timeout=PATIENCE_S) as client,
        capture() as seen,
        touchdown.task("mend the option"),
    ):
        asked: Any = {"model": MODEL, "tools": TOOLS, "max_tokens": 8}
        touchdown.engine(host.url, "vllm")  # listens now that touchdown is active
        wait_until_heard(host)
        client.chat.completions.create(messages=messages, **asked)
        found = search(fill)
        messages += [
            {"role": "assistant", "content": "", "tool_calls": [ASKED]},
            {"role": "tool", "tool_call_id": "call_1", "content": found},
        ]
        client.chat.completions.create(messages=messages, **asked)
    first, second = seen.calls
    told = second.engine
    assert first.engine is not None
    assert told is not None
    assert first.engine.evicted_tokens is None
    if not fill:
        assert second.usage.cache_read
        assert told.evicted_tokens is None
        assert "nothing was seen to be evicted" in told.not_observable["evicted_tokens"]
        return
    assert first.engine.prompt_tokens is not None
    assert (second.usage.cache_read, told.evicted_tokens) == (
        0,
        first.engine.prompt_tokens // BLOCK * BLOCK,
    )
    assert told.basis["evicted_tokens"] == "measured"
    assert told.evicted_ago_ns is not None
    assert 0 < told.evicted_ago_ns < second.sent_at_ns - first.ended_at_ns
    (miss,) = seen.verdicts[1].misses
    assert (miss.cause, miss.tax, miss.basis) == ("eviction_seen", "cache_expired", "measured")
    assert "while search ran" in miss.detail
