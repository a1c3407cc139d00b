"""Bounds: the most that a call may take, before anyone has counted it.

The input is known from the agent's call before this one, as the provider counted it, and from an estimate of
what is new; the output by the limit that the request sets. What a bound had to assume it says.
"""

from collections.abc import Sequence
from decimal import Decimal

from msgspec import Struct

from touchdown.context.blocks import Block, RequestView, count_chars
from touchdown.context.sizes import estimate_tokens
from touchdown.context.tracker import block_tokens
from touchdown.prices.cost import EXACT
from touchdown.prices.rates import Rates, Unpriced
from touchdown.records import Usage
from touchdown.runtime.budget import PICO

OUTPUT_LIMITS = ("max_tokens", "max_completion_tokens", "max_output_tokens")

OUTPUT_TOKENS = 16_384
"""Taken for the output of a request that sets no limit: few answers are longer, reasoning included."""

MARGIN_PERCENT = 125
"""Estimates are raised to this once the provider has counted input of the model."""

UNSEEN_PERCENT = 160
"""And to this before: newer tokenizers make a third more of a text than those that were measured."""

UNSEEN_CHARS = 3
"""A token of text nobody has counted yet is taken to be no longer than this."""

PER_CALL_TOKENS = 64
PER_MESSAGE_TOKENS = 8
WITH_TOOLS_TOKENS = 804
"""What a provider adds for tools by itself. Source: https://docs.anthropic.com/en/docs/agents-and-tools/tool-use
(the largest figure of its table, 2026-11)."""


class Counted(Struct, frozen=True):
    """A call whose input the provider has counted. Units: tokens."""

    blocks: Sequence[Block]
    input_tokens: int
    output_tokens: int


class Terms(Struct, frozen=True):
    """What a request may take at most by one set of rates, the same however long it grows.

    Units: tokens; US dollars per token, and what is made of them as whole numbers, so that a sum is exact.
    ``unpriced`` says why there is no price.
    """

    output_tokens: int
    reason: str
    """What had to be assumed for it."""
    told: Rates | Unpriced
    """What the terms were made of."""
    rates: Rates | None = None
    input_rate: Decimal = Decimal(0)
    unpriced: str = ""
    input_parts: int = 0
    """Of one token, in parts of a pico-dollar: ``parts`` of them make one."""
    output_parts: int = 0
    """Of the whole output."""
    parts: int = 1

    def pico_usd(self, input_tokens: int) -> int:
        """The price with so much input, in pico-dollars, rounded up; 0 where there is none."""
        return -(-(self.input_parts * input_tokens + self.output_parts) // self.parts)


class Yardsticks:
    """How many tokens the provider counts for one that is estimated, by model: the most seen so far."""

    def __init__(self) -> None:
        self._most: dict[str, int] = {}

    def learn(self, model: str, blocks: Sequence[Block], counted_tokens: int) -> None:
        """The provider counted this input."""
        ratio = -(-counted_tokens * 100 // max(1, _estimated(blocks)))
        self._most[model] = max(self._most.get(model, 100), ratio)

    def bound(self, model: str, blocks: Sequence[Block]) -> int:
        """The most tokens that these blocks may be."""
        estimated = _estimated(blocks)
        known = self._most.get(model)
        if known is not None:
            return -(-estimated * known * MARGIN_PERCENT // 10_000)
        chars = sum(count_chars(block.content) for block in blocks)
        return max(-(-estimated * UNSEEN_PERCENT // 100), -(-chars // UNSEEN_CHARS))


def bound_input(
    model: str, view: RequestView, before: Counted | None, yardsticks: Yardsticks
) -> int:
    """The most tokens that the input of a call may be."""
    if before is None or not _continues(view.blocks, before.blocks):
        return PER_CALL_TOKENS + yardsticks.bound(model, view.blocks)
    new = view.blocks[len(before.blocks) :]
    if not new:
        return before.input_tokens
    answered = [block for block in new if block.role == "assistant"]
    asked = [block for block in new if block.role != "assistant"]
    answer = max(yardsticks.bound(model, answered), before.output_tokens) if answered else 0
    return before.input_tokens + answer + yardsticks.bound(model, asked)


def hidden_input(view: RequestView, before: Counted | None) -> int:
    """Tokens that the provider keeps from the call before and reads again."""
    if not view.previous_response_id or before is None:
        return 0
    return before.input_tokens + before.output_tokens


def bound_output(view: RequestView, operation: str) -> tuple[int, str]:
    """The most tokens that the output may be, and what had to be assumed for it."""
    if operation == "embeddings":
        return 0, ""
    choices = view.request.get("n")
    times = choices if isinstance(choices, int) and choices > 0 else 1
    least = None
    for name in OUTPUT_LIMITS:
        limit = view.request.get(name)
        if isinstance(limit, int) and limit >= 0:
            least = limit if least is None else min(least, limit)
    if least is not None:
        return least * times, ""
    taken = OUTPUT_TOKENS * times
    return taken, f"the request sets no limit of its output: {taken:,} tokens are taken"


def terms_of(view: RequestView, operation: str, told: Rates | Unpriced) -> Terms:
    """The terms of a request: the input at the dearest rate it may be billed at, none read from a cache."""
    output_tokens, reason = bound_output(view, operation)
    if isinstance(told, Unpriced):
        return Terms(output_tokens, reason, told, unpriced=told.reason)
    if told.uncached is None or (told.output is None and output_tokens):
        return Terms(output_tokens, reason, told, unpriced="no rate for its tokens")
    rate = max([told.uncached, *_write_rates(view, told)])
    output = told.output or Decimal(0)
    digits = max(PICO, *(_digits(one) for one in (rate, output)))
    return Terms(
        output_tokens,
        reason,
        told,
        told,
        rate,
        input_parts=int(rate.scaleb(digits, EXACT)),
        output_parts=int(output.scaleb(digits, EXACT)) * output_tokens,
        parts=10 ** (digits - PICO),
    )


def _digits(rate: Decimal) -> int:
    """How many digits behind the point it has."""
    exponent = rate.as_tuple().exponent
    return -exponent if isinstance(exponent, int) else 0


def priced_usage(input_tokens: int) -> Usage:
    """The usage by whose size rates are looked up: some are higher for long prompts."""
    return Usage(uncached=input_tokens, output=0, completeness="full")


def _write_rates(view: RequestView, rates: Rates) -> list[Decimal]:
    lives = view.cache_lives
    if not lives:
        return [] if view.caching in (None, "off") else list(rates.cache_write.values())
    return [rate for life, rate in rates.cache_write.items() if life in lives] or list(
        rates.cache_write.values()
    )


def _continues(blocks: Sequence[Block], before: Sequence[Block]) -> bool:
    """Whether the call before stands unchanged at the beginning of this one."""
    if blocks[: len(before)] == before:  # most are the same objects
        return True
    return len(blocks) >= len(before) and all(
        old.same_as(new) for old, new in zip(before, blocks, strict=False)
    )


def _estimated(blocks: Sequence[Block]) -> int:
    tools = [block_tokens(block) for block in blocks if block.kind == "tools"]
    shown = [block.content for block in blocks if block.kind != "tools"]
    tokens = estimate_tokens(shown) + sum(tools)
    return tokens + PER_MESSAGE_TOKENS * len(blocks) + (WITH_TOOLS_TOKENS if tools else 0)
