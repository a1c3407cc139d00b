"""``cache_expired``: the entry died while the agent was elsewhere."""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal

from msgspec import Struct

from touchdown.accounting.account import Finding
from touchdown.accounting.facts import CallFacts
from touchdown.accounting.pricing import Bill
from touchdown.accounting.taxes.missed import (
    MissGroup,
    as_finding,
    cache_is_hidden,
    describe,
    group_misses,
)
from touchdown.accounting.taxes.tax import Claim, Evidence, Kind

REASONS = {
    "expired": "the cache entry ran out between two calls",
    "eviction_seen": "the engine needed the room of the cache for others",
}

MENDS = {
    "expired": "ask for a longer cache life where pauses are long, or call again before the entry runs out",
    "eviction_seen": "give the cache of the engine more room, or a slower tier below it",
}


class CacheExpired(Struct, frozen=True):
    """The price layer of tokens whose entry outlived its stated life, or was seen to be evicted."""

    id: str = "cache_expired"
    question: str = "the cache entry died while the agent was elsewhere"
    kind: Kind = "account"
    needs: str = "client"
    causes: frozenset[str] = frozenset(REASONS)

    def not_observable(self, seen: Evidence) -> str | None:
        """Where no provider reported cache figures."""
        return cache_is_hidden(seen)

    def claims(self, seen: Evidence) -> Iterable[Claim]:
        """Nothing of the content."""
        return ()

    def findings(self, seen: Evidence) -> Iterator[Finding]:
        """One for all entries that ran out, one for those that were evicted."""
        for group in group_misses(seen, self.id):
            saves = _saves(group, seen) if group.cause == "expired" else None
            why = describe(group, REASONS)
            yield as_finding(self.id, group, why, MENDS[group.cause], saves)

    def memos(self, seen: Evidence) -> Mapping[str, Decimal | None]:
        """None."""
        return {}


def _saves(group: MissGroup, seen: Evidence) -> Decimal | None:
    """What was paid again, less the dearer writes that a one-hour life would have cost."""
    if group.usd is None:
        return None
    agents = {facts.call.agent_id for facts in group.calls}
    dearer = [_dearer_writes(facts) for facts in seen.calls if facts.call.agent_id in agents]
    if None in dearer:
        return None
    return max(group.usd - sum((usd for usd in dearer if usd), Decimal(0)), Decimal(0))


def _dearer_writes(facts: CallFacts) -> Decimal | None:
    written = (facts.call.usage.cache_write or {}).get("5m", 0)
    if not written:
        return Decimal(0)
    if not isinstance(facts.bill, Bill) or facts.bill.rates is None:
        return None
    short = facts.bill.rates.cache_write.get("5m")
    long = facts.bill.rates.cache_write.get("1h")
    if short is None or long is None:
        return None
    lost = sum(miss.tokens for miss in facts.misses if miss.cause == "expired")
    return (long - short) * max(written - lost, 0)
