"""One scripted answer in the making: the request, the reply and what the cache did."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from touchdown.testing.provider.payload import JsonObject, json_text, object_in
from touchdown.testing.provider.prefix_cache import CachePlan
from touchdown.testing.provider.request import Request
from touchdown.testing.provider.script import Reply, ToolUse
from touchdown.testing.provider.tokens import count_tokens

_STOP_WORDS = {
    "end_turn": ("end_turn", "stop"),
    "stop": ("end_turn", "stop"),
    "max_tokens": ("max_tokens", "length"),
    "length": ("max_tokens", "length"),
    "tool_use": ("tool_use", "tool_calls"),
    "tool_calls": ("tool_use", "tool_calls"),
    "refusal": ("refusal", "content_filter"),
    "content_filter": ("refusal", "content_filter"),
}


class Turn(Struct, frozen=True):
    """Everything the answer of one model call is made from. Units: `at` in clock seconds."""

    request: Request
    reply: Reply
    plan: CachePlan
    new_id: Callable[[str], str]
    at: float
    diagnosis: JsonObject | None = None

    @property
    def model(self) -> str:
        """The model named in the answer."""
        return self.reply.model or self.request.model

    @property
    def body(self) -> JsonObject:
        """The request's body."""
        return self.request.body

    @property
    def is_prewarm(self) -> bool:
        """`max_tokens: 0`, or OpenAI's `prewarm`: the prompt is cached, nothing is generated."""
        options = object_in(self.body.get("prompt_cache_options"))
        return self.body.get("max_tokens") == 0 or options.get("prewarm") is True

    @property
    def reasoning_tokens(self) -> int:
        """The reasoning share of the output."""
        return 0 if self.is_prewarm else count_tokens(self.reply.reasoning, self.model)

    @property
    def output_tokens(self) -> int:
        """The billed output, reasoning included."""
        if self.is_prewarm:
            return 0
        if self.reply.output_tokens is not None:
            return self.reply.output_tokens
        calls = "".join(use.name + json_text(use.input) for use in self.reply.tool_uses)
        return self.reasoning_tokens + count_tokens(self.reply.text + calls, self.model)

    def stop_word(self, *, anthropic: bool) -> str:
        """Why the answer ended, in the vendor's word."""
        word = self.reply.stop_reason or ("tool_use" if self.reply.tool_uses else "end_turn")
        if self.is_prewarm:
            word = "max_tokens"
        both = _STOP_WORDS.get(word, (word, word))
        return both[0] if anthropic else both[1]

    def identified(self, prefix: str) -> list[tuple[str, ToolUse]]:
        """The tool calls with their ids, new ones where the reply gives none."""
        return [(use.id or self.new_id(prefix), use) for use in self.reply.tool_uses]
