"""The message threads that the provider holds, as Anthropic's beta does.

Source: https://platform.claude.com/docs/en/build-with-claude/message-threads (November 2026).
"""

from __future__ import annotations

import threading

from msgspec import Struct

from touchdown.testing.provider.payload import JsonObject, object_in, objects_in, text_in

LIFE_S = 300
"""A thread is held this long after its last request."""

_FIXED = ("system", "tools")
_MARKER = "cache_control"


class _Held(Struct):
    fixed: JsonObject
    messages: list[JsonObject]
    used_at_s: float


class ThreadStore:
    """Conversations by the id of the answer they go on from. Units: clock seconds."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[str, _Held] = {}

    def whole(self, body: JsonObject, now_s: float) -> JsonObject | None:
        """The request with everything the thread holds; None where its thread is not held (any more)."""
        previous = previous_message(body)
        if not previous:
            return body
        with self._lock:
            held = self._held.get(previous)
        if held is None or now_s - held.used_at_s > LIFE_S:
            return None
        messages = held.messages + objects_in(body.get("messages"))
        return {**body, **held.fixed, "messages": messages}

    def save(self, whole: JsonObject, answer: JsonObject, now_s: float) -> None:
        """Hold the conversation up to this answer, if the request has a thread."""
        if not object_in(whole.get("thread")):
            return
        fixed = {name: whole[name] for name in _FIXED if name in whole}
        messages = [_unmarked(message) for message in objects_in(whole.get("messages"))]
        messages.append({"role": "assistant", "content": answer["content"]})
        with self._lock:
            self._held[text_in(answer["id"])] = _Held(fixed, messages, now_s)


def previous_message(body: JsonObject) -> str:
    """The answer a request goes on from; empty where it sends its whole conversation."""
    thread = object_in(body.get("thread"))
    return text_in(thread.get("previous_message_id")) if thread.get("type") == "continue" else ""


def _unmarked(message: JsonObject) -> JsonObject:
    """Cache breakpoints in messages are of the request that set them."""
    content = message.get("content")
    if not isinstance(content, list):
        return message
    blocks = [{k: v for k, v in block.items() if k != _MARKER} for block in objects_in(content)]
    return {**message, "content": blocks}
