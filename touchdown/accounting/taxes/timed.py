"""What the taxes of time have in common: they claim nothing of the bill; the time ledger measures them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from touchdown.accounting.account import Finding
from touchdown.accounting.taxes.tax import Claim, Evidence, Kind

NO_ENGINE = "no serving engine told of it"


@dataclass(frozen=True, slots=True)
class Timed:
    """A tax of seconds; what is not seen of it makes it not observable."""

    id: str = ""
    question: str = ""
    kind: Kind = "account (time)"
    needs: str = "client"
    causes: frozenset[str] = frozenset()

    def not_observable(self, seen: Evidence) -> str | None:
        """Always observable, unless a tax of this kind says otherwise."""
        return None

    def claims(self, seen: Evidence) -> Iterable[Claim]:
        """Nothing: it takes seconds, not tokens."""
        return ()

    def findings(self, seen: Evidence) -> Iterable[Finding]:
        """Nothing."""
        return ()

    def memos(self, seen: Evidence) -> Mapping[str, Decimal | None]:
        """None."""
        return {}


@dataclass(frozen=True, slots=True)
class EngineTold(Timed):
    """A tax of seconds that only a serving engine can tell."""

    needs: str = "engine"

    told_by: str = ""
    """The field of :class:`EngineTiming` that tells it."""

    def not_observable(self, seen: Evidence) -> str | None:
        """Where no engine told of it."""
        return engine_is_silent(seen, self.told_by, NO_ENGINE)


def engine_is_silent(seen: Evidence, figure: str, otherwise: str) -> str | None:
    """``None`` where an engine tells this figure of any call; else its own reason, else ``otherwise``."""
    engines = [facts.call.engine for facts in seen.calls if facts.call.engine is not None]
    if any(getattr(engine, figure) is not None for engine in engines):
        return None
    reasons = (engine.not_observable.get(figure) for engine in engines)
    return next(filter(None, reasons), otherwise)
