"""The providers' own reasons for a cache miss, as the SDKs see them."""

from __future__ import annotations

import anthropic
import openai
import pytest

CLAUDE = {
    "model": "claude-opus-5",
    "max_tokens": 9,
    "system": "s" * 400,
    "tools": [{"name": "f", "description": "d", "input_schema": {"type": "object"}}],
    "messages": [{"role": "user", "content": "a" * 400}],
}
GPT = {
    "model": "gpt-6-sol",
    "input": [
        {"role": "user", "content": "a" * 8_000},
        {"role": "user", "content": "b" * 400},
    ],
}
MORE = [{"role": "assistant", "content": "ok"}, {"role": "user", "content": "more"}]


def ask_claude(client, previous: str | None, **changes: object):
    diagnostics = {"diagnostics": {"previous_message_id": previous}}
    return client.messages.create(**{**CLAUDE, **changes}, extra_body=diagnostics)


def reason_of(message) -> dict[str, object] | None:
    found = message.to_dict()["diagnostics"]
    return found and found["cache_miss_reason"]


@pytest.mark.parametrize(
    ("changes", "reason", "missed_tokens"),
    [
        ({"messages": CLAUDE["messages"] + MORE}, None, None),
        ({"model": "claude-opus-4-8"}, "model_changed", 281),
        ({"tools": []}, "tools_changed", 281),
        ({"system": "S" * 400}, "system_changed", 260),
        ({"messages": MORE}, "messages_changed", 130),
        ({"tool_choice": {"type": "any"}}, "unavailable", None),
    ],
)
def test_anthropic_reasons(serve, claude, changes, reason, missed_tokens):
    client = claude(serve(["a", "b"]))
    first = ask_claude(client, None)
    assert reason_of(first) is None
    found = reason_of(ask_claude(client, first.id, **changes))
    assert (found and found["type"]) == reason
    assert (found or {}).get("cache_missed_input_tokens") == missed_tokens


def test_anthropic_previous_message_unknown(serve, claude: type[anthropic.Anthropic]):
    found = reason_of(ask_claude(claude(serve(["a"])), "msg_none"))
    assert found == {"type": "previous_message_not_found"}


def test_anthropic_says_nothing_unasked(serve, claude):
    message = claude(serve(["a"])).messages.create(**CLAUDE)
    assert "diagnostics" not in message.to_dict()


def ask_gpt(client: openai.OpenAI, previous: str, **changes: object) -> dict[str, object]:
    options = {"prompt_cache_options": {"comparison_response_id": previous}}
    return client.responses.create(**{**GPT, **changes}, extra_body=options).to_dict()


@pytest.mark.parametrize(
    ("changes", "reason", "missed_tokens"),
    [
        ({"model": "gpt-6"}, "model_changed", 2_100),
        ({"prompt_cache_key": "k"}, "prompt_cache_key_changed", 2_100),
        ({"tools": [{"type": "web_search"}]}, "tools_changed", 2_106),
        ({"reasoning": {"effort": "high"}}, "reasoning_effort_changed", 2_100),
        ({"text": {"verbosity": "low"}}, "verbosity_changed", 2_100),
        ({"service_tier": "flex"}, "service_tier_changed", 2_100),
        ({"input": [GPT["input"][0], *MORE]}, "input_changed", 2),
    ],
)
def test_openai_reasons(serve, gpt, changes, reason, missed_tokens):
    client = gpt(serve(["a", "b"]))
    first = client.responses.create(**GPT)
    found = ask_gpt(client, first.id, **changes)["prompt_cache_diagnostics"]
    assert (found["type"], found["reason"]) == ("cache_miss", reason)
    assert found["cache_missed_tokens"] == missed_tokens


def test_openai_hit_unknown_and_unavailable(serve, gpt):
    provider = serve(["a", "b", "c", "d"])
    client = gpt(provider)
    first = client.responses.create(**GPT)
    longer = {"input": GPT["input"] + MORE}
    assert ask_gpt(client, first.id, **longer)["prompt_cache_diagnostics"] == {"type": "cache_hit"}
    provider.evict()
    found = ask_gpt(client, first.id, **longer)["prompt_cache_diagnostics"]
    assert found == {"type": "unavailable"}
    found = ask_gpt(client, "resp_none")["prompt_cache_diagnostics"]
    assert found == {"type": "comparison_response_not_found"}
    assert "prompt_cache_diagnostics" not in first.to_dict()
