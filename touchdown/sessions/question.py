"""What is asked of recorded sessions, and what one session answers."""

from collections.abc import Callable, Mapping
from datetime import tzinfo

from msgspec import Struct, field

from touchdown.accounting.account import Comparison, TaskAccount
from touchdown.accounting.statement import Detail
from touchdown.records import ModelCall
from touchdown.records.task import Outcome
from touchdown.sessions.cache_policy import DEFAULT_POLICY, CachePolicy
from touchdown.sessions.source import Problem
from touchdown.sessions.views import grouping

NOT_GROUPED = frozenset({"session", "turn", "project"})
"""Views whose rows are made of whole accounts."""


class Question(Struct, frozen=True):
    """One analysis. Units: nanoseconds since the epoch; ``until_ns`` is not part of the time asked for.

    ``models`` are parts of models' names, in any case.

    ``zone`` is ``None`` for the machine's own. ``details`` keeps what only a full report shows, ``alone``
    what the receipt of a single session shows beside its bill.
    """

    view: str = "session"
    zone: tzinfo | None = None
    since_ns: int | None = None
    until_ns: int | None = None
    models: tuple[str, ...] = ()
    outcomes: Mapping[str, Outcome] = field(default_factory=dict)
    details: bool = False
    alone: bool = False
    cache_policy: CachePolicy = DEFAULT_POLICY

    @property
    def is_filtered(self) -> bool:
        """Whether some calls may be left out."""
        return self.since_ns is not None or self.until_ns is not None or bool(self.models)

    @property
    def detail(self) -> Detail:
        """How much is made of the account of a session."""
        return "all" if self.details or self.alone else "bill"

    def wants(self, call: ModelCall) -> bool:
        """Whether a call is asked for."""
        if self.since_ns is not None and call.sent_at_ns < self.since_ns:
            return False
        if self.until_ns is not None and call.sent_at_ns >= self.until_ns:
            return False
        if not self.models:
            return True
        model = call.priced_model.casefold()
        return any(name.casefold() in model for name in self.models)

    def group(self) -> Callable[[ModelCall], str | None]:
        """The group of a call; ``None`` for one that is not asked for."""
        of = grouping(self.view, self.zone)
        return lambda call: of(call) if self.wants(call) else None


class Answer(Struct, frozen=True):
    """What one session answers. ``accounts`` holds the session's, or one of each turn."""

    session: str
    source: str
    path: str
    project: str
    accounts: tuple[TaskAccount, ...] = ()
    groups: Mapping[str, TaskAccount] = field(default_factory=dict)
    comparison: Comparison | None = None
    notes: tuple[str, ...] = ()
    judged_by: frozenset[str] = frozenset()
    """The names under which outcomes were given for it and its turns."""
    calls: frozenset[int] = frozenset()
    """Fingerprints of its model calls."""
    first_ns: int | None = None
    last_ns: int | None = None
    """When the first and the last of the calls that were asked for were sent."""


class Answered(Struct, frozen=True):
    """What one source answers. Units: ``size`` bytes that were read."""

    answers: tuple[Answer, ...]
    problems: tuple[Problem, ...]
    size: int = 0
