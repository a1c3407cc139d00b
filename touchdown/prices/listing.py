"""From an entry of the price book to a schedule of rates."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from touchdown.prices.cost import EXACT
from touchdown.prices.rates import Rates, Unpriced
from touchdown.prices.schedule import Band, Cell, Ladder, Schedule, build_schedule
from touchdown.prices.terms import (
    FREE_TOOLS,
    MULTIPLIERS,
    Condition,
    disputed,
    free_tools,
    multiplier,
)

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, ModelPrice, PriceVariant

LIFE_ASSUMED = "cache_write_life_assumed"
TEXT_ASSUMED = "text_rate_assumed"

_TOOLS = {
    "web_searches_kcount": "web_search",
    "storage_searches_kcount": "file_search",
    "code_executions_kcount": "code_execution",
    "social_searches_kcount": "social_search",
}
_OTHER_MODALITIES = tuple(
    (f"{side}_{kind}_mtok", f"{side}_mtok")
    for side in ("input", "output")
    for kind in ("audio", "image", "video")
)
_VERSION = re.compile(r"gpt-(\d+)(?:\.(\d+))?(?!\d)")
_LIVES = ("5m", "30m", "1h", "12h", "unknown")


class Listing(Struct, frozen=True):
    """One model at one seller, under the conditions of one call.

    ``seller`` is the provider that bills, ``owner`` the provider of the book whose entry it is; they
    differ where the book says that a seller charges another's list price.
    """

    seller: str
    owner: str
    model: "ModelInfo"
    conditions: tuple[Condition, ...] = ()
    reason: str | None = None
    """Why this listing is an estimate, if it is one."""
    book: str = ""

    def schedule(self) -> Schedule:
        """Every price of this listing, over time and prompt size."""
        return build_schedule(self._constraints(), self._cell)

    def _constraints(self) -> Iterator[object]:
        prices = self.model.prices
        if isinstance(prices, list):
            yield from (each.constraint for each in prices)
        if self.conditions:
            yield from (variant.constraint for variant in self.model.price_variants or ())
        for row in (*MULTIPLIERS, *FREE_TOOLS):
            if row.provider == self.seller:
                yield _Since(row.since)

    def _cell(self, at: datetime) -> Cell:
        kept: dict[str, str] = {}
        factor, source = Decimal(1), f"{self.book}: {self.owner}/{self.model.id}"
        if len([name for name, _ in self.conditions if name != "inference_geo"]) > 1:
            together = " with ".join(f"{name} {value}" for name, value in self.conditions)
            return Unpriced(f"no list price for {together} of {self.model.id}")
        for condition in self.conditions:
            row = multiplier(self.seller, self.model.id, condition, at.date())
            if self._book_has(condition, at):
                kept[condition[0]] = condition[1]
            elif row is not None:
                factor = EXACT.multiply(factor, row.factor)
                source += f", {row.factor} for {condition[0]} {condition[1]} by {row.source}"
            else:
                return Unpriced(
                    f"no list price for {condition[0]} {condition[1]} of {self.model.id}"
                    f" at {self.seller}{self._later(condition)}"
                )
        return self._ladder(self.model.get_prices(at, kept), factor, source, at)

    def _book_has(self, condition: Condition, at: datetime) -> bool:
        return any(
            variant.constraint is None or variant.constraint.active(at)
            for variant in self._variants(condition)
        )

    def _variants(self, condition: Condition) -> "list[PriceVariant]":
        """The book's prices for this condition; those of an owner say nothing of a reseller's."""
        if self.seller != self.owner:
            return []
        name, value = condition
        return [each for each in self.model.price_variants or () if each.when == {name: value}]

    def _later(self, condition: Condition) -> str:
        days = [
            day
            for variant in self._variants(condition)
            if (day := getattr(variant.constraint, "start_date", None)) is not None
        ]
        return f" before {min(days)}" if days else ""

    def _ladder(self, prices: "ModelPrice", factor: Decimal, source: str, at: datetime) -> Cell:
        if prices.requests_kcount is not None:
            return Unpriced(f"{self.model.id} has a fee per request, which is not priced yet")
        if prices.output_reasoning_mtok not in (None, prices.output_mtok):
            return Unpriced(f"{self.model.id} prices reasoning apart, which is not supported yet")
        tiers = (getattr(price, "tiers", ()) for price in vars(prices).values())
        edges = tuple(sorted({tier.start for each in tiers for tier in each}))
        bands = tuple(
            self._band(_Card(prices, above + 1, factor), source, at) for above in (-1, *edges)
        )
        return Ladder(edges, bands)

    def _band(self, card: "_Card", source: str, at: datetime) -> Band:
        reasons = [self.reason] if self.reason else []
        if doubt := disputed(self.owner, self.model.id, card.input_tokens - 1):
            reasons.append(doubt.why)
        if any(card.token(key) not in (None, card.token(base)) for key, base in _OTHER_MODALITIES):
            reasons.append(TEXT_ASSUMED)
        writes = self._writes(card)
        tools = {name: Decimal(0) for name in free_tools(self.seller, at.date())}
        tools |= {name: fee for key, name in _TOOLS.items() if (fee := card.fee(key)) is not None}
        rates = Rates(
            uncached=card.token("input_mtok"),
            output=card.token("output_mtok"),
            cache_read=card.token("cache_read_mtok"),
            cache_write=writes,
            server_tools=tools,
            basis="estimated" if reasons else "derived",
            reason=", ".join(reasons) or None,
            source=source,
        )
        return with_assumed_life(rates)

    def _writes(self, card: "_Card") -> Mapping[str, Decimal]:
        """Cache-write rates by life.

        Source: Anthropic's default life is 5 minutes, OpenAI's 30; OpenAI charges no premium before
        GPT-5.6 (https://developers.openai.com/api/docs/guides/prompt-caching, 2026-11-23). The book
        has no price for a life of 12 hours.
        """
        usual = card.token("cache_write_5m_mtok", "cache_write_mtok")
        hour = card.token("cache_write_1h_mtok")
        if usual is None:
            plain = (
                card.token("input_mtok") if _writes_are_free(self.owner, self.model.id) else None
            )
            return {} if plain is None else dict.fromkeys(_LIVES, plain)
        if hour is not None or "claude" in self.model.id:
            writes = {"5m": usual, "unknown": usual}
        elif self.owner in ("openai", "azure"):
            writes = {"30m": usual, "unknown": usual}
        else:
            writes = {"5m": usual, "30m": usual, "unknown": usual}
        return writes if hour is None else writes | {"1h": hour}


def with_assumed_life(rates: Rates) -> Band:
    """A band whose second face is marked as an estimate where lives have different prices."""
    if rates.cache_write.keys() >= set(_LIVES) and len(set(rates.cache_write.values())) == 1:
        return Band(rates, rates)
    reason = f"{rates.reason}, {LIFE_ASSUMED}" if rates.reason else LIFE_ASSUMED
    return Band(rates, replace(rates, basis="estimated", reason=reason))


def _writes_are_free(owner: str, model: str) -> bool:
    """Whether this model is known to be older than OpenAI's premium on cache writes."""
    if owner not in ("openai", "azure"):
        return False
    if not model.startswith("gpt-"):
        return True
    version = _VERSION.match(model)
    return version is not None and (int(version[1]), int(version[2] or 0)) < (5, 6)


class _Since(Struct, frozen=True):
    """A change of price on a day, in the shape of the book's own constraint."""

    start_date: object


class _Card(Struct, frozen=True):
    """The book's prices as they stand for one size of prompt."""

    prices: "ModelPrice"
    input_tokens: int
    factor: Decimal

    def token(self, *keys: str) -> Decimal | None:
        """US dollars per token of the first key that has a price."""
        for key in keys:
            if (price := self._standing(key)) is not None:
                return EXACT.multiply(EXACT.scaleb(price, -6), self.factor)
        return None

    def fee(self, key: str) -> Decimal | None:
        """US dollars per request."""
        price = self._standing(key)
        return None if price is None else EXACT.scaleb(price, -3)

    def _standing(self, key: str) -> Decimal | None:
        price = getattr(self.prices, key, None)
        if price is None or isinstance(price, Decimal):
            return price
        reached = [tier.price for tier in price.tiers if self.input_tokens > tier.start]
        return Decimal(reached[-1] if reached else price.base)
