"""Rents: what tool results cost when they are first read, and what carrying them costs later."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from touchdown.accounting.contexts import Context
from touchdown.accounting.facts import CallFacts
from touchdown.accounting.places import Places
from touchdown.accounting.pricing import NOTHING, Bill
from touchdown.accounting.toolbook import Result, ToolBook
from touchdown.context.shares import Shares


@dataclass(slots=True)
class _Map:
    """The places of all tools along one list of ends, and how many segments were looked at."""

    ends: list[int]
    by_name: dict[str, Places] = field(default_factory=dict)
    seen: int = 0


class Rents:
    """Follows tool results through contexts that append to each other."""

    def __init__(self) -> None:
        self._maps: dict[str, _Map] = {}

    def note(self, facts: CallFacts, book: ToolBook, new: Sequence[tuple[int, Result]]) -> None:
        """Work out the first reads and rents of this call."""
        context, shares = facts.context, facts.shares
        if context is None or shares is None or facts.is_hidden:
            return
        places = self._places(facts.call.agent_id, context, shares, book)
        if not isinstance(facts.bill, Bill) or facts.bill.rates is None:
            return
        first: dict[str, Decimal] = {}
        for index, result in new:
            paid = facts.bill.paid([shares.span(index)])
            first[result.name] = first.get(result.name, NOTHING) + paid
        facts.first_reads = first
        rents: dict[str, Decimal] = {}
        for name, found in places.items():
            carried = _carried(found, facts.bill)
            usd = carried - first[name] if name in first else carried
            if usd:
                rents[name] = usd
        facts.rents = rents

    def _places(
        self, agent: str, context: Context, shares: Shares, book: ToolBook
    ) -> dict[str, Places]:
        known = self._maps.get(agent)
        if known is None or known.ends is not shares.ends:
            known = self._maps[agent] = _Map(shares.ends)
        for index in context.results_from(known.seen):
            result = book.at(context, index)
            if result is not None:
                places = known.by_name.get(result.name)
                if places is None:
                    places = known.by_name[result.name] = Places()
                places.add(*shares.span(index))
        known.seen = max(known.seen, context.length)
        return known.by_name


def _carried(places: Places, bill: Bill) -> Decimal:
    """What a call paid for these tokens: its bands lie one behind the other from the first token on."""
    paid, before = NOTHING, 0
    for band in bill.bands:
        until = places.tokens_until(band.end)
        if until > before:
            paid += band.rate * (until - before)
            before = until
    return paid
