"""Kinds: the tokens of a call's context by what its segments hold."""

from collections.abc import Mapping

from touchdown.accounting.facts import CallFacts


def tokens_by_kind(facts: CallFacts) -> Mapping[str, int]:
    """The tokens of this call's input by the kind of its segments; empty where it was not reported.

    Those of a call that goes on from its base are counted from there: when calls are asked in the order of
    folding, each costs what is new in it.
    """
    if facts.by_kind is None:
        facts.by_kind = _count(facts)
    return facts.by_kind


def _count(facts: CallFacts) -> dict[str, int]:
    shares, context, base = facts.shares, facts.context, facts.base
    if shares is None:
        return {}
    if context is None or facts.is_hidden or context.length == 0:
        return {"opaque": shares.total} if shares.total else {}
    counted: dict[str, int] = {}
    start = 0
    if base is not None and base.by_kind is not None and _keeps_all_of(base, facts):
        # What the base had is kept once.
        counted, start, base.by_kind = dict(base.by_kind), facts.common, None
    new = context.segments(start)
    for segment, tokens in zip(new, shares.tokens(start, len(new)), strict=True):
        kind = segment.kind
        counted[kind] = counted.get(kind, 0) + tokens
    return counted


def _keeps_all_of(base: CallFacts, facts: CallFacts) -> bool:
    """Whether this call's context and its shares are those of its base and more behind them."""
    before, shares = base.shares, facts.shares
    return before is not None and shares is not None and before.ends is shares.ends
