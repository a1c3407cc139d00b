"""``cache_miss``: the prefix was there or could have been, and the shape of the context lost it."""

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
    "tools_changed": "a tool definition changed",
    "system_changed": "the system prompt changed",
    "parameters_changed": "a request parameter changed",
    "history_edited": "the history was edited",
    "model_changed": "the model changed within the conversation",
    "not_requested": "caching was not asked for",
    "lookback_exceeded": "the cache breakpoints stand too far apart",
}

MENDS = {
    "tools_changed": "keep the tool definitions and their order the same from call to call",
    "system_changed": "move what changes (time, state) from the system prompt to the end of the messages",
    "parameters_changed": "keep this parameter the same within one conversation",
    "history_edited": "append to the history; edit it seldom, and then many places at once",
    "model_changed": "stay on one model within a conversation, or hand over a short summary",
    "not_requested": "ask for caching, with a breakpoint at the end of what the next call repeats",
    "lookback_exceeded": "set a cache breakpoint at least every 20 blocks",
}


class CacheMiss(Struct, frozen=True):
    """The price layer of tokens lost to a change, a missing request or a breakpoint too far away."""

    id: str = "cache_miss"
    question: str = "prefix-cache miss from bad context shape"
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
        """One per cause and kind of segment."""
        for group in group_misses(seen, self.id):
            saves = _saves(group, seen)
            yield as_finding(self.id, group, describe(group, REASONS), MENDS[group.cause], saves)

    def memos(self, seen: Evidence) -> Mapping[str, Decimal | None]:
        """None."""
        return {}


def _saves(group: MissGroup, seen: Evidence) -> Decimal | None:
    """What was paid above the read rate, less what asking for caching would have cost in writes."""
    if group.usd is None or group.cause != "not_requested":
        return group.usd
    agents = {facts.call.agent_id for facts in group.calls}
    premium = sum(
        (_write_premium(facts) for facts in seen.calls if facts.call.agent_id in agents), Decimal(0)
    )
    return max(group.usd - premium, Decimal(0))


def _write_premium(facts: CallFacts) -> Decimal:
    """What writing this call's new tokens to the cache would have cost above the uncached rate."""
    bill, rule, usage = facts.bill, facts.rule, facts.call.usage
    if not isinstance(bill, Bill) or bill.rates is None or rule is None or not usage.uncached:
        return Decimal(0)
    write = bill.rates.cache_write.get(rule.default_life)
    if write is None or bill.rates.uncached is None or write <= bill.rates.uncached:
        return Decimal(0)
    fresh = max(usage.uncached - (facts.diagnosis.missed or 0), 0)
    return (write - bill.rates.uncached) * fresh
