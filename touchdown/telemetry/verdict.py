"""What the accountant says of a model call as span attributes: cost, cache state, misses."""

from opentelemetry.util.types import AttributeValue

from touchdown.records import CallVerdict, CostByClass, Miss
from touchdown.telemetry import attributes as names
from touchdown.telemetry import miss_names
from touchdown.telemetry.context_read import share_attributes
from touchdown.telemetry.known import known

MOST_MISSES = 64
_CLASSES = ("uncached", "cache_read", "cache_write", "output", "server_tools")


def verdict_attributes(verdict: CallVerdict) -> dict[str, AttributeValue]:
    """Provisional, as every figure on a child span is: the task's root span carries the settled ones."""
    return {
        **_misses(verdict.misses[:MOST_MISSES]),
        **share_attributes(verdict),
        **known(
            {
                names.CACHE_STATE: verdict.cache_state,
                names.CACHE_REUSABLE: verdict.reusable_tokens,
                names.CACHE_READ: verdict.read_tokens,
                names.CACHE_MISSED: verdict.missed_tokens,
            }
        ),
        **_cost(verdict),
    }


def _cost(verdict: CallVerdict) -> dict[str, AttributeValue]:
    told = known(
        {
            names.COST_UNPRICED: verdict.unpriced,
            names.COST_SOURCE: verdict.price_source,
            names.COST_BASIS_REASON: verdict.price_reason,
        }
    )
    if verdict.cost is None:
        return told
    return {**told, names.COST_BASIS: verdict.price_basis, **_usd(verdict.cost)}


def _usd(cost: CostByClass) -> dict[str, AttributeValue]:
    total = cost.total
    told: dict[str, AttributeValue] = {
        names.COST_USD: float(total),
        names.COST_EXACT: f"{total:f}",
    }
    for billed in _CLASSES:
        told[names.COST_CLASS.format(billed=billed)] = float(getattr(cost, billed))
    return told


def _misses(misses: tuple[Miss, ...]) -> dict[str, AttributeValue]:
    if not misses:
        return {}
    told: dict[str, AttributeValue] = {
        miss_names.CAUSES: [miss.cause for miss in misses],
        miss_names.TAXES: [miss.tax for miss in misses],
        miss_names.TOKENS: [miss.tokens for miss in misses],
        miss_names.SEGMENTS: [miss.segment for miss in misses],
        miss_names.POSITIONS: [miss.token for miss in misses],
        miss_names.KINDS: [miss.kind for miss in misses],
        miss_names.BASES: [miss.basis for miss in misses],
    }
    if any(miss.detail for miss in misses):
        told[miss_names.DETAILS] = [miss.detail for miss in misses]
    priced = [float(miss.usd) for miss in misses if miss.usd is not None]
    if len(priced) == len(misses):
        told[miss_names.USD] = priced
    return told
