"""What the accountant says of a model call as span attributes: cost, cache state, misses."""

from operator import attrgetter

from opentelemetry.util.types import AttributeValue

from touchdown.records import CallVerdict, CostByClass, Miss
from touchdown.telemetry import attributes as names
from touchdown.telemetry import miss_names
from touchdown.telemetry.context_read import share_attributes
from touchdown.telemetry.facts import WHOLE, Fact, Facts

MOST_MISSES = 64

_CACHE = Facts(
    Fact("cache_state", names.CACHE_STATE),
    Fact("reusable_tokens", names.CACHE_REUSABLE, WHOLE),
    Fact("read_tokens", names.CACHE_READ, WHOLE),
    Fact("missed_tokens", names.CACHE_MISSED, WHOLE),
    Fact("unpriced", names.COST_UNPRICED),
    Fact("price_source", names.COST_SOURCE),
    Fact("price_reason", names.COST_BASIS_REASON),
)
_CLASSES = ("uncached", "cache_read", "cache_write", "output", "server_tools")
_BILLED = tuple(names.COST_CLASS.format(billed=billed) for billed in _CLASSES)
_amounts = attrgetter(*_CLASSES)


def verdict_attributes(verdict: CallVerdict) -> dict[str, AttributeValue]:
    """Provisional, as every figure on a child span is: the task's root span carries the settled ones."""
    told = _misses(verdict.misses[:MOST_MISSES])
    told |= share_attributes(verdict)
    _CACHE.write(verdict, told)
    if verdict.cost is not None:
        told[names.COST_BASIS] = verdict.price_basis
        _usd(verdict.cost, told)
    return told


def _usd(cost: CostByClass, told: dict[str, AttributeValue]) -> None:
    total = cost.total
    told[names.COST_USD] = float(total)
    told[names.COST_EXACT] = f"{total:f}"
    told.update(zip(_BILLED, map(float, _amounts(cost)), strict=True))


def _misses(misses: tuple[Miss, ...]) -> dict[str, AttributeValue]:
    if not misses:
        return {}
    told: dict[str, AttributeValue] = {
        miss_names.CAUSES: tuple([miss.cause for miss in misses]),
        miss_names.TAXES: tuple([miss.tax for miss in misses]),
        miss_names.TOKENS: tuple([miss.tokens for miss in misses]),
        miss_names.SEGMENTS: tuple([miss.segment for miss in misses]),
        miss_names.POSITIONS: tuple([miss.token for miss in misses]),
        miss_names.KINDS: tuple([miss.kind for miss in misses]),
        miss_names.BASES: tuple([miss.basis for miss in misses]),
    }
    if any(miss.detail for miss in misses):
        told[miss_names.DETAILS] = tuple([miss.detail for miss in misses])
    priced = tuple([float(miss.usd) for miss in misses if miss.usd is not None])
    if len(priced) == len(misses):
        told[miss_names.USD] = priced
    return told
