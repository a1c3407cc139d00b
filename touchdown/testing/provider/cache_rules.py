"""What the providers publish about their prompt caches, as data: every row names its source."""

from __future__ import annotations

import re
from typing import Literal

from msgspec import Struct

from touchdown.testing.provider.prompt import Level

_ANTHROPIC = "https://platform.claude.com/docs/en/build-with-claude/prompt-caching (July 2026)"
_OPENAI = "https://developers.openai.com/api/docs/guides/prompt-caching (November 2026)"


class AnthropicRule(Struct, frozen=True):
    """Shortest prefix that some Claude models cache. Units: tokens."""

    models: tuple[str, ...]
    minimum_tokens: int
    source: str = _ANTHROPIC


class OpenAIRule(Struct, frozen=True):
    """How GPT models from version `since` on cache.

    `block_tokens` 0 means that prefixes are matched at breakpoints, not rounded to blocks.
    """

    since: tuple[int, int]
    minimum_tokens: int
    block_tokens: int
    default_life: str
    reports_writes: bool
    source: str = _OPENAI


class Life(Struct, frozen=True):
    """How long an entry stays after it was last written or read. Units: seconds."""

    provider: Literal["anthropic", "openai"]
    name: str
    seconds: float
    source: str


class Invalidation(Struct, frozen=True):
    """A request setting, and the first level of the cache that depends on it."""

    setting: str
    level: Level
    source: str = _ANTHROPIC


ANTHROPIC_RULES = (
    AnthropicRule(("opus-5", "fable-5", "fable-5-1", "mythos-5", "mythos-5-1"), 512),
    AnthropicRule(
        ("opus-4-8", "opus-4-1", "sonnet-5", "sonnet-4-6", "sonnet-4-5", "sonnet-4", "sonnet-4-0"),
        1_024,
    ),
    AnthropicRule(("opus-4-7",), 2_048),
    AnthropicRule(("opus-4-6", "opus-4-5", "haiku-4-5"), 4_096),
)
ANTHROPIC_DEFAULT = AnthropicRule((), 1_024, "our choice: no published row for the model")
LOOKBACK_BLOCKS = 20
MAX_BREAKPOINTS = 4

OPENAI_RULES = (
    OpenAIRule((5, 6), 1_024, 0, "30m", reports_writes=True),
    OpenAIRule((0, 0), 1_024, 128, "in_memory", reports_writes=False),
)
OPENAI_LATEST_BREAKPOINTS = 80

LIVES = (
    Life("anthropic", "5m", 300, _ANTHROPIC),
    Life("anthropic", "1h", 3_600, _ANTHROPIC),
    Life("openai", "in_memory", 600, _OPENAI + ": 5 to 10 minutes of inactivity; the longer"),
    Life("openai", "24h", 86_400, _OPENAI + ": a maximum, taken as the life"),
    Life("openai", "30m", 1_800, _OPENAI + ": a minimum, taken as the life"),
    Life("openai", "12h", 43_200, _OPENAI + ": a minimum, taken as the life"),
)

INVALIDATIONS = (
    Invalidation("speed", "system"),
    Invalidation("web_search", "system"),
    Invalidation("citations", "system"),
    Invalidation("tool_choice", "messages"),
    Invalidation("thinking", "messages"),
    Invalidation("images", "messages"),
)

_FAMILY = re.compile(r"claude-([a-z]+-\d{1,2}(?:[-.]\d{1,2})?)(?!\d)")
_GPT = re.compile(r"gpt-(\d{1,2})(?:\.(\d{1,2}))?")


def anthropic_rule(model: str) -> AnthropicRule:
    """The row of `model`, dated and platform-prefixed names included; else the stated default."""
    found = _FAMILY.search(model)
    family = found[1].replace(".", "-") if found else ""
    return next((rule for rule in ANTHROPIC_RULES if family in rule.models), ANTHROPIC_DEFAULT)


def openai_rule(model: str) -> OpenAIRule:
    """The row of `model`; names without a GPT version count as older models."""
    found = _GPT.search(model)
    version = (int(found[1]), int(found[2] or 0)) if found else (0, 0)
    return next(rule for rule in OPENAI_RULES if version >= rule.since)


def life_seconds(provider: Literal["anthropic", "openai"], name: str) -> float | None:
    """Seconds of the named life, or None where the provider offers no such life."""
    return next(
        (life.seconds for life in LIVES if (life.provider, life.name) == (provider, name)), None
    )
