"""Sums of accounts: several bills as one, exact whatever decimal context the host has set."""

from collections import Counter
from collections.abc import Iterable, Mapping
from decimal import Context, Decimal, localcontext
from typing import TypeVar

from msgspec.structs import replace

from touchdown.accounting.account import (
    CacheTotals,
    ModelTotals,
    Money,
    TaskAccount,
    UsageTotals,
)
from touchdown.accounting.agreement import add_agreements
from touchdown.records.verdict import Basis, worst

EXACT = Context(prec=120)

K = TypeVar("K")


def add_money(bills: Iterable[Money]) -> Money:
    """Several bills as one. A basis is kept only where some part of the sum is an estimate.

    What a host reported is left out: it compares with one task only.
    """
    given = list(bills)
    nothing = Decimal(0)
    gaps: Counter[str] = Counter()
    for bill in given:
        gaps.update(bill.incomplete_reasons)
    with localcontext(EXACT):
        return Money(
            total_usd=sum((bill.total_usd for bill in given), nothing),
            work_usd=sum((bill.work_usd for bill in given), nothing),
            within_work=_added(bill.within_work for bill in given),
            taxes=_added(bill.taxes for bill in given),
            unexplained_usd=sum((bill.unexplained_usd for bill in given), nothing),
            complete=all(bill.complete for bill in given),
            incomplete_reasons=dict(sorted(gaps.items())),
            unexplained_reasons=_added(bill.unexplained_reasons for bill in given),
            basis=_estimated(given),
            unpriced_calls=sum(bill.unpriced_calls for bill in given),
        )


def add_usage(parts: Iterable[UsageTotals]) -> UsageTotals:
    """Sums by class; a class that no part reported stays ``None``."""
    given = list(parts)
    written = [part.cache_write for part in given if part.cache_write is not None]
    lives: Counter[str] = Counter()
    for part in written:
        lives.update(part)
    return UsageTotals(
        uncached_input=_sum(part.uncached_input for part in given),
        cache_read=_sum(part.cache_read for part in given),
        cache_write=dict(sorted(lives.items())) if written else None,
        output=_sum(part.output for part in given),
        reasoning=_sum(part.reasoning for part in given),
    )


def add_models(parts: Iterable[ModelTotals]) -> tuple[ModelTotals, ...]:
    """What each model of each provider was used for, dearest first."""
    groups: dict[tuple[str, str], list[ModelTotals]] = {}
    for part in parts:
        groups.setdefault((part.provider, part.model), []).append(part)
    with localcontext(EXACT):
        totals = [
            ModelTotals(
                provider=provider,
                model=model,
                calls=sum(part.calls for part in found),
                usage=add_usage(part.usage for part in found),
                total_usd=_usd(part.total_usd for part in found),
                basis=worst(part.basis for part in found),
                complete=all(part.complete for part in found),
            )
            for (provider, model), found in groups.items()
        ]
    return tuple(sorted(totals, key=lambda t: (-(t.total_usd or 0), t.provider, t.model)))


def add_accounts(first: TaskAccount, second: TaskAccount) -> TaskAccount:
    """Two accounts as one under the first one's task: money, usage, cache and models, without details."""
    return replace(
        first,
        wall_s=None,
        model_calls=first.model_calls + second.model_calls,
        tool_calls=first.tool_calls + second.tool_calls,
        agents=first.agents + second.agents,
        failed_calls=first.failed_calls + second.failed_calls,
        refused_calls=first.refused_calls + second.refused_calls,
        attempts_retried=first.attempts_retried + second.attempts_retried,
        retry_backoff_s=first.retry_backoff_s + second.retry_backoff_s,
        usage=add_usage([first.usage, second.usage]),
        money=add_money([first.money, second.money]),
        cache=CacheTotals(
            reusable=first.cache.reusable + second.cache.reusable,
            read=first.cache.read + second.cache.read,
            missed=first.cache.missed + second.cache.missed,
            agreement=add_agreements([first.cache.agreement, second.cache.agreement]),
        ),
        models=add_models([*first.models, *second.models]),
    )


def _added(accounts: Iterable[Mapping[K, Decimal]]) -> dict[K, Decimal]:
    total: dict[K, Decimal] = {}
    for account in accounts:
        for name, usd in account.items():
            total[name] = total.get(name, Decimal(0)) + usd
    return total


def _estimated(bills: Iterable[Money]) -> dict[str, Basis]:
    return {
        account: basis
        for bill in bills
        for account, basis in bill.basis.items()
        if basis == "estimated"
    }


def _sum(counts: Iterable[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def _usd(amounts: Iterable[Decimal | None]) -> Decimal | None:
    known = [amount for amount in amounts if amount is not None]
    return sum(known, Decimal(0)) if known else None
