"""``abandoned``: everything spent on a task whose outcome was useless."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from msgspec import Struct

from touchdown.accounting.account import Finding
from touchdown.accounting.taxes.tax import Claim, Evidence, Kind


class Abandoned(Struct, frozen=True):
    """The whole bill of a useless task, beside its split."""

    id: str = "abandoned"
    question: str = "everything spent on tasks whose outcome was useless"
    kind: Kind = "memo"
    needs: str = "outcome"
    causes: frozenset[str] = frozenset()

    def not_observable(self, seen: Evidence) -> str | None:
        """While nobody has said what the outcome is."""
        known = seen.task is not None and seen.task.outcome != "unknown"
        return None if known else "the outcome of the task is not known"

    def claims(self, seen: Evidence) -> Iterable[Claim]:
        """Nothing: it is a memo."""
        return ()

    def findings(self, seen: Evidence) -> Iterable[Finding]:
        """Nothing: what would have made the task useful is not in its bill."""
        return ()

    def memos(self, seen: Evidence) -> Mapping[str, Decimal | None]:
        """``spent_on_useless_usd`` of a useless task."""
        if seen.task is None or seen.task.outcome != "useless":
            return {}
        totals = (seen.postings[facts.call.id].total or Decimal(0) for facts in seen.calls)
        return {"spent_on_useless_usd": sum(totals, Decimal(0))}
