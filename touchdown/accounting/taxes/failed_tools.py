"""``failed_tools``: tool calls that failed, and what their errors cost."""

from collections import Counter
from collections.abc import Iterator, Mapping
from decimal import Decimal

from msgspec import Struct

from touchdown.accounting.account import Finding
from touchdown.accounting.taxes.carried import claim_executions
from touchdown.accounting.taxes.tax import Claim, Evidence, Kind
from touchdown.accounting.toolbook import Execution

MEND = (
    "say in the tool's description what it needs, and let it answer with a short error that helps"
)


class FailedTools(Struct, frozen=True):
    """The output that asked for a failed tool call, and its result in every call carrying it."""

    id: str = "failed_tools"
    question: str = "tool calls that failed, and what their errors cost"
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
        """Requests first, then results call by call."""
        failed = [done for done in seen.executions if done.failed]
        yield from claim_executions(self.id, failed, seen)

    def findings(self, seen: Evidence) -> Iterator[Finding]:
        """One for all failed tool calls, the tools that fail most named."""
        failed = [done for done in seen.executions if done.failed]
        if not failed:
            return
        paid = seen.paid(self.id)
        usd = sum((posting.taxes[self.id] for _, posting in paid), Decimal(0))
        yield Finding(
            tax=self.id,
            usd=usd,
            tokens=None,
            why=_why(failed, len(paid)),
            basis="estimated",
            fix=MEND,
            spans=_spans(failed),
            saves_usd=usd,
        )

    def memos(self, seen: Evidence) -> Mapping[str, Decimal | None]:
        """None."""
        return {}


def _why(failed: list[Execution], calls: int) -> str:
    counted = Counter(done.name for done in failed)
    names = ", ".join(f"{name} {times}x" for name, times in counted.most_common(3))
    many = f"{len(failed)} tool calls failed" if len(failed) != 1 else "1 tool call failed"
    return f"{many} ({names}); {calls} model calls asked for them or carried their errors"


def _spans(failed: list[Execution]) -> tuple[str, ...]:
    return tuple(
        done.tool.span_id for done in failed if done.tool is not None and done.tool.span_id
    )
