"""Makes ``own/``: one small recording per API and shape. Run ``python -m tests.recordings.make_own``."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request as HttpRequest
from urllib.request import urlopen

from tests.recordings.exchanges import OWN
from touchdown.testing import Fault, Provider, Reply, ToolUse

AT = 1_790_000_000
KEPT = ("content-type", "retry-after")

QUESTION = {"role": "user", "content": "Which test fails?"}
LONG = "You are a careful engineer. Read before you write, and run the tests. " * 120
TOOL = {"name": "run_tests", "description": "Runs the tests.", "input_schema": {"type": "object"}}
FUNCTION = {"name": "run_tests", "description": "Runs the tests.", "parameters": {"type": "object"}}
LOOK = Reply("I will look.", [ToolUse("run_tests", {"pattern": "test_sum"}, id="call_1")])
THINK = Reply(
    "It is test_sum.", [ToolUse("run_tests", {}, id="call_2")], reasoning="Two candidates. " * 9
)

CHAT: dict[str, Any] = {"model": "gpt-5.4", "messages": [QUESTION]}
RESPONSES: dict[str, Any] = {"model": "gpt-5.4", "input": "Which test fails?"}
MESSAGES: dict[str, Any] = {"model": "claude-opus-4-8", "max_tokens": 256, "messages": [QUESTION]}
CACHED = [{"type": "text", "text": LONG, "cache_control": {"type": "ephemeral"}}]
HOUR = [{"type": "text", "text": LONG, "cache_control": {"type": "ephemeral", "ttl": "1h"}}]
WITH_USAGE = {"stream": True, "stream_options": {"include_usage": True}}


@dataclass(frozen=True, slots=True)
class Asked:
    """One request of a recording. ``{id}`` in the path is the id of the answer before."""

    path: str
    body: Any = None


@dataclass(frozen=True, slots=True)
class Scene:
    """One recording: its requests, and what the model answers."""

    asked: Sequence[Asked]
    script: Sequence[Reply | Fault | str] = ("It is test_sum.",)


def chat(**more: Any) -> Asked:
    return Asked("/v1/chat/completions", {**CHAT, **more})


def responses(**more: Any) -> Asked:
    return Asked("/v1/responses", {**RESPONSES, **more})


def messages(**more: Any) -> Asked:
    return Asked("/v1/messages?beta=true", {**MESSAGES, **more})


SCENES: dict[str, Scene] = {
    "chat": Scene([chat()]),
    "chat_tools": Scene([chat(tools=[{"type": "function", "function": FUNCTION}])], [LOOK]),
    "chat_stream": Scene([chat(**WITH_USAGE)]),
    "chat_stream_without_usage": Scene([chat(stream=True)], [LOOK]),
    "chat_cached": Scene(
        [chat(messages=[{"role": "system", "content": LONG}, QUESTION])] * 2, ["a", "b"]
    ),
    "chat_error": Scene([chat()], [Fault(400)]),
    "embeddings": Scene(
        [
            Asked(
                "/v1/embeddings",
                {
                    "model": "text-embedding-3-small",
                    "input": ["one", "two"],
                    "dimensions": 8,
                    "encoding_format": "base64",
                },
            )
        ]
    ),
    "responses": Scene([responses(instructions="Be brief.")]),
    "responses_stream": Scene(
        [responses(stream=True, tools=[{"type": "function", **FUNCTION}])], [THINK]
    ),
    "responses_background": Scene([responses(background=True), Asked("/v1/responses/{id}")]),
    "responses_rate_limited": Scene([responses()], [Fault(429)]),
    "messages": Scene([messages()]),
    "messages_stable": Scene([Asked("/v1/messages", MESSAGES)]),
    "messages_stream": Scene([messages(stream=True, tools=[TOOL])], [THINK]),
    "messages_cached": Scene(
        [messages(system=CACHED)] * 2 + [messages(system=HOUR)], ["a", "b", "c"]
    ),
    "messages_overloaded": Scene([messages()], [Fault(529)]),
    "messages_count_tokens": Scene(
        [
            Asked(
                "/v1/messages/count_tokens?beta=true",
                {"model": "claude-opus-4-8", "messages": [QUESTION]},
            )
        ]
    ),
}


def record(scene: Scene) -> list[dict[str, Any]]:
    """Ask the loopback provider and keep what was said on both sides."""
    exchanges: list[dict[str, Any]] = []
    with Provider(scene.script) as provider:
        provider.clock.set(AT)
        for asked in scene.asked:
            last = exchanges[-1]["response"]["body"] if exchanges else {}
            path = asked.path.replace("{id}", last.get("id", "") if isinstance(last, dict) else "")
            exchanges.append(_exchange(provider.url, path, asked.body))
    return exchanges


def _exchange(url: str, path: str, body: Any) -> dict[str, Any]:
    data = None if body is None else json.dumps(body).encode()
    headers = {"content-type": "application/json"}
    try:
        with urlopen(HttpRequest(url + path, data, headers)) as answer:
            status, kept, text = answer.status, answer.headers, answer.read().decode()
    except HTTPError as error:
        with error:
            status, kept, text = error.code, error.headers, error.read().decode()
    streamed = "event-stream" in kept["content-type"]
    return {
        "request": {
            "host": "api.anthropic.com" if "/messages" in path else "api.openai.com",
            "method": "GET" if body is None else "POST",
            "path": path,
            "body": body or "",
        },
        "response": {
            "status": status,
            "headers": {name: kept[name] for name in KEPT if kept[name]},
            "body": text if streamed else json.loads(text),
        },
    }


def main() -> None:
    """Write every file anew."""
    OWN.mkdir(exist_ok=True)
    for name, scene in SCENES.items():
        told = {
            "source": "made with touchdown.testing by tests/recordings/make_own.py",
            "exchanges": record(scene),
        }
        (OWN / f"{name}.json").write_text(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    main()
