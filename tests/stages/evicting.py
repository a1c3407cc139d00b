"""A conversation in which a tool takes so long that others fill the engine's cache."""

import json
import secrets
import time
import urllib.request
from typing import Any

import openai

import touchdown
from tests.stages.checks import SETTLE_S
from tests.stages.talk import MODEL, PATIENCE_S
from touchdown.engines.host import EngineHost
from touchdown.testing import Capture, capture

SENTENCE = "You are a careful coding agent. "
FULL = 2
"""Long prompts that need the whole cache that ci/stages/vllm.sh gives it."""
SENTENCES = 1900
"""Of a long prompt."""

ASKED: Any = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "search", "arguments": "{}"},
}


def post(url: str, text: str) -> None:
    """A call of some other program."""
    body = {"model": MODEL, "max_tokens": 2, "messages": [{"role": "user", "content": text}]}
    request = urllib.request.Request(
        f"{url}/v1/chat/completions",
        json.dumps(body).encode(),
        {"content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
        answer.read()


def wait_until_heard(host: EngineHost) -> None:
    """A subscription takes a moment, in which what is published is heard by nobody."""
    deadline = time.monotonic() + SETTLE_S
    while host.events_problem and time.monotonic() < deadline:
        post(host.url, f"{secrets.token_hex(8)} {SENTENCE * 20}")
        time.sleep(0.2)
    assert host.events_problem == ""


@touchdown.tool
def search(url: str, fill: int, sentences: int) -> str:
    """Takes its time; meanwhile others use the cache."""
    for _ in range(fill):
        post(url, f"{secrets.token_hex(8)} {SENTENCE * sentences}")
    return "found nothing"


def talk_around_a_tool(
    host: EngineHost, kind: str, fill: int, sentences: int = SENTENCES
) -> Capture:
    """Two calls, and a tool between them in which others send so many long prompts."""
    messages: list[Any] = [
        {"role": "system", "content": f"Session {secrets.token_hex(8)}. {SENTENCE * 200}"},
        {"role": "user", "content": "search for the lost option"},
    ]
    with (
        openai.OpenAI(base_url=f"{host.url}/v1", api_key="none", timeout=PATIENCE_S) as client,
        capture() as seen,
        touchdown.task("mend the option"),
    ):
        touchdown.engine(host.url, kind)  # listens, now that touchdown is active
        wait_until_heard(host)
        asked: Any = {"model": MODEL, "max_tokens": 8}
        client.chat.completions.create(messages=messages, **asked)
        found = search(host.url, fill, sentences)
        messages += [
            {"role": "assistant", "content": "", "tool_calls": [ASKED]},
            {"role": "tool", "tool_call_id": "call_1", "content": found},
        ]
        client.chat.completions.create(messages=messages, **asked)
    return seen


def check_eviction(seen: Capture, lost: int) -> None:
    """So much of the first call's prompt was evicted while the tool ran, as measured."""
    first, second = seen.calls
    told = second.engine
    assert first.engine is not None
    assert told is not None
    assert first.engine.evicted_tokens is None
    assert told.evicted_tokens == lost
    assert told.basis["evicted_tokens"] == "measured"
    assert told.evicted_ago_ns is not None
    assert 0 < told.evicted_ago_ns < second.sent_at_ns - first.ended_at_ns
    (miss,) = seen.verdicts[1].misses
    assert (miss.cause, miss.tax, miss.basis) == ("eviction_seen", "cache_expired", "measured")
    assert "while search ran" in miss.detail


def check_none(seen: Capture) -> None:
    """The first call's prompt stayed while the tool ran."""
    told = seen.calls[1].engine
    assert told is not None
    assert told.cached_tokens
    assert told.evicted_tokens is None
    assert "nothing was seen to be evicted" in told.not_observable["evicted_tokens"]
    assert seen.verdicts[1].misses == ()
