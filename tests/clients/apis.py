"""The APIs whose calls are captured, asked the same question: one row each for the matrices."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from touchdown.testing import Reply, ToolUse

TEXT = "It is test_sum, in the third file."
TOOL = ToolUse("run_tests", {"pattern": "test_sum"}, id="call_1")
REPLY = Reply(TEXT, [TOOL], response_id="answer_1", chunk_chars=6)
QUESTION = {"role": "user", "content": "Which test fails?"}
FUNCTION = {
    "name": "run_tests",
    "description": "Runs the tests.",
    "parameters": {"type": "object", "properties": {}, "additionalProperties": False},
}


@dataclass(frozen=True, slots=True, eq=False)
class Api:
    """One API: how it is asked, and what is known of a stream of it that was not read to its end."""

    name: str
    """As records call it."""
    vendor: str
    resource: str
    ask: Mapping[str, Any]
    streamed: Mapping[str, Any] = field(default_factory=lambda: {"stream": True})
    known_early: str = "none"
    """Completeness of a stream closed after its first event."""

    def of(self, client: Any, wrapper: str = "") -> Any:
        """The resource of this client; ``wrapper`` is ``with_raw_response`` or its like."""
        for name in (*self.resource.split("."), wrapper):
            client = getattr(client, name) if name else client
        return client

    def __str__(self) -> str:
        return self.resource


CHAT = Api(
    "chat.completions",
    "openai",
    "chat.completions",
    {
        "model": "gpt-5.4",
        "messages": [QUESTION],
        "tools": [{"type": "function", "function": FUNCTION}],
    },
    {"stream": True, "stream_options": {"include_usage": True}},
)
RESPONSES = Api(
    "responses",
    "openai",
    "responses",
    {
        "model": "gpt-5.4",
        "input": [QUESTION],
        "tools": [{"type": "function", "strict": False, **FUNCTION}],
    },
)
MESSAGES = Api(
    "messages",
    "anthropic",
    "messages",
    {
        "model": "claude-opus-4-8",
        "max_tokens": 99,
        "messages": [QUESTION],
        "tools": [{"name": "run_tests", "input_schema": {"type": "object"}}],
    },
    known_early="lower_bound",
)
BETA = Api("messages", "anthropic", "beta.messages", MESSAGES.ask, known_early="lower_bound")

APIS = (CHAT, RESPONSES, MESSAGES, BETA)


def plain(value: Any) -> Any:
    """What reached the caller, as text: objects of the SDK with their type; ids and times made alike."""
    written = json.dumps(_plain(value), sort_keys=True, default=repr)
    return re.sub(r"_loopback\d+|\b17900000\d\d\b", "_n", written)


def _plain(value: Any) -> Any:
    if hasattr(value, "model_dump"):
        dumped = value.model_dump(mode="json", warnings=False)
        return [type(value).__name__, dumped, sorted(value.model_fields_set)]
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
