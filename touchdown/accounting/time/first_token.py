"""The wait for a hosted model's first token, by how many tokens it computed: only where a line fits well."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from fractions import Fraction

from msgspec import Struct

from touchdown.accounting.facts import CallFacts
from touchdown.records import CallClock

POLICY = "2026-11-25: from 20 calls, fourfold spread, slope above 0"
NO_CLOCK = CallClock()
FEWEST_CALLS = 20
LEAST_SPREAD = 4
QUANTILE = Fraction(2_101, 1_000)
"""Of Student's distribution at 97.5 % for 18 degrees of freedom, those of 20 calls; more calls need less."""

Sample = tuple[int, int]
"""Tokens that were computed, nanoseconds until the first token."""


class Line(Struct, frozen=True):
    """A wait that grows with the tokens. Units: ``slope`` nanoseconds a token."""

    slope: Fraction

    def prefill_ns(self, tokens: int) -> int:
        """What computing these tokens takes."""
        return round(self.slope * tokens)


def fits_of(calls: Iterable[CallFacts]) -> dict[str, int]:
    """Call to the estimated prefill in nanoseconds, for calls of models whose waits a line fits.

    A call that an engine tells of needs no estimate and gives none.
    """
    samples: defaultdict[tuple[str, str], dict[str, Sample]] = defaultdict(dict)
    for facts in calls:
        sample = _sample(facts)
        if sample is not None:
            samples[facts.call.provider, facts.call.priced_model][facts.call.id] = sample
    found: dict[str, int] = {}
    for by_call in samples.values():
        line = fit(by_call)
        if line is not None:
            found |= {call: line.prefill_ns(tokens) for call, (tokens, _) in by_call.items()}
    return found


def fit(by_call: Mapping[str, Sample]) -> Line | None:
    """The line of least squares, exactly; ``None`` where it says nothing that holds."""
    tokens = [sample[0] for sample in by_call.values()]
    waits = [sample[1] for sample in by_call.values()]
    number = len(tokens)
    if number < FEWEST_CALLS or max(tokens) < LEAST_SPREAD * max(min(tokens), 1):
        return None
    xx = number * sum(x * x for x in tokens) - sum(tokens) ** 2
    xy = number * sum(x * y for x, y in zip(tokens, waits, strict=True)) - sum(tokens) * sum(waits)
    yy = number * sum(y * y for y in waits) - sum(waits) ** 2
    if xx <= 0 or xy <= 0:
        return None
    slope = Fraction(xy, xx)
    error_squared = (yy - slope * xy) / (xx * (number - 2))
    return Line(slope) if slope**2 > QUANTILE**2 * error_squared else None


def _sample(facts: CallFacts) -> Sample | None:
    call, usage = facts.call, facts.call.usage
    if call.engine is not None or call.first_chunk_ns is None or usage.uncached is None:
        return None
    clock = call.clock or NO_CLOCK
    if call.attempts and clock.last_sent_ns is None:
        return None
    began = (clock.last_sent_ns or 0) + (clock.pool_ns or 0)
    first = call.first_chunk_ns + (clock.before_content_ns or 0) - (clock.unread_ns or 0)
    wait = first - began
    return (usage.uncached + usage.written_tokens, wait) if wait > 0 else None
