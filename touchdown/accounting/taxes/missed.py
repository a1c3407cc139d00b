"""What the taxes of the prefix cache have in common: their misses, grouped by cause, as findings."""

from collections import defaultdict
from collections.abc import Mapping
from decimal import Decimal

from msgspec import Struct

from touchdown.accounting.account import Finding
from touchdown.accounting.facts import CallFacts
from touchdown.accounting.taxes.tax import Evidence, spans_of
from touchdown.records import Miss
from touchdown.records.verdict import Basis

CACHE_UNREPORTED = "no call reported what it read from the prefix cache"


class MissGroup(Struct, frozen=True):
    """All misses of one cause, in the order of their calls; ``usd`` is ``None`` when none is priced."""

    cause: str
    usd: Decimal | None
    tokens: int
    calls: tuple[CallFacts, ...]
    first: Miss
    basis: Basis


def cache_is_hidden(seen: Evidence) -> str | None:
    """Why cache misses cannot be told for these calls; ``None`` when they can."""
    reason = None
    for facts in seen.calls:
        if facts.call.operation != "embeddings":
            if facts.call.usage.cache_read is not None:
                return None
            reason = CACHE_UNREPORTED
    return reason


def group_misses(seen: Evidence, tax: str) -> list[MissGroup]:
    """The misses of a tax by cause and by what kind of segment changed."""
    groups: defaultdict[tuple[str, str], list[tuple[CallFacts, Miss]]] = defaultdict(list)
    for facts in seen.calls:
        for miss in facts.misses:
            if miss.tax == tax:
                groups[miss.cause, miss.kind].append((facts, miss))
    return [_group(cause, found) for (cause, _), found in sorted(groups.items())]


def _group(cause: str, found: list[tuple[CallFacts, Miss]]) -> MissGroup:
    paid = [miss.usd for _, miss in found if miss.usd is not None]
    exact = all(miss.basis == "derived" for _, miss in found)
    return MissGroup(
        cause=cause,
        usd=sum(paid, Decimal(0)) if paid else None,
        tokens=sum(miss.tokens for _, miss in found),
        calls=tuple(facts for facts, _ in found),
        first=found[0][1],
        basis="derived" if exact else "estimated",
    )


def describe(group: MissGroup, reasons: Mapping[str, str]) -> str:
    """Why in one sentence, with figures and the place where it began."""
    calls = f"{len(group.calls)} calls" if len(group.calls) != 1 else "1 call"
    first = group.first
    where = f"segment {first.segment}, token {first.token:,}"
    reason = reasons.get(group.cause, group.cause.replace("_", " "))
    detail = f": {first.detail}" if first.detail else ""
    return f"{calls} paid for {group.tokens:,} tokens again because {reason}{detail} ({where})"


def as_finding(
    tax: str, group: MissGroup, why: str, mend: str, saves_usd: Decimal | None
) -> Finding:
    """A finding of these misses."""
    return Finding(
        tax=tax,
        usd=group.usd,
        tokens=group.tokens,
        why=why,
        basis=group.basis,
        fix=mend,
        spans=spans_of(group.calls),
        saves_usd=saves_usd,
    )
