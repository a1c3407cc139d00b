"""The bill of one call: its cost by class, and the rate that each token position was billed at."""

from collections.abc import Iterable, Sequence
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from touchdown.accounting.ranges import Range, overlap
from touchdown.context.shares import apportion
from touchdown.prices.cost import split_exactly, sum_exactly
from touchdown.prices.rates import Prices, Rates, Unpriced
from touchdown.records import CostByClass, ModelCall, ServerStep, Usage
from touchdown.records.verdict import Basis

LIVES = ("12h", "1h", "30m", "5m")
"""Lives of cache writes in the order they lie along the context: longer ones come first.

Source: https://platform.claude.com/docs/en/build-with-claude/prompt-caching (2026-07): 1-hour entries
must come before 5-minute ones.
"""

_PLACES = {life: place for place, life in enumerate(LIVES)}

NOTHING = Decimal(0)

NO_COST = CostByClass()

FINEST = Decimal(1).scaleb(-12)
"""A pico-dollar: the smallest part into which an amount is divided, unless it came in finer."""


class Band(Struct, frozen=True):
    """Token positions billed at one rate. Units: US dollars per token."""

    start: int
    end: int
    rate: Decimal


class Bill(Struct, frozen=True):
    """What one call cost by the table, ``total``, and how its input was billed along the context.

    Only the total is kept: its split by class and along the context is made when it is asked for.
    """

    usage: Usage
    total: Decimal = NOTHING
    rates: Rates | None = None
    steps: tuple[CostByClass, ...] = ()
    """What each server-side step cost; counted in ``total``."""
    gaps: tuple[str, ...] = ()
    """Why a step is not in ``total``."""

    @property
    def cost(self) -> CostByClass:
        """The total by class."""
        own = NO_COST if self.rates is None else split_exactly(self.usage, self.rates)
        return add_costs([own, *self.steps]) if self.steps else own

    @property
    def bands(self) -> tuple[Band, ...]:
        """The rate at each token position of the input, by stretches."""
        return () if self.rates is None else _bands(self.usage, self.rates)

    @property
    def output_rate(self) -> Decimal:
        """The rate of a token of the answer. Units: US dollars."""
        return (self.rates.output if self.rates else None) or NOTHING

    @property
    def read_rate(self) -> Decimal | None:
        """The rate of a cache read at this call; ``None`` where none is offered."""
        return self.rates.cache_read if self.rates else None

    @property
    def basis(self) -> Basis:
        """How well the prices are known."""
        return self.rates.basis if self.rates else "derived"

    def paid(self, ranges: Iterable[Range]) -> Decimal:
        """What was paid for these tokens."""
        return self._paid_above(ranges, NOTHING)

    def premium(self, ranges: Iterable[Range]) -> Decimal:
        """What was paid for these tokens above the uncached rate: the premium of writing them."""
        plain = self.rates.uncached if self.rates else None
        if plain is None:
            return Decimal(0)
        return self._paid_above(ranges, plain)

    def above_read(self, ranges: Iterable[Range]) -> Decimal:
        """What was paid for these tokens above the cache-read rate; never negative."""
        read = self.read_rate
        if read is None:
            return Decimal(0)
        return self._paid_above(ranges, read)

    def _paid_above(self, ranges: Iterable[Range], rate: Decimal) -> Decimal:
        wanted = tuple(ranges)
        paid = NOTHING
        for band in self.bands if wanted else ():
            tokens = overlap(wanted, band.start, band.end)
            if tokens and band.rate > rate:
                paid += (band.rate - rate) * tokens
        return paid


def bill_of(call: ModelCall, prices: Prices) -> Bill | Unpriced:
    """The bill of this call by the table, with what it did on the server; unpriced with the reason."""
    bill = _bill_without_steps(call, prices.rates_for(call))
    if not call.usage.steps or isinstance(bill, Unpriced):
        return bill
    found = [_price_step(call, step, prices) for step in call.usage.steps]
    costs = tuple([NO_COST if isinstance(cost, Unpriced) else cost for cost in found])
    return replace(
        bill,
        total=add_costs([bill.cost, *costs]).total,
        steps=costs,
        gaps=tuple(cost.reason for cost in found if isinstance(cost, Unpriced)),
    )


def _price_step(call: ModelCall, step: ServerStep, prices: Prices) -> CostByClass | Unpriced:
    model = step.model or call.model
    answered = step.model or call.response_model
    alone = replace(call, model=model, response_model=answered, usage=step.usage)
    bill = _bill_without_steps(alone, prices.rates_for(alone))
    if isinstance(bill, Unpriced):
        return Unpriced(f"a {step.kind} step on the server: {bill.reason}")
    return bill.cost


def add_costs(costs: Iterable[CostByClass]) -> CostByClass:
    """The sum, class by class."""
    total = NO_COST
    for cost in costs:
        total = CostByClass(
            total.uncached + cost.uncached,
            total.cache_read + cost.cache_read,
            total.cache_write + cost.cache_write,
            total.output + cost.output,
            total.server_tools + cost.server_tools,
        )
    return total


def _bill_without_steps(call: ModelCall, rates: Rates | Unpriced) -> Bill | Unpriced:
    usage = call.usage
    if usage.completeness == "none" and costs_nothing(call):
        return Bill(usage)
    if (negative := _negative_class(usage)) is not None:
        return Unpriced(f"negative token count: {negative}")
    if not isinstance(rates, Rates):
        return rates
    total = sum_exactly(usage, rates)
    return Bill(usage, total, rates) if isinstance(total, Decimal) else total


def costs_nothing(call: ModelCall) -> bool:
    """Whether a call without usage is known to be free: never sent, or refused by the server."""
    refused = call.http_status is not None and call.http_status >= 400
    return call.status == "not_started" or (call.status == "error" and refused)


def written_lives(usage: Usage) -> list[tuple[str, int]]:
    """Lives and tokens written, in the order they lie along the context."""
    if not usage.cache_write:
        return []
    written = list(usage.cache_write.items())
    if len(written) > 1:
        written.sort(key=lambda item: (_PLACES.get(item[0], len(_PLACES)), item[0]))
    return written


def scale(amounts: Sequence[Decimal], target: Decimal) -> list[Decimal]:
    """``amounts`` in proportion, made to add up to ``target`` in whole pico-dollars or finer."""
    step = min(FINEST, _step(target))
    weights = _integers(amounts)
    units = int(target / step)
    return [part * step for part in apportion(units, weights)]


def _step(amount: Decimal) -> Decimal:
    exponent = amount.as_tuple().exponent
    return Decimal(1).scaleb(exponent) if isinstance(exponent, int) else FINEST


def _integers(amounts: Sequence[Decimal]) -> list[int]:
    step = min((_step(amount) for amount in amounts), default=FINEST)
    return [int(amount / step) for amount in amounts]


def _is_sound(usage: Usage) -> bool:
    if (usage.uncached or 0) < 0 or (usage.cache_read or 0) < 0:
        return False
    if (usage.output or 0) < 0 or (usage.reasoning or 0) < 0:
        return False
    if usage.cache_write and min(usage.cache_write.values()) < 0:
        return False
    return not usage.server_tools or min(usage.server_tools.values()) >= 0


def _negative_class(usage: Usage) -> str | None:
    if _is_sound(usage):
        return None
    for name, tokens in (
        ("uncached", usage.uncached),
        ("cache_read", usage.cache_read),
        ("output", usage.output),
        ("reasoning", usage.reasoning),
    ):
        if tokens is not None and tokens < 0:
            return f"{name} {tokens}"
    for counts in (usage.cache_write, usage.server_tools):
        for name, counted in counts.items() if counts else ():
            if counted < 0:
                return f"{name} {counted}"
    return None


def _bands(usage: Usage, rates: Rates) -> tuple[Band, ...]:
    if usage.uncached is None:
        return ()
    classes = [(usage.cache_read, rates.cache_read)]
    classes += [(tokens, rates.cache_write.get(life)) for life, tokens in written_lives(usage)]
    classes.append((usage.uncached, rates.uncached))
    bands: list[Band] = []
    position = 0
    for tokens, rate in classes:
        if tokens:
            bands.append(Band(position, position + tokens, rate or NOTHING))
            position += tokens
    return tuple(bands)
