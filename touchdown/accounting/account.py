"""The account of one task: what the ledger says, as frozen facts for reports and programs."""

from collections.abc import Mapping
from decimal import Decimal

from msgspec import Struct, field

from touchdown.accounting.time.account import TimeAccount
from touchdown.accounting.time.load import HostLoad
from touchdown.accounting.time.pool import PoolBill
from touchdown.records import Miss, TaskRecord
from touchdown.records.verdict import Basis


class Money(Struct, frozen=True):
    """The bill, split once: ``work_usd`` + all ``taxes`` + ``unexplained_usd`` is ``total_usd`` exactly.

    Units: US dollars. ``complete`` is false when something that may have cost money is not in the total.
    """

    total_usd: Decimal = Decimal(0)
    work_usd: Decimal = Decimal(0)
    within_work: Mapping[str, Decimal] = field(default_factory=dict)
    """Parts of ``work_usd`` with an account of their own: ``server_tools``, ``prewarm``."""
    taxes: Mapping[str, Decimal] = field(default_factory=dict)
    unexplained_usd: Decimal = Decimal(0)
    complete: bool = True
    incomplete_reasons: Mapping[str, int] = field(default_factory=dict)
    """Reason to number of calls, for everything that makes ``complete`` false; 0 where it names them."""
    unexplained_reasons: Mapping[str, Decimal] = field(default_factory=dict)
    memo: Mapping[str, Decimal | None] = field(default_factory=dict)
    basis: Mapping[str, Basis] = field(default_factory=dict)
    unpriced_calls: int = 0
    reported_usd: Decimal | None = None


class UsageTotals(Struct, frozen=True):
    """Sums of usage over calls; a class is ``None`` when no call reported it. Units: tokens."""

    uncached_input: int | None = None
    cache_read: int | None = None
    cache_write: Mapping[str, int] | None = None
    output: int | None = None
    reasoning: int | None = None


class CallMiss(Struct, frozen=True):
    """One cache miss and the call that paid for it."""

    call_id: str
    span_id: str
    miss: Miss


class CauseAgreement(Struct, frozen=True):
    """Calls with one cause, by who named it; the provider's are put into our words."""

    agree: int = 0
    differ: int = 0
    provider_only: int = 0
    ours_only: int = 0


class Agreement(Struct, frozen=True):
    """How a provider's verdicts on the cache compare with ours. Counts are calls."""

    asked: int = 0
    unchanged: int = 0
    """Calls at which both say that nothing had changed."""
    causes: Mapping[str, CauseAgreement] = field(default_factory=dict)
    undecided: Mapping[str, int] = field(default_factory=dict)
    """Reason to calls of which the provider could say nothing that can be compared."""


class CacheTotals(Struct, frozen=True):
    """Tokens that could have been read from the prefix cache, that were, and that were missed."""

    reusable: int = 0
    read: int = 0
    missed: int = 0
    misses: tuple[CallMiss, ...] = ()
    agreement: Agreement | None = None
    """Where a provider was asked for its own verdicts (``cache_diagnostics``)."""


class ContextTotals(Struct, frozen=True):
    """The largest context of the task in tokens and its make-up by segment kind; ``None`` when unknown."""

    peak_tokens: int | None = None
    by_kind: Mapping[str, int] = field(default_factory=dict)


class ModelTotals(Struct, frozen=True):
    """What one model of one provider was used for."""

    provider: str
    model: str
    calls: int
    usage: UsageTotals
    total_usd: Decimal | None
    basis: Basis = "derived"
    complete: bool = True
    """Whether ``total_usd`` holds all that its calls cost."""


class AgentTotals(Struct, frozen=True):
    """One agent run: its own cost and the cost with its children, and what went down to it and back.

    Units: tokens, and ``result_chars`` characters. ``None``: not known.
    """

    id: str
    parent_id: str
    name: str
    own_usd: Decimal
    total_usd: Decimal
    model_calls: int = 0
    sub_agents: int = 0
    """Agents that it started itself."""
    depth: int = 1
    """1 for an agent that the task's first one started, one more for each agent between."""
    given_tokens: int | None = None
    """Its first context."""
    copied_tokens: int | None = None
    """Of these, in messages that another agent had sent before (estimated)."""
    result_chars: int | None = None
    """What it handed back."""

    @property
    def children_usd(self) -> Decimal:
        """The cost of the agents below it."""
        return self.total_usd - self.own_usd


class ToolTotals(Struct, frozen=True):
    """One tool by name.

    Units: ``output_chars`` characters; ``output_tokens`` the share of the input its results took when
    first read (estimated); ``first_read_usd`` what that reading cost, ``rent_usd`` what carrying the
    results in later calls cost. ``None``: not known.
    """

    name: str
    calls: int
    failed: int
    output_chars: int | None
    output_tokens: int | None = None
    first_read_usd: Decimal | None = None
    rent_usd: Decimal | None = None


MOST_SPANS = 20
"""Spans that a finding of an account names; unbounded, these ids would be most of what is kept of a task."""


class Finding(Struct, frozen=True):
    """Where a tax was paid, why, and what would mend it. ``saves_usd`` is net of the mend's own cost.

    ``spans`` in an account are the first `MOST_SPANS`; ``why`` counts all.
    """

    tax: str
    usd: Decimal | None
    tokens: int | None
    why: str
    basis: Basis
    fix: str
    seconds: float | None = None
    spans: tuple[str, ...] = ()
    saves_usd: Decimal | None = None


class TaskAccount(Struct, frozen=True):
    """Everything the accountant knows of one task, its child tasks counted in.

    Units: ``wall_s`` seconds, so far for an open task; ``retry_backoff_s`` seconds slept by SDKs.
    """

    task: TaskRecord
    open: bool = False
    wall_s: float | None = None
    model_calls: int = 0
    tool_calls: int = 0
    agents: int = 0
    failed_calls: int = 0
    refused_calls: int = 0
    """Calls that a budget did not let be sent; they are no model calls."""
    attempts_retried: int = 0
    retry_backoff_s: float = 0.0
    usage: UsageTotals = UsageTotals()
    money: Money = Money()
    time: TimeAccount = field(default_factory=TimeAccount)
    cache: CacheTotals = CacheTotals()
    context: ContextTotals = ContextTotals()
    models: tuple[ModelTotals, ...] = ()
    agent_runs: tuple[AgentTotals, ...] = ()
    tools: tuple[ToolTotals, ...] = ()
    findings: tuple[Finding, ...] = ()
    policies: Mapping[str, str] = field(default_factory=dict)
    """Name to version of every policy and of the price book (its date)."""
    not_observable: Mapping[str, str] = field(default_factory=dict)
    dropped_records: int = 0


class Comparison(Struct, frozen=True):
    """A source's own total beside ours. Units: US dollars; ``residual_usd`` is theirs less ours."""

    task_id: str
    said_by: str
    reported_usd: Decimal
    total_usd: Decimal
    why: tuple[str, ...] = ()
    complete: bool = True
    """Whether everything is in our total."""

    @property
    def residual_usd(self) -> Decimal:
        """What the source counts more than we do."""
        return self.reported_usd - self.total_usd


class NameTotals(Struct, frozen=True):
    """Root tasks of one name (or one tag's value)."""

    tasks: int
    useful: int
    total_usd: Decimal
    cost_per_useful_task_usd: Decimal | None
    spent_on_useless_usd: Decimal = Decimal(0)


class Summary(Struct, frozen=True):
    """All root tasks so far. ``cost_per_useful_task_usd`` is null when none is known to be useful.

    ``low_usd`` and ``high_usd`` bound it with the unknown outcomes counted as all useful and all useless.
    """

    tasks: int = 0
    useful: int = 0
    useless: int = 0
    unknown: int = 0
    total_usd: Decimal = Decimal(0)
    complete: bool = True
    cost_per_useful_task_usd: Decimal | None = None
    low_usd: Decimal | None = None
    high_usd: Decimal | None = None
    known_share: Decimal | None = None
    spent_on_useless_usd: Decimal = Decimal(0)
    by_name: Mapping[str, NameTotals] = field(default_factory=dict)
    pools: tuple[PoolBill, ...] = ()
    """Hardware of one's own; its money is in no task's bill."""
    earlier: int = 0
    """Tasks so long ago that only their sums are kept: they are in every figure, and in no list."""
    agreement: Agreement | None = None
    """How the providers' verdicts on the cache compare with ours, where one was asked."""
    load: HostLoad | None = None
    """What the tasks ask of their hosts, those whose CPU is known."""
