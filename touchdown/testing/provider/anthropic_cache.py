"""Anthropic's rules of reading and writing cached prefixes.

Source: https://platform.claude.com/docs/en/build-with-claude/prompt-caching (July 2026).
"""

from __future__ import annotations

from msgspec import Struct

from touchdown.testing.provider.cache_rules import (
    LOOKBACK_BLOCKS,
    MAX_BREAKPOINTS,
    anthropic_rule,
    life_seconds,
)
from touchdown.testing.provider.prefix_cache import CachePlan, Entry, PrefixCache
from touchdown.testing.provider.prompt import Prompt


class _Breakpoint(Struct, frozen=True):
    index: int
    life: str
    key: bytes
    tokens: int

    @property
    def life_s(self) -> float:
        return life_seconds("anthropic", self.life) or 0.0


class _Hit(Struct, frozen=True):
    index: int
    tokens: int
    entry: Entry


def breakpoint_error(prompt: Prompt) -> str | None:
    """Why the API would refuse these breakpoints, or None."""
    marked = [segment for segment in prompt.segments if segment.life is not None]
    lives = [segment.life or "" for segment in marked]
    if len(lives) > MAX_BREAKPOINTS:
        return (
            f"A maximum of {MAX_BREAKPOINTS} blocks with cache_control may be provided. "
            f"Found {len(lives)}."
        )
    unknown = [life for life in lives if life_seconds("anthropic", life) is None]
    if unknown:
        return f"cache_control.ttl: Input should be '5m' or '1h', not {unknown[0]!r}"
    if any(not segment.cacheable for segment in marked):
        return "cache_control cannot be set for empty text blocks or thinking blocks"
    if "5m" in lives and "1h" in lives[lives.index("5m") :]:
        return "a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block"
    return None


def plan_anthropic(prompt: Prompt, cache: PrefixCache, now_s: float) -> CachePlan:
    """What `prompt` reads and writes, given the entries live at `now_s`."""
    ends = prompt.ends()
    minimum = anthropic_rule(prompt.model).minimum_tokens
    breakpoints = [
        _Breakpoint(index, segment.life, *ends[index])
        for index, segment in enumerate(prompt.segments)
        if segment.life is not None and ends[index][1] >= minimum
    ]
    hit = _longest_hit(breakpoints, ends, cache, now_s)
    covered = ends[: hit.index + 1] if hit else []
    return CachePlan(
        input_tokens=prompt.tokens,
        read_tokens=hit.tokens if hit else 0,
        written_tokens=_written_by_life(breakpoints, hit.tokens if hit else 0),
        read=tuple(key for key, _ in covered),
        stored=_stored(breakpoints, hit, {key for key, _ in covered}, cache, now_s),
    )


def _longest_hit(
    breakpoints: list[_Breakpoint],
    ends: list[tuple[bytes, int]],
    cache: PrefixCache,
    now_s: float,
) -> _Hit | None:
    """The longest live prefix within the look-back of any breakpoint."""
    for mark in reversed(breakpoints):
        for index in range(mark.index, max(mark.index - LOOKBACK_BLOCKS, 0) - 1, -1):
            key, tokens = ends[index]
            entry = cache.live(key, now_s)
            if entry is not None:
                return _Hit(index, tokens, entry)
    return None


def _written_by_life(breakpoints: list[_Breakpoint], read_tokens: int) -> dict[str, int]:
    """Tokens from the read prefix to the last breakpoint, by the life of the next breakpoint."""
    written: dict[str, int] = {}
    start = read_tokens
    for mark in breakpoints:
        if mark.tokens > start:
            written[mark.life] = written.get(mark.life, 0) + mark.tokens - start
            start = mark.tokens
    return written


def _stored(
    breakpoints: list[_Breakpoint],
    hit: _Hit | None,
    covered: set[bytes],
    cache: PrefixCache,
    now_s: float,
) -> dict[bytes, float]:
    """New entries: at their own life, or inside a read prefix at most at the life of that."""
    stored = {}
    for mark in breakpoints:
        if hit is None or mark.key not in covered:
            stored[mark.key] = mark.life_s
        elif cache.live(mark.key, now_s) is None:
            stored[mark.key] = min(mark.life_s, hit.entry.life_s)
    return stored
