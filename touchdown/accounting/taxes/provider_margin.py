"""``provider_margin``: the same model sold cheaper elsewhere."""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal

from msgspec import Struct

from touchdown.accounting.account import Finding
from touchdown.accounting.pricing import Bill
from touchdown.accounting.taxes.tax import Claim, Evidence, Kind
from touchdown.prices.cost import sum_exactly
from touchdown.prices.rates import Rates, Unpriced

MOST_COMPARED = 256
"""Pairs of offers and rates whose comparison is kept."""


class _Offer(Struct, frozen=True):
    """A call that another seller's list price is lower for. Units: US dollars."""

    seller: str
    there_usd: Decimal
    saved_usd: Decimal


class ProviderMargin(Struct, frozen=True):
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

    def findings(self, seen: Evidence) -> Iterable[Finding]:
        """Nothing: a list price elsewhere is no fault of the task."""
        return ()

    def memos(self, seen: Evidence) -> Mapping[str, Decimal | None]:
        """``provider_margin_usd``, and what those calls would have cost at each cheapest seller."""
        if self.not_observable(seen) is not None:
            return {}
        memo = {"provider_margin_usd": Decimal(0)}
        for offer in _offers(seen):
            there = f"cost_at_{offer.seller}_usd"
            memo["provider_margin_usd"] += offer.saved_usd
            memo[there] = memo.get(there, Decimal(0)) + offer.there_usd
        return dict(memo)


def _offers(seen: Evidence) -> Iterator[_Offer]:
    for facts in seen.calls:
        bill, layer = facts.bill, facts.layer
        if not isinstance(bill, Bill) or bill.rates is None or bill.steps:
            continue
        by_table = layer is None or not layer.reported
        paid = layer.total if layer is not None else bill.total
        best: _Offer | None = None
        offers = seen.prices.offers_elsewhere(facts.call)
        if by_table:
            offers = _compared.undercutting(offers, bill.rates)
        for seller, rates in offers.items():
            there = sum_exactly(facts.call.usage, rates)
            if isinstance(there, Unpriced) or there >= paid:
                continue
            if best is None or there < best.there_usd:
                best = _Offer(seller, there, paid - there)
        if best is not None:
            yield best


class _Compared:
    """Which offers have some class of token cheaper than what was paid: sellers of one model seldom do."""

    def __init__(self) -> None:
        self._known: dict[
            tuple[int, int], tuple[Mapping[str, Rates], Rates, Mapping[str, Rates]]
        ] = {}

    def undercutting(self, offers: Mapping[str, Rates], paid: Rates) -> Mapping[str, Rates]:
        """The offers at which a call may cost less."""
        key = id(offers), id(paid)
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= MOST_COMPARED:
                self._known.clear()
            # Both are held with the answer, so that their numbers stay theirs.
            found = {name: rates for name, rates in offers.items() if _undercuts(rates, paid)}
            known = self._known[key] = (offers, paid, found)
        return known[2]


_compared = _Compared()
"""For every ledger of the process: the price book gives all of them the same objects."""


def _undercuts(offered: Rates, paid: Rates) -> bool:
    pairs = [
        (offered.uncached, paid.uncached),
        (offered.output, paid.output),
        (offered.cache_read, paid.cache_read),
        *((rate, paid.cache_write.get(life)) for life, rate in offered.cache_write.items()),
        *((fee, paid.server_tools.get(tool)) for tool, fee in offered.server_tools.items()),
    ]
    return any(there < here for there, here in pairs if there is not None and here is not None)
