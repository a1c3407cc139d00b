"""What the taxes of time have in common: they claim nothing of the bill; the time ledger measures them."""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal

from msgspec import Struct

from touchdown.accounting.account import Finding
from touchdown.accounting.taxes.tax import Claim, Evidence, Kind, spans_of
from touchdown.records import EngineTiming
from touchdown.records.verdict import Basis

NO_ENGINE = "no serving engine told of it"
NO_ENGINE_TOLD = EngineTiming()


class Timed(Struct, frozen=True):
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


class EngineTold(Timed, frozen=True):
    """A tax of seconds that only a serving engine can tell."""

    needs: str = "engine"

    told_by: str = ""
    """The field of :class:`EngineTiming` that tells it."""

    def not_observable(self, seen: Evidence) -> str | None:
        """Where no engine told of it."""
        return engine_is_silent(seen, self.told_by, NO_ENGINE)


class StretchedDecode(EngineTold, frozen=True):
    """A tax of seconds inside the decoding of a stream, with whose doing it was."""

    fix: str = ""

    def findings(self, seen: Evidence) -> Iterator[Finding]:
        """One for all calls that were stretched; it names the owner of the longest stretch."""
        if not seen.engines:
            return
        told = {facts.call.id: facts.call.engine or NO_ENGINE_TOLD for facts in seen.calls}
        lost = {name: getattr(engine, self.told_by) or 0 for name, engine in told.items()}
        found = [facts for facts in seen.calls if lost[facts.call.id]]
        if not found:
            return
        most = told[max(found, key=lambda facts: lost[facts.call.id]).call.id]
        bases = {told[facts.call.id].basis.get(self.told_by) for facts in found}
        basis: Basis = "estimated" if "estimated" in bases else "measured"
        yield Finding(
            tax=self.id,
            usd=None,
            tokens=None,
            why=f"decoding was stretched, mostly by: {most.evidence.get(self.told_by, most.engine)}",
            basis=basis,
            fix=self.fix,
            seconds=sum(lost.values()) / 1e9,
            spans=spans_of(found),
        )


def engine_is_silent(seen: Evidence, figure: str, otherwise: str) -> str | None:
    """``None`` where an engine tells this figure of any call; else its own reason, else ``otherwise``."""
    if any(getattr(engine, figure) is not None for engine in seen.engines):
        return None
    reasons = (engine.not_observable.get(figure) for engine in seen.engines)
    return next(filter(None, reasons), otherwise)
