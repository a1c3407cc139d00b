"""Carrying: tool results that grew old in the context, by a stated policy.

A result is dropped by editing the history, after which everything behind it is written to the cache
again. So a stale result is claimed only while carrying it has cost more than that would, decided at each
call from what was known then. Results that are not worth it yet wait in a heap for the moment at which
they may be: a call costs what is new in it, and what it claims.
"""

import heapq
from collections import OrderedDict, defaultdict, deque
from collections.abc import Sequence
from decimal import ROUND_DOWN, Decimal
from decimal import Context as DecimalContext
from operator import attrgetter

from msgspec import Struct, field

from touchdown.accounting.contexts import Context
from touchdown.accounting.facts import CallFacts
from touchdown.accounting.pricing import NOTHING, Bill
from touchdown.accounting.ranges import Range
from touchdown.accounting.toolbook import ToolBook

STALE_CALLS = 10
"""A result is stale when more than so many later calls have carried it.

Source: arXiv 2508.21433 (2025-08): masking observations older than 10 turns halved the cost of a coding
agent at an equal solve rate.
"""

AT_LEAST = DecimalContext(prec=12, rounding=ROUND_DOWN)
"""Divides to a few digits, never too much: it says when to look again, and no amount."""

MOST_CHAINS = 2
"""Lists of token positions followed per agent: its conversation, and a side call in between."""


class _Age(Struct):
    """Since when an agent carries a result: its first call, and the agent's rent when it became stale."""

    first_call: int
    rent_from: Decimal | None = None
    claimed: bool = False
    """Whether it ever was."""


class _Carried(Struct, eq=False):
    """One result along one list of token positions."""

    number: int
    start: int
    end: int
    age: _Age
    tokens: int


class _Chain(Struct):
    """The results along one list of token positions; ``waiting`` for their age, then for their price."""

    ends: Sequence[int]
    seen: int = 0
    write_rate: Decimal | None = None
    waiting: deque[_Carried] = field(default_factory=deque)
    heap: list[tuple[Decimal, int, _Carried]] = field(default_factory=list)
    due: list[_Carried] = field(default_factory=list)
    """Those that are looked at with the next call, whatever it charges."""
    claimed: list[_Carried] = field(default_factory=list)
    stale: tuple[tuple[int, Range], ...] = ()
    """Numbers and tokens of the claimed."""


class _Agent(Struct):
    """One agent's calls that carry results, and the sum of what each charged for a carried token."""

    calls: int = 0
    rent: Decimal = Decimal(0)
    ages: dict[int, _Age] = field(default_factory=dict)
    chains: OrderedDict[int, _Chain] = field(default_factory=OrderedDict)

    def chain(self, ends: Sequence[int]) -> _Chain:
        key = id(ends)
        known = self.chains.get(key)
        if known is None:
            known = self.chains[key] = _Chain(ends)
            if len(self.chains) > MOST_CHAINS:
                self.chains.popitem(last=False)
        elif len(self.chains) > 1:
            self.chains.move_to_end(key)
        return known


class Carrying:
    """Follows the tool results of each agent from call to call."""

    def __init__(self) -> None:
        self._agents: defaultdict[str, _Agent] = defaultdict(_Agent)

    def note(self, facts: CallFacts, book: ToolBook) -> None:
        """Find what this call carries that is stale, and dearer by now than dropping it would have been."""
        context, shares, bill = facts.context, facts.shares, facts.bill
        if context is None or shares is None or facts.is_hidden or not isinstance(bill, Bill):
            return
        if bill.rates is None or not context.has_results():
            return
        agent = self._agents[facts.call.agent_id]
        chain = agent.chain(shares.ends)
        agent.calls += 1
        if chain.seen < context.length:
            _take_in(agent, chain, context, book)
        before, agent.rent = agent.rent, agent.rent + _carry_rate(bill)
        if chain.waiting:
            _age(agent, chain, before)
        rate = _write_rate(facts, bill)
        if chain.write_rate != rate:
            # What was worked out at another rate may be due earlier now.
            chain.due += [found for _, _, found in chain.heap]
            chain.heap.clear()
            chain.write_rate = rate
        if chain.claimed or chain.due or (chain.heap and chain.heap[0][0] <= agent.rent):
            facts.rewriting_usd = _Rewrite(agent.rent, shares.total, rate).claim(chain)
            facts.stale = chain.stale


def _take_in(agent: _Agent, chain: _Chain, context: Context, book: ToolBook) -> None:
    fresh: list[_Carried] = []
    for index, result in book.standing(context, chain.seen):
        start, end = chain.ends[index - 1] if index else 0, chain.ends[index]
        if start == end:
            continue
        age = agent.ages.get(result.number)
        if age is None:
            age = agent.ages[result.number] = _Age(agent.calls)
        fresh.append(_Carried(result.number, start, end, age, end - start))
    if len(fresh) > 1:
        fresh.sort(key=lambda found: (found.age.first_call, found.start))
    chain.waiting.extend(fresh)
    chain.seen = context.length


def _age(agent: _Agent, chain: _Chain, rent_before: Decimal) -> None:
    """Results that are stale from this call on begin to count their rent."""
    while chain.waiting and agent.calls - chain.waiting[0].age.first_call > STALE_CALLS:
        found = chain.waiting.popleft()
        if found.age.rent_from is None:
            found.age.rent_from = rent_before
        chain.due.append(found)


class _Rewrite(Struct, frozen=True):
    """What dropping a result would cost at one call: everything behind it is written again."""

    rent: Decimal
    total: int
    rate: Decimal

    def claim(self, chain: _Chain) -> Decimal:
        """Move what pays by now among the claimed and back; what the dearest of the new ones would cost."""
        kept: list[_Carried] = []
        dearest = NOTHING
        for found in chain.claimed:
            if self._pays(found, chain) is not None:
                kept.append(found)
        new = len(kept)
        for found in self._due(chain):
            cost = self._pays(found, chain)
            if cost is None:
                continue
            kept.append(found)
            if not found.age.claimed:
                found.age.claimed = True
                dearest = max(dearest, cost)
        if new < len(kept) or new < len(chain.claimed):
            chain.claimed = kept
            chain.stale = tuple([(it.number, (it.start, it.end)) for it in kept])
        return dearest

    def _pays(self, found: _Carried, chain: _Chain) -> Decimal | None:
        """What dropping it would cost where carrying it has cost more; else it waits in the heap.

        It waits until the rent can have grown enough: what lies behind a result only grows.
        """
        since = found.age.rent_from or NOTHING
        cost = (self.total - found.end) * self.rate
        if found.tokens * (self.rent - since) > cost:
            return cost
        needed = since + AT_LEAST.divide(cost, found.tokens)
        heapq.heappush(chain.heap, (needed, found.start, found))
        return None

    def _due(self, chain: _Chain) -> list[_Carried]:
        """What may pay by now."""
        due, chain.due = chain.due, []
        if len(due) > 1:
            due.sort(key=_start)
        heap, rent = chain.heap, self.rent
        while heap and heap[0][0] <= rent:
            due.append(heapq.heappop(heap)[2])
        return due


_start = attrgetter("start")


def _carry_rate(bill: Bill) -> Decimal:
    """What carrying one token on costs at this call, its misses aside."""
    if bill.read_rate is not None:
        return bill.read_rate
    return (bill.rates.uncached if bill.rates else None) or Decimal(0)


def _write_rate(facts: CallFacts, bill: Bill) -> Decimal:
    """What writing one token to the cache again costs; 0 where there is no cache."""
    if bill.read_rate is None or bill.rates is None:
        return Decimal(0)
    written = bill.rates.cache_write.get(facts.life or "")
    return written if written is not None else bill.rates.uncached or Decimal(0)
