"""Totals: usage, cache, context, models, agents and tools of the calls of one task."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from itertools import chain
from operator import methodcaller

from touchdown.accounting.account import (
    CacheTotals,
    CallMiss,
    ContextTotals,
    ModelTotals,
    ToolTotals,
    UsageTotals,
)
from touchdown.accounting.agreement import total_agreement
from touchdown.accounting.facts import CallFacts, Posting
from touchdown.accounting.fold import price_basis
from touchdown.accounting.kinds import tokens_by_kind
from touchdown.accounting.rents import total_carried
from touchdown.accounting.taxes.tax import Evidence
from touchdown.accounting.toolbook import Execution
from touchdown.records import Usage
from touchdown.records.verdict import worst

Postings = Mapping[str, Posting]


def total_usage(usages: Iterable[Usage]) -> UsageTotals:
    """Sums by class; a class that no call reported stays ``None``."""
    known = [part for usage in usages for part in (usage, *(s.usage for s in usage.steps))]
    lives = [usage.cache_write for usage in known if usage.cache_write is not None]
    written: dict[str, int] = {}
    for life, tokens in chain.from_iterable(map(_items, lives)):
        written[life] = written.get(life, 0) + tokens
    return UsageTotals(
        uncached_input=_sum([usage.uncached for usage in known]),
        cache_read=_sum([usage.cache_read for usage in known]),
        cache_write=dict(sorted(written.items())) if lives else None,
        output=_sum([usage.output for usage in known]),
        reasoning=_sum([usage.reasoning for usage in known]),
    )


_items = methodcaller("items")


def total_cache(calls: Sequence[CallFacts]) -> CacheTotals:
    """Tokens reusable, read and missed, every miss with its call, and what providers say."""
    found = [facts.diagnosis for facts in calls]
    return CacheTotals(
        reusable=sum(diagnosis.reusable or 0 for diagnosis in found),
        read=sum(diagnosis.read or 0 for diagnosis in found),
        missed=sum(diagnosis.missed or 0 for diagnosis in found),
        misses=tuple(
            CallMiss(facts.call.id, facts.call.span_id, miss)
            for facts in calls
            for miss in facts.misses
        ),
        agreement=total_agreement(calls),
    )


def total_context(calls: Sequence[CallFacts]) -> ContextTotals:
    """The largest context and its make-up; the first of equal ones."""
    peak = max(
        (facts for facts in calls if facts.shares is not None),
        key=lambda facts: facts.shares.total if facts.shares else 0,
        default=None,
    )
    if peak is None or peak.shares is None:
        return ContextTotals()
    return ContextTotals(peak.shares.total, dict(sorted(tokens_by_kind(peak).items())))


def total_models(calls: Sequence[CallFacts], postings: Postings) -> tuple[ModelTotals, ...]:
    """What each model of each provider was used for, dearest first."""
    groups: defaultdict[tuple[str, str], list[CallFacts]] = defaultdict(list)
    for facts in calls:
        groups[facts.call.provider, facts.model].append(facts)
    totals = [
        ModelTotals(
            provider=provider,
            model=model,
            calls=len(found),
            usage=total_usage(facts.call.usage for facts in found),
            total_usd=_money(postings[facts.call.id].total for facts in found),
            basis=worst(price_basis(facts) for facts in found if facts.layer is not None),
            complete=not any(facts.gaps for facts in found),
        )
        for (provider, model), found in groups.items()
    ]
    return tuple(sorted(totals, key=lambda t: (-(t.total_usd or 0), t.provider, t.model)))


def total_tools(seen: Evidence) -> tuple[ToolTotals, ...]:
    """Each tool by name: its calls, its results, and what reading and carrying them cost."""
    groups: defaultdict[str, list[Execution]] = defaultdict(list)
    for done in seen.executions:
        groups[done.name].append(done)
    paid = total_carried(seen.calls, seen.book.results)
    totals = [
        ToolTotals(
            name=name,
            calls=len(found),
            failed=sum(done.failed for done in found),
            output_chars=_sum(done.output_chars for done in found),
            output_tokens=_sum(_tokens(done) for done in found),
            first_read_usd=paid.first.get(name),
            rent_usd=paid.rent.get(name, Decimal(0) if name in paid.first else None),
        )
        for name, found in groups.items()
    ]
    return tuple(sorted(totals, key=lambda tool: (-tool.calls, tool.name)))


def _tokens(done: Execution) -> int | None:
    if done.result is None or done.result.tokens is None:
        return None
    start, end = done.result.tokens
    return end - start


def _sum(counts: Iterable[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def _money(amounts: Iterable[Decimal | None]) -> Decimal | None:
    known = [amount for amount in amounts if amount is not None]
    return sum(known, Decimal(0)) if known else None
