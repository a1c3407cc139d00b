"""``retries``: attempts that failed and were sent again."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from decimal import Decimal

from msgspec import Struct

from touchdown.accounting.account import Finding
from touchdown.accounting.facts import CallFacts
from touchdown.accounting.taxes.queue import asked_to_wait
from touchdown.accounting.taxes.tax import Claim, Evidence, Kind, spans_of
from touchdown.records import Attempt

FAILED = frozenset({"error", "cancelled", "closed_early"})

MEND = "find why these calls fail; raise the time-out or lower the concurrency that provokes it"


class Retries(Struct, frozen=True):
    """The content of a call that failed and was followed by the same agent sending the same again."""

    id: str = "retries"
    question: str = "attempts that failed, and back-off"
    kind: Kind = "account"
    needs: str = "client"
    causes: frozenset[str] = frozenset()

    def not_observable(self, seen: Evidence) -> str | None:
        """Always observable."""
        return None

    def claims(self, seen: Evidence) -> Iterator[Claim]:
        """The whole content of each such call."""
        for facts in _sent_again(seen):
            yield Claim(self.id, facts.call.id, whole=True)

    def findings(self, seen: Evidence) -> Iterator[Finding]:
        """One for all failed attempts but those that a busy server asked to wait: they are ``queue``."""
        lost = {f.call.id: found for f in seen.calls if f.call.attempts and (found := _lost(f))}
        attempts = [attempt for found in lost.values() for attempt in found]
        claimed = _sent_again(seen)
        again = lost.keys() | {facts.call.id for facts in claimed}
        failed = [facts for facts in seen.calls if facts.call.id in again] if again else []
        if not failed:
            return
        paid = seen.paid(self.id)
        usd = sum((posting.taxes[self.id] for _, posting in paid), Decimal(0))
        backoff_s = sum(attempt.backoff_s for attempt in attempts)
        yield Finding(
            tax=self.id,
            usd=usd,
            tokens=sum(facts.call.usage.total_tokens or 0 for facts, _ in paid),
            why=_why(len(claimed), len(attempts), backoff_s),
            basis="derived",
            fix=MEND,
            seconds=backoff_s or None,
            spans=spans_of(failed),
            saves_usd=usd,
        )

    def memos(self, seen: Evidence) -> Mapping[str, Decimal | None]:
        """None."""
        return {}


def _lost(facts: CallFacts) -> list[Attempt]:
    return [attempt for attempt in facts.call.attempts if not asked_to_wait(attempt)]


def _sent_again(seen: Evidence) -> list[CallFacts]:
    found: list[CallFacts] = []
    if FAILED.isdisjoint({facts.call.status for facts in seen.calls}):
        return found
    waiting: defaultdict[tuple[object, ...], list[CallFacts]] = defaultdict(list)
    for facts in seen.calls:
        call = facts.call
        if facts.context is None or not facts.context.length:
            continue
        request = (call.agent_id, call.previous_response_id, facts.context.identity)
        earlier = waiting[request]
        if earlier and earlier[-1].call.ended_at_ns <= call.sent_at_ns:
            found += earlier
            earlier.clear()
        if call.status in FAILED:
            earlier.append(facts)
    return found


def _why(calls: int, attempts: int, backoff_s: float) -> str:
    parts = []
    if calls:
        parts.append(
            f"{calls} {'calls' if calls != 1 else 'call'} failed and the same was sent again"
        )
    if attempts:
        many = "attempts" if attempts != 1 else "attempt"
        parts.append(f"{attempts} {many} failed inside the SDK, which waited {backoff_s:.1f} s")
    return "; ".join(parts)
