"""``compaction``: summarising a history, and rebuilding the cache behind it."""

from collections.abc import Iterator, Mapping
from decimal import Decimal

from msgspec import Struct

from touchdown.accounting.account import Finding
from touchdown.accounting.facts import CallFacts
from touchdown.accounting.pricing import Bill
from touchdown.accounting.taxes.tax import Claim, Evidence, Kind, many, spans_of

MEND = "compact later and keep more behind it: this summary was used too little to pay for itself"

PAYS = "nothing to mend: the calls that followed saved more than it cost"

POLICY = "the summary's making and first reading, and the tail behind it"
"""What counts as the cost of a compaction; printed in every report."""


class CompactionTax(Struct, frozen=True):
    """The call that wrote a summary, the summary's first reading, and the kept tail paid again."""

    id: str = "compaction"
    question: str = "summarising, and rebuilding the cache after it"
    kind: Kind = "account"
    needs: str = "client"
    causes: frozenset[str] = frozenset({"compacted"})

    def not_observable(self, seen: Evidence) -> str | None:
        """Where no context was seen."""
        if not seen.calls or any(facts.context is not None for facts in seen.calls):
            return None
        return "no contexts were seen"

    def claims(self, seen: Evidence) -> Iterator[Claim]:
        """Whole calls that wrote a summary, steps on the server that did, and first readings."""
        compacted = [facts for facts in seen.calls if facts.compaction is not None]
        calls = {facts.call.id: facts for facts in seen.calls} if compacted else {}
        for facts in seen.calls:
            call = facts.call
            if call.output.summary_chars and call.output.is_summary:
                yield Claim(self.id, call.id, whole=True)
            for number, step in enumerate(call.usage.steps):
                if step.kind == "compaction" and isinstance(facts.bill, Bill):
                    yield Claim(self.id, facts.call.id, step=number)
            if facts.compaction is None:
                continue
            if facts.compaction.summary:
                yield Claim(self.id, facts.call.id, tokens=facts.compaction.summary)
            source = calls.get(facts.compaction.source)
            if source is not None and facts.call.sent_at_ns <= seen.known_until_ns(source.call):
                yield Claim(self.id, source.call.id, whole=True)

    def findings(self, seen: Evidence) -> Iterator[Finding]:
        """One for all compactions: what they cost, what they kept out of later calls, and the net."""
        found = _compactions(seen)
        paid = seen.paid(self.id)
        if not found and not paid:
            return
        usd, saved = seen.usd(self.id), _saved(seen)
        removed = sum(facts.compaction.removed for facts in found if facts.compaction)
        later = sum(facts.removed > 0 for facts in seen.calls)
        net = saved - usd
        yield Finding(
            tax=self.id,
            usd=usd,
            tokens=removed or None,
            why=f"{many(len(found) or len(paid), 'compaction')} kept {removed:,} tokens out of the "
            f"context of {many(later, 'call')}, which saved about ${saved:.4f}, "
            f"${abs(net):.4f} {'more' if net >= 0 else 'less'} than it cost",
            basis="estimated",
            fix=PAYS if net >= 0 else MEND,
            spans=spans_of(facts for facts, _ in paid),
            saves_usd=max(-net, Decimal(0)),
        )

    def memos(self, seen: Evidence) -> Mapping[str, Decimal | None]:
        """What compactions saved, and that less what they cost."""
        if not _compactions(seen):
            return {}
        saved = _saved(seen)
        return {
            "compaction_saved_usd": saved,
            "compaction_net_usd": saved - seen.usd(self.id),
        }


def _compactions(seen: Evidence) -> list[CallFacts]:
    """The calls that read a summary first; one that only reads on what a provider wrote is none."""
    return [f for f in seen.calls if f.compaction is not None and f.compaction.summary]


def _saved(seen: Evidence) -> Decimal:
    """The removed tokens at the read price of every call that went on without them."""
    return sum((_saved_at(facts) for facts in seen.calls if facts.removed), Decimal(0))


def _saved_at(facts: CallFacts) -> Decimal:
    if not isinstance(facts.bill, Bill) or facts.bill.rates is None:
        return Decimal(0)
    rate = facts.bill.read_rate
    if rate is None:
        rate = facts.bill.rates.uncached
    return facts.removed * (rate or Decimal(0))
