"""``subagent_fanout``: parallel calls and sub-agents paying again for one shared context."""

from collections.abc import Iterator, Mapping
from decimal import Decimal

from msgspec import Struct

from touchdown.accounting.account import Finding
from touchdown.accounting.facts import CallFacts
from touchdown.accounting.ranges import Range
from touchdown.accounting.taxes.missed import as_finding, cache_is_hidden, describe, group_misses
from touchdown.accounting.taxes.tax import Claim, Evidence, Kind, spans_of

SMALLEST_SHARED_TOKENS = 1024
"""Shared messages of fewer tokens are no claim: the smallest prompt that most providers cache."""

REASONS = {"concurrent_write": "it was sent before the first answer to the same prefix began"}

MEND = "send one call first, and the others once its answer has begun"

SHARED_MEND = "hand a sub-agent what it needs instead of the whole conversation"


class SubagentFanout(Struct, frozen=True):
    """Misses of parallel calls, and the messages that a sub-agent's first call repeats."""

    id: str = "subagent_fanout"
    question: str = "parallel calls and sub-agents paying again for one shared context"
    kind: Kind = "account"
    needs: str = "client"
    causes: frozenset[str] = frozenset(REASONS)

    def not_observable(self, seen: Evidence) -> str | None:
        """Where no provider reported cache figures."""
        return cache_is_hidden(seen)

    def claims(self, seen: Evidence) -> Iterator[Claim]:
        """The shared messages of each sub-agent's first call, in that call only."""
        for facts in seen.calls:
            tokens = _shared_messages(facts, seen)
            if tokens is not None:
                yield Claim(self.id, facts.call.id, tokens=(tokens,))

    def findings(self, seen: Evidence) -> Iterator[Finding]:
        """One for parallel misses, one for repeated messages."""
        for group in group_misses(seen, self.id):
            yield as_finding(self.id, group, describe(group, REASONS), MEND, group.usd)
        claimed = [
            (facts, tokens)
            for facts in seen.calls
            if (tokens := _shared_messages(facts, seen)) is not None
        ]
        if claimed:
            yield _shared_finding(seen, claimed)

    def memos(self, seen: Evidence) -> Mapping[str, Decimal | None]:
        """None."""
        return {}


def _shared_messages(facts: CallFacts, seen: Evidence) -> Range | None:
    base, context, shares = facts.base, facts.context, facts.shares
    if base is None or context is None or shares is None:
        return None
    if base.call.agent_id == facts.call.agent_id or _goes_on(base, facts, seen):
        return None
    start, end = shares.end(context.level("messages")), shares.end(facts.common)
    return (start, end) if end - start >= SMALLEST_SHARED_TOKENS else None


def _goes_on(base: CallFacts, facts: CallFacts, seen: Evidence) -> bool:
    """Whether this is the next run of the agent that ran before: one conversation over several runs."""
    ended = seen.runs.get(base.call.agent_id)
    if ended is None or ended.started_at_ns + ended.duration_ns > facts.call.sent_at_ns:
        return False
    run = seen.runs.get(facts.call.agent_id)
    if run is not None and (run.name, run.parent_id) != (ended.name, ended.parent_id):
        return False
    return base.context is not None and facts.common == base.context.length


def _shared_finding(seen: Evidence, claimed: list[tuple[CallFacts, Range]]) -> Finding:
    paid = [seen.postings[facts.call.id].taxes.get("subagent_fanout") for facts, _ in claimed]
    missed = [
        miss.usd
        for facts, _ in claimed
        for miss in facts.misses
        if miss.tax == "subagent_fanout" and miss.usd is not None
    ]
    tokens = sum(end - start for _, (start, end) in claimed)
    usd = sum((amount for amount in paid if amount), Decimal(0)) - sum(missed, Decimal(0))
    many = f"{len(claimed)} sub-agents" if len(claimed) != 1 else "1 sub-agent"
    return Finding(
        tax="subagent_fanout",
        usd=usd,
        tokens=tokens,
        why=f"the first call of {many} repeated {tokens:,} tokens of messages that another had sent",
        basis="estimated",
        fix=SHARED_MEND,
        spans=spans_of(facts for facts, _ in claimed),
        saves_usd=usd,
    )
