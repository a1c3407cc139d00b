"""``provider_margin``: the same model sold cheaper elsewhere."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from touchdown.accounting.account import Finding
from touchdown.accounting.facts import CallFacts
from touchdown.accounting.pricing import Bill
from touchdown.accounting.taxes.tax import Claim, Evidence, Kind, many, spans_of
from touchdown.prices.cost import price_usage
from touchdown.records import CostByClass

MEND = "ask whether that seller's terms, place and limits suit you"


@dataclass(frozen=True, slots=True)
class _Offer:
    """A call that another seller's list price is lower for. Units: US dollars."""

    facts: CallFacts
    seller: str
    there_usd: Decimal
    saved_usd: Decimal


@dataclass(frozen=True, slots=True)
class ProviderMargin:
    """The difference to the cheapest seller that the price book has for exactly the same model id."""

    id: str = "provider_margin"
    question: str = "the same model sold cheaper elsewhere"
    kind: Kind = "memo"
    needs: str = "price book"
    causes: frozenset[str] = frozenset()

    def not_observable(self, seen: Evidence) -> str | None:
        """Where no call is priced, or nobody else is known to sell these models."""
        priced = [facts for facts in seen.calls if isinstance(facts.bill, Bill)]
        if not priced:
            return "no call is priced" if seen.calls else None
        if any(seen.prices.offers_elsewhere(facts.call) for facts in priced):
            return None
        return "the price book has no other seller of exactly these models"

    def claims(self, seen: Evidence) -> Iterable[Claim]:
        """Nothing: it is a memo."""
        return ()

    def findings(self, seen: Evidence) -> Iterator[Finding]:
        """One per model and seller."""
        groups: defaultdict[tuple[str, str], list[_Offer]] = defaultdict(list)
        for offer in _offers(seen):
            groups[offer.facts.call.priced_model, offer.seller].append(offer)
        for (model, seller), found in groups.items():
            saved = sum((offer.saved_usd for offer in found), Decimal(0))
            there = sum((offer.there_usd for offer in found), Decimal(0))
            yield Finding(
                tax=self.id,
                usd=saved,
                tokens=None,
                why=f"{many(len(found), 'call')} to {model} would have cost ${there:.4f} instead of "
                f"${there + saved:.4f} at {seller}, by its list price",
                basis="estimated",
                fix=MEND,
                spans=spans_of(offer.facts for offer in found),
                saves_usd=saved,
            )

    def memos(self, seen: Evidence) -> Mapping[str, Decimal | None]:
        """``provider_margin_usd``: what the cheapest sellers would have charged less."""
        if self.not_observable(seen) is not None:
            return {}
        return {"provider_margin_usd": sum((o.saved_usd for o in _offers(seen)), Decimal(0))}


def _offers(seen: Evidence) -> Iterator[_Offer]:
    for facts in seen.calls:
        if not isinstance(facts.bill, Bill) or facts.bill.rates is None or facts.bill.steps:
            continue
        paid = facts.layer.total if facts.layer is not None else facts.bill.cost.total
        best: _Offer | None = None
        for seller, rates in seen.prices.offers_elsewhere(facts.call).items():
            cost = price_usage(facts.call.usage, rates)
            if not isinstance(cost, CostByClass) or cost.total >= paid:
                continue
            if best is None or cost.total < best.there_usd:
                best = _Offer(facts, seller, cost.total, paid - cost.total)
        if best is not None:
            yield best
