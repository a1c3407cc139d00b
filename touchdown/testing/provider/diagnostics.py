"""The providers' own account of why a prompt did not match an earlier one.

It compares requests, whether or not anything was read from the cache.
Source: https://platform.claude.com/docs/en/build-with-claude/cache-diagnostics.md and
https://developers.openai.com/api/docs/guides/prompt-caching/diagnostics.md (November 2026).
"""

from __future__ import annotations

import threading

from msgspec import Struct

from touchdown.testing.provider.cache_rules import openai_rule
from touchdown.testing.provider.payload import JsonObject, object_in, text_in
from touchdown.testing.provider.prompt import Level, Prompt, Segment


class Sent(Struct, frozen=True):
    """A request that was answered, kept for comparison."""

    prompt: Prompt
    body: JsonObject


class History:
    """The prompts of earlier answers, by the id of the answer."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sent: dict[str, Sent] = {}

    def keep(self, answer_id: str, sent: Sent) -> None:
        """Remember what the answer with that id was made from."""
        with self._lock:
            self._sent[answer_id] = sent

    def find(self, answer_id: str) -> Sent | None:
        """What that answer was made from, or None."""
        with self._lock:
            return self._sent.get(answer_id)


def diagnose_anthropic(sent: Sent, history: History) -> JsonObject | None:
    """The `diagnostics` of a Messages answer; None for a first turn and where nothing diverged."""
    previous_id = object_in(sent.body.get("diagnostics")).get("previous_message_id")
    if not isinstance(previous_id, str):
        return None
    before = history.find(previous_id)
    if before is None:
        return {"cache_miss_reason": {"type": "previous_message_not_found"}}
    reason = _anthropic_reason(before, sent)
    if reason is None:
        return None
    if reason == "unavailable":
        return {"cache_miss_reason": {"type": reason}}
    shared = 0 if reason == "model_changed" else _shared_tokens(before.prompt, sent.prompt)
    return {
        "cache_miss_reason": {
            "type": reason,
            "cache_missed_input_tokens": before.prompt.tokens - shared,
        }
    }


def diagnose_openai(sent: Sent, read_tokens: int, history: History) -> JsonObject | None:
    """The `prompt_cache_diagnostics` of a response; None unless the request asked for them."""
    options = object_in(sent.body.get("prompt_cache_options"))
    asked = text_in(options.get("comparison_response_id"))
    if not asked or openai_rule(sent.prompt.model).block_tokens:
        return None
    before = history.find(asked)
    if before is None:
        return {"type": "comparison_response_not_found"}
    reason = _openai_reason(before, sent)
    if reason is None:
        return {"type": "cache_hit" if read_tokens else "unavailable"}
    shared = _shared_tokens(before.prompt, sent.prompt) if reason == "input_changed" else 0
    return {
        "type": "cache_miss",
        "reason": reason,
        "cache_missed_tokens": sent.prompt.tokens - shared,
        "comparison_reusable_tokens": before.prompt.tokens,
    }


def _anthropic_reason(before: Sent, now: Sent) -> str | None:
    speeds = [sent.body.get("speed") or "standard" for sent in (before, now)]
    if before.prompt.model != now.prompt.model or speeds[0] != speeds[1]:
        return "model_changed"
    levels: tuple[tuple[Level, str], ...] = (
        ("tools", "tools_changed"),
        ("system", "system_changed"),
    )
    for level, reason in levels:
        if _contents(before.prompt, level) != _contents(now.prompt, level):
            return reason
    earlier = _contents(before.prompt, "messages")
    if _contents(now.prompt, "messages")[: len(earlier)] != earlier:
        return "messages_changed"
    return "unavailable" if before.prompt.settings != now.prompt.settings else None


def _openai_reason(before: Sent, now: Sent) -> str | None:
    if before.prompt.model != now.prompt.model:
        return "model_changed"
    was, settings = _openai_settings(before.body), _openai_settings(now.body)
    changed = next((reason for reason in settings if settings[reason] != was[reason]), None)
    if changed:
        return changed
    earlier = _contents(before.prompt, "messages")
    if _contents(now.prompt, "messages")[: len(earlier)] != earlier:
        return "input_changed"
    return None


def _openai_settings(body: JsonObject) -> dict[str, object]:
    text = object_in(body.get("text"))
    return {
        "prompt_cache_key_changed": body.get("prompt_cache_key"),
        "tools_changed": body.get("tools"),
        "text_format_changed": text.get("format"),
        "reasoning_effort_changed": object_in(body.get("reasoning")).get("effort"),
        "verbosity_changed": text.get("verbosity"),
        "service_tier_changed": body.get("service_tier"),
    }


def _contents(prompt: Prompt, level: Level) -> list[tuple[str, str]]:
    return [_content(segment) for segment in prompt.segments if segment.level == level]


def _content(segment: Segment) -> tuple[str, str]:
    return segment.label, segment.text


def _shared_tokens(before: Prompt, now: Prompt) -> int:
    """Tokens of the segments that both prompts begin with."""
    shared = 0
    for one, other in zip(before.segments, now.segments, strict=False):
        if _content(one) != _content(other):
            break
        shared += one.tokens
    return shared
