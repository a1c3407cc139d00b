"""Evictions that an engine's cache events tell of: when they were, and what the agent did meanwhile."""

from collections.abc import Iterable

from touchdown.accounting.facts import CallFacts
from touchdown.records import Segment
from touchdown.records.verdict import Basis

MOST_NAMES = 3


def seen_evicted(facts: CallFacts) -> int:
    """Tokens that this call computed again after they were seen to be evicted."""
    engine = facts.call.engine
    return (engine.evicted_tokens or 0) if engine is not None else 0


def eviction_basis(facts: CallFacts, least_tokens: int) -> Basis:
    """The engine's own where all that was missed was seen to go; behind a hole in a prefix more is lost."""
    engine = facts.call.engine
    if engine is None or seen_evicted(facts) < least_tokens:
        return "estimated"
    return engine.basis.get("evicted_tokens", "estimated")


def eviction_in_words(facts: CallFacts, base: CallFacts, new: Iterable[Segment]) -> str:
    """How many tokens, when, and during what; ``new``: what the call reads that its base did not have."""
    engine = facts.call.engine
    ago_ns = engine.evicted_ago_ns if engine is not None else None
    told = f"{seen_evicted(facts):,} tokens were seen to be evicted"
    if ago_ns is None:
        return told
    told += f", the last {ago_ns / 1e9:.1f} s before the call"
    between = facts.call.sent_at_ns - ago_ns >= base.call.ended_at_ns
    if base.call.agent_id != facts.call.agent_id or not between:
        return told
    names = dict.fromkeys(one.tool_name for one in new if one.kind == "tool_result")
    tools = [name for name in names if name]
    if not tools:
        return f"{told}, after the one before"
    more = f" and {len(tools) - MOST_NAMES} more" if len(tools) > MOST_NAMES else ""
    return f"{told}, while {', '.join(tools[:MOST_NAMES])}{more} ran"
