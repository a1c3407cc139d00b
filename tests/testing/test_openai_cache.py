"""OpenAI's cache rules, as tables, without HTTP."""

from __future__ import annotations

import pytest

from touchdown.testing.provider.openai_cache import plan_openai
from touchdown.testing.provider.openai_prompt import (
    read_cache_options,
    read_chat_prompt,
    read_responses_prompt,
)
from touchdown.testing.provider.payload import JsonObject
from touchdown.testing.provider.prefix_cache import CachePlan, PrefixCache

OLD, NEW = "gpt-4o", "gpt-6-sol"


class Api:
    """Plans and commits one Chat Completions request after the other."""

    def __init__(self, model: str) -> None:
        self.cache = PrefixCache()
        self.model = model
        self.now_s = 0.0

    def call(self, body: JsonObject) -> CachePlan:
        prompt = read_chat_prompt(body, model=self.model, credential="me")
        options = read_cache_options(body, self.model)
        plan = plan_openai(prompt, options, self.cache, self.now_s)
        self.cache.commit(plan, self.now_s)
        return plan


def message(tokens: int, letter: str = "x", role: str = "user") -> JsonObject:
    return {"role": role, "content": letter * tokens * 4}


def chat(*messages: JsonObject, **more: object) -> JsonObject:
    return {"messages": list(messages), **more}


@pytest.mark.parametrize(
    ("shared_tokens", "read_tokens"),
    [(1_023, 0), (1_024, 1_024), (1_151, 1_024), (1_152, 1_152), (2_000, 1_920)],
)
def test_older_models_read_full_blocks_of_128(shared_tokens: int, read_tokens: int):
    api = Api(OLD)
    api.call(chat(message(shared_tokens, "s", "system"), message(500, "a")))
    plan = api.call(chat(message(shared_tokens, "s", "system"), message(500, "b")))
    assert plan.read_tokens == read_tokens
    assert plan.total_written_tokens == 0


def test_older_models_match_inside_a_message():
    api = Api(OLD)
    api.call(chat({"role": "user", "content": "x" * 8_000 + "tail one"}))
    plan = api.call(chat({"role": "user", "content": "x" * 8_000 + "another tail"}))
    assert plan.read_tokens == 1_920


@pytest.mark.parametrize("tokens", [1_023, 1_024, 1_500])
def test_newer_models_report_writes_from_the_minimum_on(tokens: int):
    plan = Api(NEW).call(chat(message(tokens)))
    written = tokens if tokens >= 1_024 else 0
    assert plan.written_tokens == ({"30m": written} if written else {})
    assert plan.uncached_tokens == tokens - written


def test_newer_models_do_not_round_and_write_what_is_new():
    api = Api(NEW)
    api.call(chat(message(1_501)))
    plan = api.call(chat(message(1_501), message(60, "a", "assistant"), message(40, "u")))
    assert (plan.read_tokens, plan.written_tokens) == (1_501, {"30m": 100})


def test_newer_models_have_no_block_lookback_limit():
    api = Api(NEW)
    api.call(chat(message(1_500)))
    plan = api.call(chat(message(1_500), *[message(4, "b") for _ in range(79)]))
    assert plan.read_tokens == 1_500
    api.cache.evict()
    api.call(chat(message(1_500)))
    plan = api.call(chat(message(1_500), *[message(4, "b") for _ in range(80)]))
    assert plan.read_tokens == 0


def test_newer_models_do_not_fall_back_to_an_unmarked_prefix():
    api = Api(NEW)
    api.call(chat(message(2_000, "s", "system"), message(500, "a")))
    assert api.call(chat(message(2_000, "s", "system"), message(500, "b"))).read_tokens == 0


def test_an_explicit_breakpoint_keeps_a_shared_head():
    api = Api(NEW)
    part: JsonObject = {"type": "text", "text": "s" * 8_004}
    head = {
        "role": "system",
        "content": [{**part, "prompt_cache_breakpoint": {"mode": "explicit"}}],
    }
    api.call(chat(head, message(500, "a")))
    assert api.call(chat(head, message(500, "b"))).read_tokens == 2_001


@pytest.mark.parametrize(("marked", "written"), [(False, {}), (True, {"12h": 2_000})])
def test_explicit_mode_caches_only_what_is_marked(marked: bool, written: dict[str, int]):
    part: JsonObject = {"type": "text", "text": "s" * 8_000}
    if marked:
        part["prompt_cache_breakpoint"] = {"mode": "explicit", "ttl": "12h"}
    head: JsonObject = {"role": "system", "content": [part]}
    api = Api(NEW)
    body = chat(head, message(500), prompt_cache_options={"mode": "explicit"})
    assert api.call(body).written_tokens == written
    assert api.call(body).read_tokens == (2_000 if marked else 0)


@pytest.mark.parametrize(
    ("model", "more", "gap_s", "is_read"),
    [
        (OLD, {}, 600, True),
        (OLD, {}, 601, False),
        (OLD, {"prompt_cache_retention": "24h"}, 80_000, True),
        (NEW, {}, 1_800, True),
        (NEW, {}, 1_801, False),
        (NEW, {"prompt_cache_options": {"ttl": "12h"}}, 43_200, True),
        ("gpt-5.5", {}, 601, False),
        ("gpt-5.6-sol", {}, 601, True),
    ],
)
def test_life(model: str, more: JsonObject, gap_s: float, is_read: bool):
    api = Api(model)
    api.call(chat(message(2_048), **more))
    api.now_s += gap_s
    assert (api.call(chat(message(2_048), **more)).read_tokens == 2_048) is is_read


def test_reading_does_not_shorten_a_life():
    api = Api(NEW)
    api.call(chat(message(2_048), prompt_cache_options={"ttl": "12h"}))
    again = api.call(chat(message(2_048)))
    assert (again.read_tokens, again.written_tokens) == (2_048, {})
    api.now_s += 1_801
    assert api.call(chat(message(2_048))).read_tokens == 2_048


@pytest.mark.parametrize("model", [OLD, NEW])
@pytest.mark.parametrize(
    "change",
    [
        {"prompt_cache_key": "other"},
        {"tools": [{"type": "function", "function": {"name": "f"}}]},
        {"response_format": {"type": "json_schema", "json_schema": {"name": "a"}}},
    ],
)
def test_what_is_part_of_the_match(model: str, change: JsonObject):
    api = Api(model)
    api.call(chat(message(2_048)))
    assert api.call(chat(message(2_048), **change)).read_tokens == 0
    assert api.call(chat(message(2_048))).read_tokens == 2_048


@pytest.mark.parametrize(("model", "read_tokens"), [(OLD, 2_048), (NEW, 0)])
def test_reasoning_effort_matters_on_newer_models(model: str, read_tokens: int):
    api = Api(model)
    api.call(chat(message(2_048)))
    assert api.call(chat(message(2_048), reasoning_effort="high")).read_tokens == read_tokens


def test_kept_items_read_like_items_sent_again():
    question: JsonObject = {"role": "user", "content": "q" * 6_000}
    call: JsonObject = {
        "type": "function_call",
        "id": "fc_1",
        "status": "completed",
        "call_id": "call_1",
        "name": "f",
        "arguments": "{}",
    }
    result: JsonObject = {"type": "function_call_output", "call_id": "call_1", "output": "done"}
    sent_again = {key: value for key, value in call.items() if key not in ("id", "status")}
    kept = read_responses_prompt(
        {"input": [result]}, model=NEW, credential="me", earlier=[question, call]
    )
    resent = read_responses_prompt(
        {"input": [question, sent_again, result]}, model=NEW, credential="me", earlier=[]
    )
    assert kept.ends() == resent.ends()
