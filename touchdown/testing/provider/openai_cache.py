"""OpenAI's rules of reading and writing cached prefixes.

Source: https://developers.openai.com/api/docs/guides/prompt-caching (November 2026).
"""

from __future__ import annotations

from msgspec import Struct

from touchdown.testing.provider.cache_rules import (
    MAX_BREAKPOINTS,
    OPENAI_LATEST_BREAKPOINTS,
    OpenAIRule,
    life_seconds,
    openai_rule,
)
from touchdown.testing.provider.prefix_cache import CachePlan, PrefixCache
from touchdown.testing.provider.prompt import Prompt


class CacheOptions(Struct, frozen=True):
    """The request's own words on caching: `implicit` or `explicit`, and a named life."""

    mode: str = "implicit"
    life: str | None = None


def plan_openai(
    prompt: Prompt, options: CacheOptions, cache: PrefixCache, now_s: float
) -> CachePlan:
    """What `prompt` reads and writes, given the entries live at `now_s`."""
    rule = openai_rule(prompt.model)
    if rule.block_tokens:
        return _plan_blocks(prompt, rule, options, cache, now_s)
    return _plan_breakpoints(prompt, rule, options, cache, now_s)


def _plan_blocks(
    prompt: Prompt, rule: OpenAIRule, options: CacheOptions, cache: PrefixCache, now_s: float
) -> CachePlan:
    """Older models: the longest run of full blocks, every block stored, writes not reported."""
    places = [end for end in prompt.blocks(rule.block_tokens) if end[1] >= rule.minimum_tokens]
    read_tokens = _longest(places, cache, now_s)
    life_s = _life_s(options.life, rule)
    return CachePlan(
        input_tokens=prompt.tokens,
        read_tokens=read_tokens,
        read=tuple(key for key, tokens in places if tokens <= read_tokens),
        stored={key: life_s for key, tokens in places if tokens > read_tokens},
    )


def _plan_breakpoints(
    prompt: Prompt, rule: OpenAIRule, options: CacheOptions, cache: PrefixCache, now_s: float
) -> CachePlan:
    """Newer models: prefixes match at breakpoints only, and writes are reported and charged."""
    ends = prompt.ends()
    marked = [index for index, segment in enumerate(prompt.segments) if segment.life is not None]
    messages = [index for index, segment in enumerate(prompt.segments) if segment.ends_message]
    implicit = options.mode != "explicit"
    if not implicit and not marked:
        return CachePlan(input_tokens=prompt.tokens)
    considered = sorted({*marked, *messages})[-OPENAI_LATEST_BREAKPOINTS:]
    places = [ends[index] for index in considered if ends[index][1] >= rule.minimum_tokens]
    read_tokens = _longest(places, cache, now_s)
    newest = messages[-1:] if implicit else []
    chosen = sorted({*marked[-(MAX_BREAKPOINTS - len(newest)) :], *newest})
    stored: dict[bytes, float] = {}
    written: dict[str, int] = {}
    start = read_tokens
    for index in chosen:
        key, tokens = ends[index]
        if tokens <= start or tokens < rule.minimum_tokens:
            continue
        name = prompt.segments[index].life or options.life or rule.default_life
        stored[key] = _life_s(name, rule)
        written[name] = written.get(name, 0) + tokens - start
        start = tokens
    read = tuple(key for key, tokens in ends if tokens <= read_tokens)
    return CachePlan(prompt.tokens, read_tokens, written, read, stored)


def _longest(places: list[tuple[bytes, int]], cache: PrefixCache, now_s: float) -> int:
    for key, tokens in reversed(places):
        if cache.live(key, now_s) is not None:
            return tokens
    return 0


def _life_s(name: str | None, rule: OpenAIRule) -> float:
    known = life_seconds("openai", name) if name else None
    return known or life_seconds("openai", rule.default_life) or 0.0
