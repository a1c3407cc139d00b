"""``unneeded_work``: the loop repeating a call or a tool with nothing changed in between."""

from collections import Counter
from collections.abc import Iterator, Mapping
from decimal import Decimal

from msgspec import Struct

from touchdown.accounting.account import Finding
from touchdown.accounting.taxes.carried import claim_executions
from touchdown.accounting.taxes.tax import Claim, Evidence, Kind, many

MEND = "let the loop look at what it has: hand back the earlier answer instead of asking again"

POLICY = "a tool not declared read_only is a write, polling and parallel samples are exempt"
"""Printed in every report."""


class UnneededWork(Struct, frozen=True):
    """Whole calls that repeat a request, and tool calls that repeat one whose result still stands there."""

    id: str = "unneeded_work"
    question: str = "the loop repeating a call or a tool with nothing changed in between"
    kind: Kind = "account"
    needs: str = "client"
    causes: frozenset[str] = frozenset()

    def not_observable(self, seen: Evidence) -> str | None:
        """Where neither contexts nor tool calls were seen."""
        if not seen.calls or seen.executions:
            return None
        if any(facts.context is not None for facts in seen.calls):
            return None
        return "neither contexts nor tool calls were seen"

    def claims(self, seen: Evidence) -> Iterator[Claim]:
        """Repeated calls whole; of repeated tool calls what asked for them, and their results."""
        for facts in seen.repeated_calls:
            yield Claim(self.id, facts.call.id, whole=True)
        yield from claim_executions(self.id, seen.repeated_tools, seen)

    def findings(self, seen: Evidence) -> Iterator[Finding]:
        """One for repeated calls and tools together."""
        calls, tools = seen.repeated_calls, seen.repeated_tools
        if not calls and not tools:
            return
        usd = seen.usd(self.id)
        parts = [f"{many(len(calls), 'model call')} repeated a request"] if calls else []
        if tools:
            counted = Counter(done.name for done in tools)
            named = ", ".join(f"{name} {times}x" for name, times in counted.most_common(3))
            parts.append(f"{many(len(tools), 'tool call')} repeated another ({named})")
        spans = [facts.call.span_id for facts in calls]
        spans += [done.tool.span_id for done in tools if done.tool is not None]
        yield Finding(
            tax=self.id,
            usd=usd,
            tokens=None,
            why=f"{' and '.join(parts)}; nothing had changed in between",
            basis="estimated" if tools else "derived",
            fix=MEND,
            spans=tuple(span for span in spans if span),
            saves_usd=usd,
        )

    def memos(self, seen: Evidence) -> Mapping[str, Decimal | None]:
        """None."""
        return {}
