"""Taxes that have a name and a question, and no measure yet."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from touchdown.accounting.account import Finding
from touchdown.accounting.taxes.tax import Claim, Evidence, Kind

NOT_MEASURED = "not measured yet"


@dataclass(frozen=True, slots=True)
class Planned:
    """A tax that nothing measures yet; its causes are named and their money stays unexplained."""

    id: str
    question: str
    kind: Kind
    needs: str
    causes: frozenset[str] = frozenset()

    def not_observable(self, seen: Evidence) -> str | None:
        """Never observable."""
        return NOT_MEASURED

    def claims(self, seen: Evidence) -> Iterable[Claim]:
        """Nothing."""
        return ()

    def findings(self, seen: Evidence) -> Iterable[Finding]:
        """Nothing."""
        return ()

    def memos(self, seen: Evidence) -> Mapping[str, Decimal | None]:
        """None."""
        return {}
