"""Terms of sale that the price book does not hold: dated rows, each with its source."""

from datetime import date
from decimal import Decimal

from msgspec import Struct

Condition = tuple[str, str]
"""What a call was sold under beside the standard terms: ``("speed", "fast")``."""


class Multiplier(Struct, frozen=True):
    """One published factor on every token rate. Server tools keep their price.

    ``provider`` and ``models`` are ids of the price book; no models means all of the provider's.
    """

    provider: str
    condition: Condition
    models: frozenset[str]
    factor: Decimal
    since: date
    source: str


class FreeTool(Struct, frozen=True):
    """A server tool that a provider says is charged by its tokens only."""

    provider: str
    tool: str
    since: date
    source: str


class Disputed(Struct, frozen=True):
    """A premium on long prompts that one source has and another does not.

    ``provider`` and ``models`` are ids of the price book; prompts above ``above_tokens`` are estimates.
    """

    provider: str
    models: frozenset[str]
    above_tokens: int
    why: str
    source: str


MULTIPLIERS = (
    Multiplier(
        provider="anthropic",
        condition=("inference_geo", "us"),
        models=frozenset(
            {
                "claude-opus-4-6",
                "claude-opus-4-7",
                "claude-opus-4-8",
                "claude-opus-5",
                "claude-opus-5-5",
                "claude-sonnet-4-6",
                "claude-sonnet-5",
                "claude-sonnet-5-5",
                "claude-haiku-5-5",
                "claude-fable-5",
                "claude-fable-5-1",
                "claude-fable-5-2",
                "claude-mythos-5-2",
            }
        ),
        factor=Decimal("1.1"),
        since=date(2026, 2, 5),
        source="https://platform.claude.com/docs/en/manage-claude/data-residency (2026-11-23)",
    ),
    Multiplier(
        provider="anthropic",
        condition=("processing", "batch"),
        models=frozenset(),
        factor=Decimal("0.5"),
        since=date(2024, 10, 8),
        source="https://platform.claude.com/docs/en/build-with-claude/batch-processing#pricing"
        " (2026-11-23)",
    ),
    Multiplier(
        provider="anthropic",
        condition=("speed", "fast"),
        models=frozenset({"claude-opus-4-6", "claude-opus-4-7"}),
        factor=Decimal(6),
        since=date(2026, 2, 17),
        source="https://code.claude.com/docs/en/fast-mode (2026-11-23)",
    ),
)
"""The book's own price for a condition goes first; these stand in where and when it has none."""

FREE_TOOLS = (
    FreeTool(
        provider="anthropic",
        tool="web_fetch",
        since=date(2025, 9, 10),
        source="https://platform.claude.com/docs/en/agents-and-tools/tool-use/web-fetch-tool"
        " (2026-11-23)",
    ),
)


DISPUTED = (
    Disputed(
        provider="anthropic",
        models=frozenset({"claude-sonnet-4-5", "claude-sonnet-4-0"}),
        above_tokens=200_000,
        why="sources_disagree",
        source="https://github.com/BerriAI/litellm model map: a window of 200,000 tokens, no such tier"
        " (2026-11-23)",
    ),
)


def disputed(provider: str, model: str, edge: int) -> Disputed | None:
    """The row for this model's prices above so many tokens."""
    for row in DISPUTED:
        if row.provider == provider and model in row.models and edge >= row.above_tokens:
            return row
    return None


def multiplier(provider: str, model: str, condition: Condition, on: date) -> Multiplier | None:
    """The row for this condition on that day."""
    for row in MULTIPLIERS:
        if (row.provider, row.condition) != (provider, condition) or on < row.since:
            continue
        if not row.models or model in row.models:
            return row
    return None


def free_tools(provider: str, on: date) -> tuple[str, ...]:
    """Server tools of this provider that cost nothing beside their tokens on that day."""
    return tuple(row.tool for row in FREE_TOOLS if row.provider == provider and row.since <= on)
