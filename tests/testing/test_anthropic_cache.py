"""Anthropic's cache rules, as tables, without HTTP."""

from __future__ import annotations

import pytest

from touchdown.testing.provider.anthropic_cache import breakpoint_error, plan_anthropic
from touchdown.testing.provider.anthropic_prompt import read_anthropic_prompt
from touchdown.testing.provider.cache_rules import (
    ANTHROPIC_RULES,
    INVALIDATIONS,
    LIVES,
    OPENAI_RULES,
    anthropic_rule,
)
from touchdown.testing.provider.payload import JsonObject
from touchdown.testing.provider.prefix_cache import CachePlan, PrefixCache
from touchdown.testing.provider.tokens import count_tokens

OPUS = "claude-opus-4-1"  # minimum 1,024; older tokeniser: four characters a token
TOOLS_TOKENS, SYSTEM_TOKENS, USER_TOKENS = 2_000, 3_000, 1_500


class Api:
    """Plans and commits one request after the other, as the provider does."""

    def __init__(self) -> None:
        self.cache = PrefixCache()
        self.now_s = 0.0

    def arrive(self, body: JsonObject, *, credential: str = "me") -> CachePlan:
        prompt = read_anthropic_prompt(
            body, model=str(body.get("model", OPUS)), credential=credential
        )
        return plan_anthropic(prompt, self.cache, self.now_s)

    def call(self, body: JsonObject, *, credential: str = "me") -> CachePlan:
        plan = self.arrive(body, credential=credential)
        self.cache.commit(plan, self.now_s)
        return plan


def text(tokens: int, letter: str = "x", ttl: str | None = None) -> JsonObject:
    block: JsonObject = {"type": "text", "text": letter * tokens * 4}
    return {**block, "cache_control": control(ttl)} if ttl else block


def control(ttl: str) -> JsonObject:
    return {"type": "ephemeral", "ttl": ttl}


def user(*blocks: JsonObject) -> JsonObject:
    return {"role": "user", "content": list(blocks)}


def tool(name: str = "run_tests", ttl: str | None = None) -> JsonObject:
    plain: JsonObject = {"name": name, "description": "", "input_schema": {}}
    frame = len('{"name":"","description":"","input_schema":{}}') + len(name)
    plain["description"] = "d" * (TOOLS_TOKENS * 4 - frame)
    return {**plain, "cache_control": control(ttl)} if ttl else plain


def agent_body(**changes: object) -> JsonObject:
    """Tools, system and one user message, each ending in a breakpoint."""
    body: JsonObject = {
        "model": OPUS,
        "tools": [tool(ttl="5m")],
        "system": [text(SYSTEM_TOKENS, "s", "5m")],
        "messages": [user(text(USER_TOKENS, "u", "5m"))],
    }
    return {**body, **changes}


def test_first_call_writes_everything_and_the_second_reads_it():
    api = Api()
    first, second = api.call(agent_body()), api.call(agent_body())
    assert (first.read_tokens, first.written_tokens, first.uncached_tokens) == (0, {"5m": 6_500}, 0)
    assert (second.read_tokens, second.written_tokens) == (6_500, {})


def test_what_follows_the_last_breakpoint_is_plain_input():
    plan = Api().call(agent_body(messages=[user(text(100, "u"))]))
    assert plan.written_tokens == {"5m": TOOLS_TOKENS + SYSTEM_TOKENS}
    assert plan.uncached_tokens == 100


@pytest.mark.parametrize(
    ("change", "kept_tokens"),
    [
        ({"tools": [tool("other", "5m")]}, 0),
        ({"model": "claude-opus-4"}, 0),
        ({"speed": "fast"}, TOOLS_TOKENS),
        ({"system": [text(SYSTEM_TOKENS, "S", "5m")]}, TOOLS_TOKENS),
        (
            {"tools": [tool(ttl="5m"), {"type": "web_search_20250305", "name": "web_search"}]},
            TOOLS_TOKENS,
        ),
        ({"tool_choice": {"type": "any"}}, TOOLS_TOKENS + SYSTEM_TOKENS),
        ({"thinking": {"type": "adaptive"}}, TOOLS_TOKENS + SYSTEM_TOKENS),
        ({"messages": [user(text(USER_TOKENS, "U", "5m"))]}, TOOLS_TOKENS + SYSTEM_TOKENS),
        ({"temperature": 0.2, "max_tokens": 9}, TOOLS_TOKENS + SYSTEM_TOKENS + USER_TOKENS),
        ({"tool_choice": {"type": "auto"}}, TOOLS_TOKENS + SYSTEM_TOKENS + USER_TOKENS),
    ],
)
def test_a_change_keeps_the_levels_before_it(change: JsonObject, kept_tokens: int):
    api = Api()
    api.call(agent_body())
    assert api.call(agent_body(**change)).read_tokens == kept_tokens


def test_an_image_added_later_loses_the_messages_level_alone():
    api = Api()
    api.call(agent_body())
    image: JsonObject = {"type": "image", "source": {"type": "url", "url": "http://x/y.png"}}
    longer = agent_body(messages=[user(text(USER_TOKENS, "u", "5m"), image)])
    assert api.call(longer).read_tokens == TOOLS_TOKENS + SYSTEM_TOKENS


def test_citations_switch_loses_the_system_level():
    api = Api()
    document: JsonObject = {"type": "document", "source": {"type": "text", "data": "abc"}}
    cited = {**document, "citations": {"enabled": True}}
    api.call(agent_body(messages=[user(document)]))
    assert api.call(agent_body(messages=[user(cited)])).read_tokens == TOOLS_TOKENS


@pytest.mark.parametrize(
    ("model", "minimum"),
    [
        ("claude-opus-5", 512),
        ("claude-fable-5-1", 512),
        ("claude-opus-4-8", 1_024),
        ("claude-sonnet-4-20250514", 1_024),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", 1_024),
        ("claude-opus-4-7", 2_048),
        ("claude-opus-4-6", 4_096),
        ("claude-haiku-4-5@20251001", 4_096),
        ("claude-opus-5-5", 1_024),  # no published row: our default
    ],
)
def test_minimum_by_model(model: str, minimum: int):
    assert anthropic_rule(model).minimum_tokens == minimum

    def prompt_of(tokens: int) -> JsonObject:
        words = "x" * (tokens * 4)
        while count_tokens(words, model) > tokens:
            words = words[:-1]
        block: JsonObject = {"type": "text", "text": words, "cache_control": control("5m")}
        return {"model": model, "messages": [user(block)]}

    below, at = Api().call(prompt_of(minimum - 1)), Api().call(prompt_of(minimum))
    assert (below.total_written_tokens, below.uncached_tokens) == (0, minimum - 1)
    assert (at.total_written_tokens, at.uncached_tokens) == (minimum, 0)


@pytest.mark.parametrize(("blocks_since", "read_tokens"), [(1, 1_100), (20, 1_100), (21, 0)])
def test_a_breakpoint_looks_back_twenty_blocks(blocks_since: int, read_tokens: int):
    api = Api()
    head = text(1_100, "h", "5m")
    api.call({"messages": [user(head)]})
    tail = [text(5, "t") for _ in range(blocks_since - 1)] + [text(5, "t", "5m")]
    plan = api.call({"messages": [user(text(1_100, "h"), *tail)]})
    assert plan.read_tokens == read_tokens
    assert plan.total_written_tokens == 1_100 + 5 * blocks_since - read_tokens


def test_a_second_breakpoint_reaches_what_the_first_one_cannot():
    api = Api()
    api.call({"messages": [user(text(1_100, "h", "5m"))]})
    tail = [text(5, "t") for _ in range(30)] + [text(5, "t", "5m")]
    plan = api.call({"messages": [user(text(1_100, "h", "5m"), *tail)]})
    assert plan.read_tokens == 1_100


@pytest.mark.parametrize(
    ("ttl", "gap_s", "read"),
    [
        ("5m", 300, True),
        ("5m", 301, False),
        ("1h", 301, True),
        ("1h", 3_600, True),
        ("1h", 3_601, False),
    ],
)
def test_life(ttl: str, gap_s: float, read: bool):
    api = Api()
    body: JsonObject = {"messages": [user(text(2_000, "u", ttl))]}
    assert api.call(body).written_tokens == {ttl: 2_000}
    api.now_s += gap_s
    assert (api.call(body).read_tokens == 2_000) is read


def test_a_read_refreshes_the_entry_at_no_charge():
    api = Api()
    body: JsonObject = {"messages": [user(text(2_000, "u", "5m"))]}
    api.call(body)
    for _ in range(3):
        api.now_s += 299
        plan = api.call(body)
        assert (plan.read_tokens, plan.total_written_tokens) == (2_000, 0)


def test_writes_are_split_by_life():
    body = agent_body(
        tools=[tool(ttl="1h")],
        system=[text(SYSTEM_TOKENS, "s", "1h")],
    )
    plan = Api().call(body)
    assert plan.written_tokens == {"1h": TOOLS_TOKENS + SYSTEM_TOKENS, "5m": USER_TOKENS}


def test_after_five_minutes_only_the_hour_part_is_left():
    api = Api()
    body = agent_body(tools=[tool(ttl="1h")], system=[text(SYSTEM_TOKENS, "s", "1h")])
    api.call(body)
    api.now_s += 301
    plan = api.call(body)
    assert plan.read_tokens == TOOLS_TOKENS + SYSTEM_TOKENS
    assert plan.written_tokens == {"5m": USER_TOKENS}


def test_an_entry_inside_a_read_prefix_lives_no_longer_than_that():
    api = Api()
    api.call({"messages": [user(text(1_500, "a"), text(10, "b", "5m"))]})
    inner: JsonObject = {"messages": [user(text(1_500, "a", "1h"))]}
    both = api.call({"messages": [user(text(1_500, "a", "1h"), text(10, "b", "5m"))]})
    assert (both.read_tokens, both.total_written_tokens) == (1_510, 0)
    assert api.arrive(inner).read_tokens == 1_500
    api.now_s += 301
    assert api.arrive(inner).read_tokens == 0


def test_reading_does_not_shorten_an_hour():
    api = Api()
    api.call({"messages": [user(text(1_500, "a", "1h"))]})
    api.call({"messages": [user(text(1_500, "a", "5m"), text(10, "b", "5m"))]})
    api.now_s += 301
    assert api.call({"messages": [user(text(1_500, "a", "5m"))]}).read_tokens == 1_500


def test_an_entry_cannot_be_read_before_its_answer_begins():
    api = Api()
    first, second = api.arrive(agent_body()), api.arrive(agent_body())
    assert second.total_written_tokens == first.total_written_tokens == 6_500
    api.cache.commit(first, api.now_s)
    assert api.arrive(agent_body()).read_tokens == 6_500


@pytest.mark.parametrize("other", [{"credential": "you"}])
def test_entries_are_private_to_a_credential(other: dict[str, str]):
    api = Api()
    api.call(agent_body())
    assert api.call(agent_body(), **other).read_tokens == 0


def test_eviction_leaves_nothing():
    api = Api()
    api.call(agent_body())
    api.cache.evict()
    assert api.call(agent_body()).read_tokens == 0


def test_automatic_caching_moves_with_the_conversation():
    api = Api()
    opening = user(text(1_500, "a"))
    answer: JsonObject = {"role": "assistant", "content": "noted"}
    first = api.call({"cache_control": control("5m"), "messages": [opening]})
    second = api.call(
        {"cache_control": control("5m"), "messages": [opening, answer, user(text(50, "b"))]}
    )
    assert first.written_tokens == {"5m": 1_500}
    assert (second.read_tokens, second.written_tokens) == (1_500, {"5m": 52})


def test_a_moved_marker_does_not_change_the_prefix():
    api = Api()
    api.call({"messages": [user(text(1_500, "a", "5m"))]})
    plan = api.call({"messages": [user(text(1_500, "a"), text(10, "b", "5m"))]})
    assert plan.read_tokens == 1_500


def test_a_string_equals_one_text_block():
    api = Api()
    api.call({"messages": [user(text(1_500, "a", "5m"))]})
    plain: JsonObject = {"role": "user", "content": "a" * 6_000}
    assert api.call({"messages": [plain, user(text(9, "b", "5m"))]}).read_tokens == 1_500


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"messages": [user(*[text(9, "x", "5m")] * 5)]}, "maximum of 4 blocks"),
        (
            {
                "cache_control": control("5m"),
                "messages": [user(*[text(9, "x", "5m")] * 4, text(1))],
            },
            "Found 5",
        ),
        ({"messages": [user(text(9, "x", "5m"), text(9, "x", "1h"))]}, "must not come after"),
        ({"messages": [user(text(9, "x", "2h"))]}, "'5m' or '1h'"),
        ({"messages": [user(text(0, "x", "5m"))]}, "empty text"),
    ],
)
def test_breakpoints_the_api_refuses(body: JsonObject, words: str):
    prompt = read_anthropic_prompt(body, model=OPUS, credential="me")
    assert words in (breakpoint_error(prompt) or "")


def test_four_breakpoints_are_fine():
    body: JsonObject = {"messages": [user(*[text(9, "x", "5m")] * 4)]}
    assert breakpoint_error(read_anthropic_prompt(body, model=OPUS, credential="me")) is None


@pytest.mark.parametrize(
    ("model", "tokens"),
    [
        ("claude-opus-4-6", 100),
        ("claude-opus-4-7", 130),
        ("claude-sonnet-5", 130),
        ("claude-3-5-haiku-20241022", 100),
        ("claude-haiku-5-5", 130),
        ("gpt-6-sol", 100),
    ],
)
def test_newer_claude_models_count_thirty_percent_more(model: str, tokens: int):
    assert count_tokens("x" * 400, model) == tokens


def test_every_row_names_its_source():
    for row in (*ANTHROPIC_RULES, *OPENAI_RULES, *LIVES, *INVALIDATIONS):
        assert row.source.startswith("https://"), row
