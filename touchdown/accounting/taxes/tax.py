"""What a tax is: one question, the causes and claims that answer it, and what to mend."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from touchdown.accounting.account import Finding
from touchdown.accounting.facts import CallFacts, Posting
from touchdown.accounting.places import Places
from touchdown.accounting.ranges import Range
from touchdown.accounting.toolbook import Execution, ToolBook

Kind = Literal["account", "account (time)", "memo"]
"""``account`` taxes partition the bill; ``memo`` ones stand beside it."""


@dataclass(frozen=True, slots=True)
class Claim:
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
    def is_on_input(self) -> bool:
        """Whether it takes input tokens."""
        return bool(self.tokens) or self.places is not None


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a tax looks at: model calls and tool executions, and, for findings, what was posted."""

    calls: Sequence[CallFacts]
    executions: Sequence[Execution]
    book: ToolBook
    postings: Mapping[str, Posting] = field(default_factory=dict)

    def paid(self, tax: str) -> list[tuple[CallFacts, Posting]]:
        """The calls that paid this tax."""
        found = [(facts, self.postings[facts.call.id]) for facts in self.calls]
        return [(facts, posting) for facts, posting in found if posting.taxes.get(tax)]


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
