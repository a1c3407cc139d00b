"""Rents: what tool results cost when they are first read, and what carrying them costs later."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from decimal import Decimal

from msgspec import Struct, field

from touchdown.accounting.contexts import Context, Trunk
from touchdown.accounting.facts import CallFacts
from touchdown.accounting.places import Places
from touchdown.accounting.pricing import NOTHING, Band, Bill
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

    def take_in(self, context: Context, shares: Shares, book: ToolBook) -> None:
        """Note the results that this context has behind those that were looked at."""
        for index, result in book.standing(context, self.seen):
            name = result.name
            if name not in self.by_name:
                self.by_name[name], self.indices[name] = Places(), []
            self.by_name[name].add(*shares.span(index))
            self.indices[name].append(index)
        self.seen = context.length


class Rents:
    """Follows tool results through contexts that append to each other."""

    def __init__(self) -> None:
        self._maps: dict[str, _Map] = {}

    def note(self, facts: CallFacts, book: ToolBook) -> None:
        """Note where the results of each tool stand in this call: what comes later stands behind it."""
        context, shares, bill = facts.context, facts.shares, facts.bill
        if context is None or shares is None or facts.is_hidden or not context.has_results():
            return
        known = self._maps.get(facts.call.agent_id)
        if known is None or known.ends is not shares.ends:
            goes_on = known is not None and known.trunk is context.trunk
            if known is not None and goes_on and known.seen <= context.length:
                known = known.along(shares.ends)
            else:
                known = _Map(context.trunk, shares.ends)
            self._maps[facts.call.agent_id] = known
        if known.seen < context.length:
            known.take_in(context, shares, book)
        if isinstance(bill, Bill) and bill.rates is not None:
            facts.standing = known.by_name


class Carried(Struct):
    """What the results of tools cost, by tool: when they were first read, and when they were carried."""

    first: dict[str, Decimal] = field(default_factory=dict)
    rent: dict[str, Decimal] = field(default_factory=dict)


def total_carried(calls: Iterable[CallFacts], results: Iterable[Result]) -> Carried:
    """What these calls paid for results; a tool is named where it was."""
    found: defaultdict[str, list[Result]] = defaultdict(list)
    for result in results:
        found[result.facts.call.id].append(result)
    total = Carried()
    for facts in calls:
        if facts.standing is not None and isinstance(facts.bill, Bill):
            _add(total, facts.bill, facts.standing, found.get(facts.call.id, ()))
    return total


def _add(total: Carried, bill: Bill, standing: Mapping[str, Places], new: Iterable[Result]) -> None:
    bands = bill.bands
    first: dict[str, Decimal] = {}
    for result in new:
        if result.tokens is not None:
            place = Places()
            place.add(*result.tokens)
            first[result.name] = first.get(result.name, NOTHING) + _paid(place, bands)
    for name, usd in first.items():
        total.first[name] = total.first.get(name, NOTHING) + usd
    for name, places in standing.items():
        carried = _paid(places, bands)
        usd = carried - first[name] if name in first else carried
        if usd:
            total.rent[name] = total.rent.get(name, NOTHING) + usd


def _paid(places: Places, bands: Iterable[Band]) -> Decimal:
    """What a call paid for these tokens: its bands lie one behind the other from the first token on."""
    paid, before = NOTHING, 0
    for band in bands:
        until = places.tokens_until(band.end)
        if until > before:
            paid += band.rate * (until - before)
            before = until
    return paid
