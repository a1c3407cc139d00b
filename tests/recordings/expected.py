"""What a recording says of its model calls: read from the raw JSON here, by nothing of touchdown.

Source: the vendors' references of the Messages, Chat Completions and Responses APIs, 2026-11-23.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.recordings.exchanges import Recorded

APIS = {
    "/v1/messages": "messages",
    "/v1/chat/completions": "chat.completions",
    "/v1/responses": "responses",
    "/v1/responses/compact": "responses",
    "/v1/embeddings": "embeddings",
}
RUNNING = ("queued", "in_progress")


@dataclass(frozen=True, slots=True)
class Call:
    """One model call: what asked for it, and its last answer as one JSON object."""

    request: Recorded
    answer: Mapping[str, Any]
    status: int

    @property
    def api(self) -> str:
        """The API that was asked."""
        return APIS[self.request.path]

    @property
    def usage(self) -> Mapping[str, Any]:
        """The provider's own counts."""
        return self.answer.get("usage") or {}

    @property
    def counts(self) -> dict[str, Any]:
        """The counts in disjoint classes; ``None`` where the provider said nothing."""
        if not self.usage:
            return dict.fromkeys(("uncached", "cache_read", "cache_write", "output", "reasoning"))
        return _anthropic(self.usage) if self.api == "messages" else _openai(self.usage)

    @property
    def server_tools(self) -> dict[str, int]:
        """Requests that the provider's own tools made and that it bills apart from tokens."""
        if self.api == "messages":
            used = self.usage.get("server_tool_use") or {}
            return {name.removesuffix("_requests"): n for name, n in used.items() if n}
        counted: Counter[str] = Counter()
        for item in self.answer.get("output") or ():
            # "Search actions incur a tool call cost"; opening a page or searching in one does not.
            searched = (item.get("action") or {"type": "search"})["type"] == "search"
            if item["type"] == "web_search_call" and searched:
                counted["web_search"] += 1
            elif item["type"] == "file_search_call":
                counted["file_search"] += 1
        return dict(counted)


def model_calls(asked: Sequence[Recorded]) -> list[Call]:
    """The model calls of these exchanges, in the order in which they ended."""
    calls: list[Call] = []
    waiting: dict[str, Recorded] = {}
    for each in asked:
        answer = final_answer(each)
        running = answer.get("status") in RUNNING
        if each.method == "POST" and each.path in APIS:
            if running:
                waiting[answer["id"]] = each
            else:
                calls.append(Call(each, answer, each.status))
        elif each.method == "GET" and answer.get("id") in waiting and not running:
            calls.append(Call(waiting.pop(answer["id"]), answer, each.status))
    return calls


def final_answer(recorded: Recorded) -> dict[str, Any]:
    """The answer as one object; of a stream, what its events add up to (no content)."""
    if not recorded.streamed:
        return recorded.answer if isinstance(recorded.answer, dict) else {}
    if recorded.path == "/v1/messages":
        return _anthropic_stream(recorded.events)
    if recorded.path == "/v1/chat/completions":
        return _chat_stream(recorded.events)
    ends = [event["response"] for event in recorded.events if "response" in event]
    return ends[-1]


def _anthropic_stream(events: Sequence[Any]) -> dict[str, Any]:
    message = next(event["message"] for event in events if event["type"] == "message_start")
    # Every count of the last message_delta is cumulative: it takes the place of the first one.
    for event in events:
        if event["type"] == "message_delta":
            given = {name: value for name, value in event["usage"].items() if value is not None}
            message = {**message, **event["delta"], "usage": {**message["usage"], **given}}
    return message


def _chat_stream(events: Sequence[Any]) -> dict[str, Any]:
    whole: dict[str, Any] = {"id": events[0]["id"], "model": events[0]["model"]}
    whole["service_tier"] = next((e["service_tier"] for e in events if e.get("service_tier")), None)
    whole["usage"] = next((e["usage"] for e in events if e.get("usage")), None)
    return whole


def _anthropic(usage: Mapping[str, Any]) -> dict[str, Any]:
    written = usage.get("cache_creation_input_tokens")
    by_life = usage.get("cache_creation") or {}
    lives = {
        "5m": by_life.get("ephemeral_5m_input_tokens") or 0,
        "1h": by_life.get("ephemeral_1h_input_tokens") or 0,
    }
    lives["unknown"] = (written or 0) - sum(lives.values())
    return {
        "uncached": usage["input_tokens"],
        "cache_read": usage.get("cache_read_input_tokens"),
        "cache_write": None if written is None else {k: v for k, v in lives.items() if v},
        "output": usage["output_tokens"],
        "reasoning": (usage.get("output_tokens_details") or {}).get("thinking_tokens"),
    }


def _openai(usage: Mapping[str, Any]) -> dict[str, Any]:
    chat = "prompt_tokens" in usage
    details = usage.get("prompt_tokens_details" if chat else "input_tokens_details") or {}
    answered = usage.get("completion_tokens_details" if chat else "output_tokens_details") or {}
    read, written = details.get("cached_tokens"), details.get("cache_write_tokens")
    whole = usage["prompt_tokens" if chat else "input_tokens"]
    return {
        "uncached": whole - (read or 0) - (written or 0),
        "cache_read": read,
        "cache_write": None if written is None else {"unknown": written} if written else {},
        "output": usage.get("completion_tokens" if chat else "output_tokens", 0),
        "reasoning": answered.get("reasoning_tokens"),
    }
