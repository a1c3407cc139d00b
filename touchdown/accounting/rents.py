"""Rents: what tool results cost when they are first read, and what carrying them costs later."""

from collections.abc import Sequence
from decimal import Decimal

from msgspec import Struct, field

from touchdown.accounting.contexts import Context, Trunk
from touchdown.accounting.facts import CallFacts
from touchdown.accounting.places import Places
from touchdown.accounting.pricing import NOTHING, Bill
from touchdown.accounting.toolbook import Result, ToolBook
from touchdown.context.shares import Shares


class _Map(Struct):
    """The results of all tools in contexts that append to each other, and where they stand.

    How many segments were looked at is ``seen``.
    """

    trunk: Trunk
    ends: list[int]
    indices: dict[str, list[int]] = field(default_factory=dict)
    by_name: dict[str, Places] = field(default_factory=dict)
    seen: int = 0

    def along(self, ends: list[int]) -> "_Map":
        """The same results where the segments end elsewhere."""
        places = {name: Places.along(ends, indices) for name, indices in self.indices.items()}
        return _Map(self.trunk, ends, self.indices, places, self.seen)


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
            goes_on = known is not None and known.trunk is context.trunk
            if known is not None and goes_on and known.seen <= context.length:
                known = known.along(shares.ends)
            else:
                known = _Map(context.trunk, shares.ends)
            self._maps[agent] = known
        for index, result in book.standing(context, known.seen):
            if result.name not in known.by_name:
                known.by_name[result.name], known.indices[result.name] = Places(), []
            known.by_name[result.name].add(*shares.span(index))
            known.indices[result.name].append(index)
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
