"""What each provider says of its prefix cache, as dated data. What no row says is abstained from."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Literal

from msgspec import Struct, field

VERSION = "2026-11-23"
"""Date of the newest row, printed in every report."""

_NO_CLOCK_S = 10**9

SMALLEST_MISS_TOKENS = 64
"""A miss of fewer tokens counts as none, whatever the provider's block."""


class Life(Struct, frozen=True):
    """How long an entry lives after its last use. Units: seconds; ``max_s`` ``None``: not stated."""

    min_s: int
    max_s: int | None


class CacheRule(Struct, frozen=True):
    """The cache rules of some models at some providers.

    Units: tokens. ``model`` is a pattern that the whole model id matches. Below ``minimum_low`` tokens
    nothing is cached, from ``minimum_high`` on everything may be; in between sources conflict. ``ends``
    says where an entry may end: at a ``breakpoint`` only, or at any whole ``block``. ``levels`` maps a
    parameter to the level of the context at which its change invalidates the cache.
    """

    providers: frozenset[str]
    model: str
    source: str
    date: str
    lives: Mapping[str, Life]
    default_life: str
    ends: Literal["breakpoint", "block"]
    block: int = 1
    minimum_low: int | None = None
    minimum_high: int | None = None
    lookback_blocks: int | None = None
    best_effort: bool = False
    levels: Mapping[str, str] = field(default_factory=dict)
    other_level: str = "messages"
    smallest_miss: int = SMALLEST_MISS_TOKENS

    @property
    def tolerance(self) -> int:
        """A miss of fewer tokens counts as none."""
        return max(self.block, self.smallest_miss)


_CLAUDE_DOCS = "https://platform.claude.com/docs/en/build-with-claude/prompt-caching"
_OPENAI_DOCS = "https://developers.openai.com/api/docs/guides/prompt-caching"

_CLAUDE_SELLERS = frozenset(
    {"anthropic", "aws.bedrock", "gcp.vertex_ai", "azure.ai.inference", "azure.ai.openai"}
)
_OPENAI_SELLERS = frozenset({"openai", "azure.ai.openai"})

_CLAUDE_LIVES = {"5m": Life(300, 300), "1h": Life(3600, 3600)}
_CLAUDE_LEVELS = {
    "speed": "system",
    "web_search": "system",
    "citations": "system",
    "tool_choice": "messages",
    "thinking": "messages",
    "images": "messages",
}
_SNAPSHOT = r"(?:[-@]\d{8}|-latest)?"


def _claude(names: str, low: int | None, high: int | None, date: str) -> CacheRule:
    return CacheRule(
        providers=frozenset({"anthropic"}),
        model=rf"claude-(?:{names}){_SNAPSHOT}",
        source=_CLAUDE_DOCS,
        date=date,
        lives=_CLAUDE_LIVES,
        default_life="5m",
        ends="breakpoint",
        minimum_low=low,
        minimum_high=high,
        lookback_blocks=20,
        levels=_CLAUDE_LEVELS,
    )


CACHE_RULES: tuple[CacheRule, ...] = (
    _claude("opus-5|mythos-5|fable-5-1", 512, 512, "2026-07-31"),
    # Two sources, a month apart, name different minimums: between them nothing is claimed.
    _claude("fable-5", 512, 2048, "2026-07-31"),
    _claude("sonnet-5|sonnet-4-5|sonnet-4(?:-0)?|opus-4-1", 1024, 1024, "2026-07-31"),
    _claude("sonnet-4-6", 1024, 2048, "2026-07-31"),
    _claude("opus-4-8", 1024, 4096, "2026-07-31"),
    _claude("opus-4-7", 2048, 4096, "2026-07-31"),
    _claude("opus-4-6|opus-4-5|haiku-4-5", 4096, 4096, "2026-07-31"),
    CacheRule(
        # Models without a published minimum, and Claude sold by others.
        providers=_CLAUDE_SELLERS,
        model=r".*claude-.*",
        source=_CLAUDE_DOCS,
        date="2026-11-23",
        lives=_CLAUDE_LIVES,
        default_life="5m",
        ends="breakpoint",
        lookback_blocks=20,
        levels=_CLAUDE_LEVELS,
    ),
    CacheRule(
        # The lives are minimums; writes are reported and billed from these models on.
        providers=_OPENAI_SELLERS,
        model=r"gpt-(?:5\.[6-9]|[6-9])(?:[.-].*)?",
        source=_OPENAI_DOCS,
        date="2026-11-23",
        lives={"30m": Life(1800, None), "12h": Life(43200, None)},
        default_life="30m",
        ends="breakpoint",
        minimum_low=1024,
        minimum_high=1024,
        other_level="tools",
    ),
    CacheRule(
        # Cleared after 5 to 10 minutes of disuse, always within an hour; 24h is a maximum.
        providers=_OPENAI_SELLERS,
        model=r"(?:gpt-4o|gpt-4\.1|gpt-4\.5|gpt-5|o1|o3|o4|chatgpt-4o|codex)(?:[.-].*)?",
        source=_OPENAI_DOCS,
        date="2026-03-05",
        lives={"memory": Life(300, 3600), "24h": Life(300, 86400)},
        default_life="memory",
        ends="block",
        block=128,
        minimum_low=1024,
        minimum_high=1024,
        best_effort=True,
        other_level="tools",
    ),
)
"""First row that fits holds."""

_PATTERNS = [(rule, re.compile(rule.model)) for rule in CACHE_RULES]


@lru_cache(maxsize=4096)
@lru_cache(maxsize=1024)
def rule_for(provider: str, vendor: str, model: str) -> CacheRule | None:
    """The cache rules of this model at this provider; ``None`` when no row fits.

    ``vendor`` stands in for a provider that is not known by name only when there is none at all.
    """
    name = (provider or vendor).lower()
    for rule, pattern in _PATTERNS:
        if name in rule.providers and pattern.fullmatch(model.lower()):
            return rule
    return None


@lru_cache(maxsize=64)
def engine_rule(block_tokens: int | None) -> CacheRule:
    """The cache rules of a serving engine: whole blocks, and an entry lives until room is needed.

    A prompt's last token may be one with the first of its answer in the next prompt, so that a miss of one
    block is none. Without the size of its blocks an entry may reach as far as its prompt.
    """
    return CacheRule(
        providers=frozenset(),
        model=".*",
        source="docs/engines.md",
        date="2026-11-25",
        lives={"until evicted": Life(_NO_CLOCK_S, None)},
        default_life="until evicted",
        ends="block",
        block=block_tokens or 1,
        best_effort=block_tokens is None,
        other_level="tools",
        smallest_miss=block_tokens + 1 if block_tokens else SMALLEST_MISS_TOKENS,
    )
