"""A conversation in which a tool takes so long that others fill the engine's cache."""

import json
import secrets
import time
import urllib.request
from typing import Any

import openai

import touchdown
from tests.stages.talk import MODEL, PATIENCE_S, SETTLE_S
from touchdown.engines.hosts import EngineHost
from touchdown.testing import Capture, capture

SENTENCE = "You are a careful coding agent. "
FULL = 2
"""Long prompts that need the whole cache that ci/stages/vllm.sh gives it."""

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
def search(url: str, fill: int) -> str:
    """Takes its time; meanwhile others use the cache."""
    for _ in range(fill):
        post(url, f"{secrets.token_hex(8)} {SENTENCE * 1900}")
    return "found nothing"


def talk_around_a_tool(host: EngineHost, kind: str, fill: int) -> Capture:
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
        found = search(host.url, fill)
        messages += [
            {"role": "assistant", "content": "", "tool_calls": [ASKED]},
            {"role": "tool", "tool_call_id": "call_1", "content": found},
        ]
        client.chat.completions.create(messages=messages, **asked)
    return seen
