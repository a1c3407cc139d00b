"""The bill of one task: every call's posting summed by account."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from decimal import Decimal

from touchdown.accounting.account import Money
from touchdown.accounting.facts import CallFacts, Posting
from touchdown.accounting.fold import price_basis
from touchdown.accounting.postings import reported_usd
from touchdown.accounting.pricing import Bill
from touchdown.accounting.taxes.registry import ACCOUNTS, TAXES
from touchdown.accounting.taxes.tax import Evidence
from touchdown.records.verdict import Basis, worst


def total_money(seen: Evidence) -> Money:
    """The bill, split once: work, taxes that can be told, and what is unexplained."""
    postings = [seen.postings[facts.call.id] for facts in seen.calls]
    told = [tax.id for tax in ACCOUNTS if tax.not_observable(seen) is None]
    taxes = dict.fromkeys(told, Decimal(0))
    taxes |= _by_name(posting.taxes for posting in postings)
    unexplained = _by_name(posting.unexplained for posting in postings)
    gaps = Counter(gap for facts in seen.calls for gap in facts.gaps)
    return Money(
        total_usd=sum((posting.total or Decimal(0) for posting in postings), Decimal(0)),
        work_usd=sum((posting.work for posting in postings), Decimal(0)),
        within_work=_by_name(posting.within_work for posting in postings),
        taxes=taxes,
        unexplained_usd=sum(unexplained.values(), Decimal(0)),
        complete=not gaps,
        incomplete_reasons=dict(sorted(gaps.items())),
        unexplained_reasons=unexplained,
        memo=_memos(seen),
        basis=_basis(seen, taxes),
        unpriced_calls=sum(facts.layer is None for facts in seen.calls),
        reported_usd=_reported(seen.calls),
    )


def _by_name(accounts: Iterable[Mapping[str, Decimal]]) -> dict[str, Decimal]:
    total: defaultdict[str, Decimal] = defaultdict(Decimal)
    for account in accounts:
        for name, usd in account.items():
            total[name] += usd
    return dict(sorted(total.items()))


def _reported(calls: Iterable[CallFacts]) -> Decimal | None:
    known = [usd for facts in calls if (usd := reported_usd(facts)) is not None]
    return sum(known, Decimal(0)) if known else None


def _memos(seen: Evidence) -> dict[str, Decimal | None]:
    memos = dict(_table(seen.calls))
    for tax in TAXES:
        memos |= tax.memos(seen)
    return memos


def _table(calls: Iterable[CallFacts]) -> dict[str, Decimal | None]:
    """What the table says of calls whose answer named a cost of its own."""
    found = [facts.bill for facts in calls if reported_usd(facts) is not None]
    if not found:
        return {}
    tables = [bill.total for bill in found if isinstance(bill, Bill)]
    return {"table_usd": sum(tables, Decimal(0)) if len(tables) == len(found) else None}


def _basis(seen: Evidence, taxes: Mapping[str, Decimal]) -> dict[str, Basis]:
    priced = [facts for facts in seen.calls if facts.layer is not None]
    total = worst(price_basis(facts) for facts in priced)
    basis: dict[str, Basis] = {"total": total}
    for tax, usd in taxes.items():
        basis[tax] = _tax_basis(tax, usd, priced, seen.postings)
    split = [basis[tax] for tax, usd in taxes.items() if usd]
    basis["work"] = worst([total, *split])
    return basis


def _tax_basis(
    tax: str, usd: Decimal, calls: Iterable[CallFacts], postings: Mapping[str, Posting]
) -> Basis:
    if not usd:
        return "derived"
    paid = [facts for facts in calls if postings[facts.call.id].taxes.get(tax)]
    prices = worst([price_basis(facts) for facts in paid])
    if tax == "retries":
        return prices
    misses = [miss for facts in paid for miss in facts.misses if miss.tax == tax]
    whole = sum((miss.usd or Decimal(0) for miss in misses), Decimal(0)) == usd
    return worst([prices, *(miss.basis for miss in misses)]) if whole else "estimated"
