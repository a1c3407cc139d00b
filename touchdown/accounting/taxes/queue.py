"""``queue``: a server that asked to wait, or an engine's scheduler that let the call wait."""

from collections.abc import Iterator

from touchdown.accounting.account import Finding
from touchdown.accounting.facts import CallFacts
from touchdown.accounting.taxes.tax import Evidence, many, spans_of
from touchdown.accounting.taxes.timed import Timed, engine_is_silent
from touchdown.records import Attempt, ModelCall
from touchdown.records.verdict import Basis

BUSY = frozenset({429, 529})
"""HTTP statuses of a server that has no room now."""

UNSEEN = "no server asked to wait, and no engine told of its queue"

MEND = "send fewer calls at once, or ask the provider for a higher limit"


class Queue(Timed, frozen=True):
    """Attempts refused with a time to wait, and what an engine says that the call waited."""

    id: str = "queue"
    question: str = "scheduler queue delay"
    needs: str = "engine, or retry-after"

    def not_observable(self, seen: Evidence) -> str | None:
        """Where nobody told of a queue: a hosted model's first token may have waited in one unseen."""
        told = (facts.call for facts in seen.calls if _may_have_waited(facts.call))
        if any(_waited_s(call) is not None for call in told):
            return None
        return engine_is_silent(seen, "queue_ns", UNSEEN)

    def findings(self, seen: Evidence) -> Iterator[Finding]:
        """One for all calls that waited."""
        told = {f.call.id: _waited_s(f.call) for f in seen.calls if _may_have_waited(f.call)}
        waited = {name: seconds for name, seconds in told.items() if seconds}
        found = [facts for facts in seen.calls if facts.call.id in waited] if waited else []
        if not found:
            return
        refused = sum(asked_to_wait(a) for facts in found for a in facts.call.attempts)
        asked = many(refused, "attempt")
        yield Finding(
            tax=self.id,
            usd=None,
            tokens=None,
            why=f"the server asked to wait at {asked}" if refused else "the engine was busy",
            basis=_basis(found),
            fix=MEND,
            seconds=sum(waited.values()),
            spans=spans_of(found),
        )


def asked_to_wait(attempt: Attempt) -> bool:
    """Whether a server had no room and said for how long."""
    return attempt.status in BUSY and attempt.retry_after_s is not None


def _basis(found: list[CallFacts]) -> Basis:
    """As the engines have it; what a server asked for was measured here."""
    told = {f.call.engine.basis.get("queue_ns") for f in found if f.call.engine is not None}
    return "estimated" if "estimated" in told else "measured"


def _may_have_waited(call: ModelCall) -> bool:
    return bool(call.attempts) or call.engine is not None


def _waited_s(call: ModelCall) -> float | None:
    asked = [attempt for attempt in call.attempts if asked_to_wait(attempt)]
    engine = call.engine.queue_ns if call.engine is not None else None
    if not asked and engine is None:
        return None
    lost = sum(attempt.backoff_s + (attempt.lasted_s or 0.0) for attempt in asked)
    return lost + (engine or 0) / 1e9
