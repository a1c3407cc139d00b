"""``tool_output``: tool output that inflates the context, by a stated policy."""

from collections import Counter
from collections.abc import Iterator, Mapping
from decimal import Decimal

from msgspec import Struct

from touchdown.accounting.account import Finding
from touchdown.accounting.carrying import STALE_CALLS
from touchdown.accounting.facts import CallFacts
from touchdown.accounting.places import Places
from touchdown.accounting.ranges import Range
from touchdown.accounting.taxes.carried import Standing
from touchdown.accounting.taxes.tax import Claim, Evidence, Kind, many, spans_of
from touchdown.accounting.toolbook import Result

MOST_CHARS = 30_000
"""Characters of one result above which it is oversized.

Source: Claude Code cuts the output of its Bash tool there by default (``BASH_MAX_OUTPUT_LENGTH``),
https://code.claude.com/docs/en/settings and https://github.com/anthropics/claude-code/issues/19901, 2026-01.
"""

POLICY = f"older than {STALE_CALLS} calls, or above {MOST_CHARS:,} characters"
"""Printed in every report."""

MEND = (
    "let tools answer shorter, and drop old results from the history once, many at a time; "
    "keep what the task still needs"
)


class ToolOutput(Struct, frozen=True):
    """Results carried for long, once that cost more than dropping them would have; what came too long."""

    id: str = "tool_output"
    question: str = "tool and terminal output inflating the context, by a stated policy"
    kind: Kind = "account"
    needs: str = "client"
    causes: frozenset[str] = frozenset()

    def not_observable(self, seen: Evidence) -> str | None:
        """Where no context was seen."""
        if not seen.calls or any(facts.context is not None for facts in seen.calls):
            return None
        return "no contexts were seen"

    def claims(self, seen: Evidence) -> Iterator[Claim]:
        """The stale and the oversized output that each call carries."""
        before = _claimed_before(seen)
        standing = Standing(_oversized(seen) - before, seen, _above_limit)
        for facts in seen.calls:
            places = _places(facts, standing, before) if facts.stale else standing.places(facts)
            if places is not None:
                yield Claim(self.id, facts.call.id, places=places)

    def findings(self, seen: Evidence) -> Iterator[Finding]:
        """One for all, the tools named whose results weigh most."""
        paid = [facts for facts, _ in seen.paid(self.id)]
        if not paid:
            return
        usd = seen.usd(self.id)
        rewriting = sum((facts.rewriting_usd for facts in seen.calls), Decimal(0))
        yield Finding(
            tax=self.id,
            usd=usd,
            tokens=None,
            why=_why(paid, seen),
            basis="estimated",
            fix=MEND,
            spans=spans_of(paid),
            saves_usd=max(usd - rewriting, Decimal(0)),
        )

    def memos(self, seen: Evidence) -> Mapping[str, Decimal | None]:
        """None."""
        return {}


def _claimed_before(seen: Evidence) -> set[int]:
    """Numbers of the results that failed or repeat another: they are claimed by those taxes."""
    done = [*(done for done in seen.executions if done.failed), *seen.repeated_tools]
    return {execution.result.number for execution in done if execution.result is not None}


def _oversized(seen: Evidence) -> set[int]:
    return {result.number for result in seen.book.results if result.segment.chars > MOST_CHARS}


def _places(facts: CallFacts, standing: Standing, before: set[int]) -> Places | None:
    """All of the stale results, and of the others what is oversized."""
    spans = dict(standing.spans(facts))
    spans |= {number: span for number, span in facts.stale if number not in before}
    total = facts.shares.total if facts.shares is not None else 0
    places = Places()
    for start, end in sorted(spans.values()):
        if end <= total:
            places.add(start, end)
    return places if places.starts else None


def _above_limit(start: int, end: int, result: Result) -> Range:
    chars = result.segment.chars
    return end - (end - start) * (chars - MOST_CHARS) // chars, end


def _why(paid: list[CallFacts], seen: Evidence) -> str:
    numbers = sorted(_oversized(seen) - _claimed_before(seen))
    long = [seen.book.results[number] for number in numbers]
    parts = []
    stale = sum(bool(facts.stale) for facts in paid)
    if stale:
        parts.append(
            f"{many(stale, 'call')} carried tool output{_named(_stale_tools(paid, seen))} that "
            f"was older than {STALE_CALLS} calls"
        )
    if long:
        named = _named(Counter(result.name for result in long))
        parts.append(f"{many(len(long), 'result')}{named} came above {MOST_CHARS:,} characters")
    return f"{'; '.join(parts)}; not shown to be unneeded"


def _named(weights: Counter[str]) -> str:
    names = [name for name, weight in weights.most_common(3) if weight]
    return f" ({', '.join(names)})" if names else ""


def _stale_tools(paid: list[CallFacts], seen: Evidence) -> Counter[str]:
    """The tools of the stale output, by their tokens in the call that carried most of it."""
    heaviest = max(paid, key=_stale_tokens)
    weights: Counter[str] = Counter()
    for number, (start, end) in heaviest.stale:
        weights[seen.book.results[number].name] += end - start
    return weights


def _stale_tokens(facts: CallFacts) -> int:
    return sum(end - start for _, (start, end) in facts.stale)
