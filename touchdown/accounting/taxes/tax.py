"""What a tax is: one question, the causes and claims that answer it, and what to mend."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Literal, Protocol

from msgspec import Struct, field

from touchdown.accounting.account import Finding
from touchdown.accounting.facts import CallFacts, Posting
from touchdown.accounting.places import Places
from touchdown.accounting.policies import NO_POLICIES, Policies
from touchdown.accounting.ranges import Range
from touchdown.accounting.toolbook import Execution, ToolBook
from touchdown.prices.rates import Prices
from touchdown.records import AgentRun, EngineTiming, ModelCall, TaskRecord

Kind = Literal["account", "account (time)", "memo"]
"""``account`` taxes partition the bill; ``memo`` ones stand beside it."""


class Claim(Struct, frozen=True):
    """What of one call's content a tax takes: the whole, some of its input, or one part of the rest."""

    tax: str
    call_id: str
    whole: bool = False
    tokens: tuple[Range, ...] = ()
    places: Places | None = None
    """Input tokens that many calls carry at the same positions; those of two claims never overlap."""
    premium: bool = False
    """Of the input only what writing it to the cache cost above the uncached rate."""
    request: int | None = None
    """A tool request of the answer, by its number."""
    step: int | None = None
    """A server-side step, by its number."""

    @property
    def scope(self) -> str:
        """``call`` or ``part``: how ``CLAIM_ORDER`` tells claims of one tax apart."""
        return "call" if self.whole else "part"

    @property
    def is_on_input(self) -> bool:
        """Whether it takes input tokens."""
        return bool(self.tokens) or self.places is not None


class Evidence(Struct, frozen=True):
    """What a tax looks at: model calls and tool executions, and, for findings, what was posted.

    Units: ``last_ns`` the latest moment that any record tells of; ``closed_ns`` when tasks closed, by id,
    a child task with its parent at the latest.
    """

    calls: Sequence[CallFacts]
    executions: Sequence[Execution]
    book: ToolBook
    prices: Prices
    repeated_calls: Sequence[CallFacts] = ()
    repeated_tools: Sequence[Execution] = ()
    policies: Policies = NO_POLICIES
    task: TaskRecord | None = None
    """The task whose account is asked for; ``None`` while claims are made."""
    last_ns: int = 0
    closed_ns: Mapping[str, int] = field(default_factory=dict)
    runs: Mapping[str, AgentRun] = field(default_factory=dict)
    """Agent runs by id; one that still runs is not among them."""
    whole_claims: Mapping[str, str] = field(default_factory=dict)
    """Call to the tax that takes the whole of it, the first in the order of claims."""
    postings: Mapping[str, Posting] = field(default_factory=dict)
    payers: Mapping[str, Sequence[tuple[CallFacts, Posting]]] = field(default_factory=dict)
    """By tax: the calls that paid it, once an account of these calls is asked for."""
    engines: Sequence[EngineTiming] = ()
    """What serving engines say of these calls."""

    def paid(self, tax: str) -> Sequence[tuple[CallFacts, Posting]]:
        """The calls that paid this tax."""
        return self.payers.get(tax, ())

    def usd(self, tax: str) -> Decimal:
        """What was paid of this tax."""
        return sum((posting.taxes[tax] for _, posting in self.paid(tax)), Decimal(0))

    def known_until_ns(self, call: ModelCall) -> int:
        """Up to when something may still be said of this call: nothing moves out of a closed task."""
        return self.closed_ns.get(call.task_id, self.last_ns)


def engines_of(calls: Iterable[CallFacts]) -> list[EngineTiming]:
    """What serving engines say of these calls."""
    return [facts.call.engine for facts in calls if facts.call.engine is not None]


class Tax(Protocol):
    """One tax. Its file is the only place that knows it, beside its line in the registry."""

    @property
    def id(self) -> str:
        """Its stable name."""
        ...

    @property
    def question(self) -> str:
        """The question that it answers."""
        ...

    @property
    def kind(self) -> Kind:
        """Whether it is part of the bill."""
        ...

    @property
    def needs(self) -> str:
        """What must be seen for it."""
        ...

    @property
    def causes(self) -> frozenset[str]:
        """Causes of cache misses whose price layer it takes."""
        ...

    def not_observable(self, seen: Evidence) -> str | None:
        """Why it cannot be told for these calls; ``None`` when it can."""
        ...

    def claims(self, seen: Evidence) -> Iterable[Claim]:
        """What it takes of the calls' content."""
        ...

    def findings(self, seen: Evidence) -> Iterable[Finding]:
        """Where it was paid, why, and what would mend it."""
        ...

    def memos(self, seen: Evidence) -> Mapping[str, Decimal | None]:
        """Figures beside the bill, by name; they overlap its accounts and are never summed."""
        ...


def spans_of(calls: Iterable[CallFacts]) -> tuple[str, ...]:
    """The spans of these calls, where they have one."""
    return tuple(facts.call.span_id for facts in calls if facts.call.span_id)


def many(number: int, noun: str) -> str:
    """A number and its noun: ``1 call``, ``1,200 calls``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
