"""What the accountant says of a model call as span attributes: cost, cache state, misses."""

from decimal import Decimal
from operator import attrgetter

from msgspec.structs import fields
from opentelemetry.util.types import AttributeValue

from touchdown.records import CallVerdict, CostByClass, Miss
from touchdown.telemetry import attributes as names
from touchdown.telemetry import miss_names
from touchdown.telemetry.facts import WHOLE, Alike, Fact, Facts
from touchdown.telemetry.known import Numbers
from touchdown.telemetry.telling import Telling

MOST_MISSES = 64

_CACHE = Facts(
    Fact("context_tokens", names.CONTEXT_TOKENS, WHOLE),
    Fact("reusable_tokens", names.CACHE_REUSABLE, WHOLE),
    Fact("read_tokens", names.CACHE_READ, WHOLE),
    Fact("missed_tokens", names.CACHE_MISSED, WHOLE),
)
_SHARES = (Fact("shares_basis", names.CONTEXT_SHARES_BASIS),)
_PRICED = (Fact("price_basis", names.COST_BASIS),)
_WORDS = {
    (shares, priced): Alike(
        Fact("cache_state", names.CACHE_STATE),
        Fact("unpriced", names.COST_UNPRICED),
        Fact("price_source", names.COST_SOURCE),
        Fact("price_reason", names.COST_BASIS_REASON),
        *(_SHARES if shares else ()),
        *(_PRICED if priced else ()),
    )
    for shares in (False, True)
    for priced in (False, True)
}
"""By whether the context is shared out over its kinds, and whether the call is priced."""
_CLASSES = tuple(field.name for field in fields(CostByClass))
_COST = Numbers([names.COST_USD, *(names.COST_CLASS.format(billed=billed) for billed in _CLASSES)])
_amounts = attrgetter(*_CLASSES)


def tell_verdict(verdict: CallVerdict, told: Telling) -> None:
    """Provisional, as every figure on a child span is: the task's root span carries the settled ones."""
    if verdict.misses:
        told.more(_misses(verdict.misses[:MOST_MISSES]))
    shares, cost = verdict.tokens_by_kind, verdict.cost
    if shares:
        told.template(names.CONTEXT_KIND_TOKENS, shares)
    told.facts(_CACHE, verdict)
    told.alike(_WORDS[bool(shares), cost is not None], verdict)
    if cost is not None:
        exact = _fixed(cost.total)
        told.one(names.COST_EXACT, exact)
        told.numbers(_COST, [float(exact), *[float(usd) if usd else 0.0 for usd in _amounts(cost)]])


def _fixed(usd: Decimal) -> str:
    told = str(usd)  # at a small part of the price of a format
    return f"{usd:f}" if "E" in told else told


def _misses(misses: tuple[Miss, ...]) -> dict[str, AttributeValue]:
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
