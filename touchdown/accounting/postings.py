"""Posting: one call's charge into accounts, in two layers, one account for every part."""

from collections.abc import Sequence
from decimal import Decimal

from touchdown.accounting.contents import split_content
from touchdown.accounting.facts import CallFacts, Missed, Posting, PriceLayer
from touchdown.accounting.pricing import NOTHING, Bill, scale
from touchdown.accounting.taxes.registry import UNEXPLAINED, tax_of
from touchdown.accounting.taxes.tax import Claim
from touchdown.accounting.work import parts_of_work
from touchdown.prices.rates import Unpriced
from touchdown.records import CostByClass

UNSPLIT = "unsplit"
"""Why a total that the answer names is unexplained where no rates can split it."""

FINEST_REPORTED = Decimal(1).scaleb(-30)
"""A reported cost is taken to this many dollars; providers send far fewer digits."""


def price_layer(facts: CallFacts, charges: Sequence[Decimal]) -> PriceLayer | None:
    """The call's charge, the part of each miss (``charges``, by the table) scaled with the rest.

    ``None`` for an unpriced call.
    """
    reported = reported_usd(facts)
    if not isinstance(facts.bill, Bill):
        return (
            None
            if reported is None
            else PriceLayer(reported, reported, unsplit=True, reported=True)
        )
    table = facts.bill.total
    content = table - sum(charges, NOTHING) if charges else table
    if reported is None:
        return PriceLayer(table, content, tuple(charges), content)
    if table == 0:
        nothing = (Decimal(0),) * len(charges)
        return PriceLayer(reported, reported, nothing, content, reported != 0, reported=True)
    *scaled, rest = scale([*charges, content], reported)
    return PriceLayer(reported, rest, tuple(scaled), content, reported=True)


def reported_usd(facts: CallFacts) -> Decimal | None:
    """What the provider's answer says was charged; ``None`` when it says nothing that can be charged."""
    reported = facts.call.reported_usd
    if reported is None or not reported.is_finite() or reported < 0:
        return None
    return max(reported.quantize(FINEST_REPORTED), Decimal(0)).normalize()


def charge_of(missed: Missed, bill: Bill | Unpriced) -> Decimal:
    """The price layer of one miss by the table."""
    if isinstance(bill, Unpriced) or tax_of(missed.cause) is None:
        return Decimal(0)
    return bill.above_read(missed.ranges)


def scaled_cost(facts: CallFacts) -> CostByClass | None:
    """The cost by class as it was charged; ``None`` where there is nothing to split it with."""
    layer, bill = facts.layer, facts.bill
    if layer is None or layer.unsplit or not isinstance(bill, Bill):
        return None
    cost = bill.cost
    if layer.total == bill.total:
        return cost
    classes = [cost.uncached, cost.cache_read, cost.cache_write, cost.output, cost.server_tools]
    return CostByClass(*scale(classes, layer.total))


def post(facts: CallFacts, claims: Sequence[Claim]) -> Posting:
    """The call's money in accounts: misses to the taxes of their causes, content to claims or work.

    ``claims`` come in the order of the claim table; a token goes to the first that takes it.
    """
    layer = facts.layer
    if layer is None:
        return Posting()
    if layer.unsplit or not isinstance(facts.bill, Bill):
        return Posting(layer.total, unexplained={UNSPLIT: layer.total})
    taxes: dict[str, Decimal] = {}
    unexplained: dict[str, Decimal] = {}
    work = layer.content
    for missed, usd in zip(facts.diagnosis.misses, layer.misses, strict=True):
        tax = tax_of(missed.cause)
        if tax == UNEXPLAINED:
            unexplained[missed.cause] = unexplained.get(missed.cause, NOTHING) + usd
        elif tax is not None:
            taxes[tax] = taxes.get(tax, NOTHING) + usd
    for tax_id, usd in _claimed(facts, facts.bill, layer, claims):
        taxes[tax_id] = taxes.get(tax_id, NOTHING) + usd
        work -= usd
    billed = facts.call.usage
    cost = scaled_cost(facts) if billed.server_tools or billed.steps else None
    within = parts_of_work(facts.call, cost, work)
    return Posting(layer.total, work, _paid(taxes), _paid(unexplained), within)


def _paid(accounts: dict[str, Decimal]) -> dict[str, Decimal]:
    if not accounts:
        return accounts
    return {name: usd for name, usd in sorted(accounts.items()) if usd}


def _claimed(
    facts: CallFacts, bill: Bill, layer: PriceLayer, claims: Sequence[Claim]
) -> list[tuple[str, Decimal]]:
    if not claims:
        return []
    whole = next((claim for claim in claims if claim.whole), None)
    if whole is not None:
        return [(whole.tax, layer.content)]
    amounts = split_content(facts, bill, claims)
    if layer.reported:
        if layer.table_content <= 0:
            return []
        rest = layer.table_content - sum(amounts, Decimal(0))
        *amounts, _ = scale([*amounts, rest], layer.content)
    return [(claim.tax, usd) for claim, usd in zip(claims, amounts, strict=True)]
