"""The messages that the chunks of a chat stream add up to."""

from collections.abc import Sequence
from typing import Any

from touchdown.clients.fields import get, items, text


def messages_in(chunks: Sequence[object]) -> list[dict[str, Any]]:
    """One message for each choice, as far as the chunks tell it."""
    messages: dict[int, dict[str, Any]] = {}
    for chunk in chunks:
        for choice in items(get(chunk, "choices")):
            empty = {"role": "assistant", "content": "", "reasoning_content": "", "tool_calls": {}}
            message = messages.setdefault(_index(choice), empty)
            delta = get(choice, "delta")
            for name in ("content", "reasoning_content"):
                message[name] += text(delta, name)
            for call in items(get(delta, "tool_calls")):
                _add_call(message["tool_calls"], call)
    for message in messages.values():
        message["tool_calls"] = list(message["tool_calls"].values())
    return [messages[index] for index in sorted(messages)]


def _add_call(calls: dict[int, Any], call: object) -> None:
    made = calls.setdefault(_index(call), {"id": "", "function": {"name": "", "arguments": ""}})
    function = get(call, "function")
    made["id"] = made["id"] or text(call, "id")
    made["function"]["name"] = made["function"]["name"] or text(function, "name")
    made["function"]["arguments"] += text(function, "arguments")


def _index(part: object) -> int:
    value = get(part, "index")
    return value if isinstance(value, int) else 0
