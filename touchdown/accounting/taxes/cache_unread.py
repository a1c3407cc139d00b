"""``cache_unread``: the premium of cache writes that nothing read before they died."""

from collections.abc import Iterator, Mapping
from decimal import Decimal

from msgspec import Struct

from touchdown.accounting.account import Finding
from touchdown.accounting.causes import FREE_CAUSES
from touchdown.accounting.facts import CacheWrite, CallFacts, WrittenPart
from touchdown.accounting.pricing import Bill
from touchdown.accounting.ranges import Range, without
from touchdown.accounting.taxes.missed import cache_is_hidden
from touchdown.accounting.taxes.tax import Claim, Evidence, Kind, many, spans_of

MEND = "ask for caching only where another call repeats the same beginning before it runs out"


class CacheUnread(Struct, frozen=True):
    """What writing to the cache cost above the uncached price, where the entry is certain to be dead.

    The last call of a conversation of two or more is exempt: that it was the last, nobody knew.
    """

    id: str = "cache_unread"
    question: str = "the premium of cache writes that nothing read before they died"
    kind: Kind = "account"
    needs: str = "client"
    causes: frozenset[str] = frozenset()

    def not_observable(self, seen: Evidence) -> str | None:
        """Where no provider reported cache figures."""
        return cache_is_hidden(seen)

    def claims(self, seen: Evidence) -> Iterator[Claim]:
        """The premium of the written tokens that were never read."""
        for facts, tokens in _dead(seen):
            yield Claim(self.id, facts.call.id, tokens=tokens, premium=True)

    def findings(self, seen: Evidence) -> Iterator[Finding]:
        """One for all such writes."""
        paid = {facts.call.id for facts, _ in seen.paid(self.id)}
        found = [(facts, tokens) for facts, tokens in _dead(seen) if facts.call.id in paid]
        if not found:
            return
        tokens = sum(end - start for _, ranges in found for start, end in ranges)
        usd = seen.usd(self.id)
        yield Finding(
            tax=self.id,
            usd=usd,
            tokens=tokens,
            why=f"{many(len(found), 'call')} wrote {tokens:,} tokens to the cache that no later call "
            "read before they ran out",
            basis="estimated",
            fix=MEND,
            spans=spans_of(facts for facts, _ in found),
            saves_usd=usd,
        )

    def memos(self, seen: Evidence) -> Mapping[str, Decimal | None]:
        """``pending_usd``: the premium of writes that may still be read, or whose end is not stated."""
        pending = _unread(seen, dead=False)
        usd = sum((_premium(facts, _ranges(parts)) for facts, parts in pending), Decimal(0))
        return {"pending_usd": usd} if usd else {}


def _dead(seen: Evidence) -> Iterator[tuple[CallFacts, tuple[Range, ...]]]:
    for facts, parts in _unread(seen, dead=True):
        tokens = _ranges(parts)
        if _premium(facts, tokens):
            yield facts, tokens


def _unread(seen: Evidence, *, dead: bool) -> Iterator[tuple[CallFacts, list[WrittenPart]]]:
    for facts in seen.calls:
        write = facts.write
        if write is None or facts.ends_conversation:
            continue
        until = seen.known_until_ns(facts.call)
        parts = [part for part in write.unread() if _is_dead(write, part, until) == dead]
        if parts:
            yield facts, parts


def _is_dead(write: CacheWrite, part: WrittenPart, until_ns: int) -> bool:
    died_ns = write.died_ns(part)
    return died_ns is not None and until_ns > died_ns


def _ranges(parts: list[WrittenPart]) -> tuple[Range, ...]:
    return tuple((part.start, part.end) for part in parts)


def _premium(facts: CallFacts, tokens: tuple[Range, ...]) -> Decimal:
    """By the table, what a miss has already taken left out."""
    if not isinstance(facts.bill, Bill):
        return Decimal(0)
    missed = [
        r for miss in facts.diagnosis.misses if miss.cause not in FREE_CAUSES for r in miss.ranges
    ]
    return facts.bill.premium(r for part in tokens for r in without(part, missed))
