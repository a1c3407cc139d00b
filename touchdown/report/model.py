"""The JSON of a report, ``touchdown.report/1``. Within ``/1`` fields are added, never changed.

Money is a decimal string in US dollars; what is unknown is null, never 0. Units are in the names:
``_usd`` US dollars, ``_s`` seconds, ``_tokens`` tokens, ``_chars`` characters.
"""

from typing import Literal

from pydantic import Field

from touchdown.report.model_parts import (
    AgentRunReport,
    AgreementReport,
    Basis,
    CacheReport,
    ContextReport,
    Exact,
    FindingReport,
    LoadReport,
    ModelReport,
    Outcome,
    Part,
    PoolReport,
    Text,
    TimeStamp,
    ToolReport,
    UsageReport,
    Usd,
)


class MoneyReport(Part):
    """The bill: ``work_usd``, ``taxes`` and ``unexplained_usd`` add up to ``total_usd`` exactly.

    ``taxes`` holds observable accounts only; ``memo`` stands beside and is never summed.
    """

    total_usd: Usd
    complete: bool
    work_usd: Usd
    taxes: dict[Text, Usd]
    unexplained_usd: Usd
    memo: dict[Text, Usd | None]
    basis: dict[Text, Basis]
    unpriced_calls: int
    reported_usd: Usd | None
    within_work: dict[Text, Usd] = Field(default_factory=dict)
    """Parts of ``work_usd`` with an account of their own; they are in it, not beside it."""
    incomplete_reasons: dict[Text, int] = Field(default_factory=dict)
    """Why something is not in the total, and at how many calls."""
    unexplained_reasons: dict[Text, Usd] = Field(default_factory=dict)
    """Why ``unexplained_usd`` has no cause; it is their sum."""


class TimeReport(Part):
    """Wall time along the critical path: ``work_s``, ``taxes`` and ``unexplained_s`` add up to ``total_s``.

    Units: seconds; as decimals, which have at most nine places, they add up exactly. Null: not known.
    ``taxes`` holds observable accounts only; ``memo``, ``off_path_s`` and ``without_s`` stand beside.
    """

    total_s: float | None
    work_s: float | None
    taxes: dict[Text, float]
    unexplained_s: float | None
    memo: dict[Text, float | None]
    basis: dict[Text, Basis]
    within_work: dict[Text, float] = Field(default_factory=dict)
    """Parts of ``work_s``: ``model`` ``tools`` ``agent`` (its own code) ``human``."""
    unexplained: dict[Text, float] = Field(default_factory=dict)
    """Parts of ``unexplained_s`` by reason."""
    off_path_s: dict[Text, float] = Field(default_factory=dict)
    """What models and tools did beside the critical path."""
    without_s: dict[Text, float] = Field(default_factory=dict)
    """Tax to the wall time without it, another branch being the longest then perhaps."""
    load: LoadReport | None = None


class TaskReport(Part):
    """One task, its child tasks counted in."""

    id: Text
    parent_id: Text | None
    name: Text
    tags: dict[Text, Text]
    outcome: Outcome
    started_at: TimeStamp | None
    wall_s: float | None
    model_calls: int
    tool_calls: int
    agents: int
    refused_calls: int = 0
    usage: UsageReport
    money: MoneyReport
    time: TimeReport
    cache: CacheReport
    context: ContextReport
    models: list[ModelReport]
    agent_runs: list[AgentRunReport]
    tools: list[ToolReport]
    findings: list[FindingReport]
    policies: dict[Text, Text]
    not_observable: dict[Text, Text]


class NameReport(Part):
    """Root tasks of one name."""

    tasks: int
    useful: int
    total_usd: Usd
    cost_per_useful_task_usd: Usd | None
    spent_on_useless_usd: Usd


class SummaryReport(Part):
    """All root tasks so far. The bounds count unknown outcomes as all useful and as all useless."""

    tasks: int
    useful: int
    useless: int
    unknown: int
    total_usd: Usd
    complete: bool
    cost_per_useful_task_usd: Usd | None
    low_usd: Usd | None
    high_usd: Usd | None
    known_share: Exact | None
    spent_on_useless_usd: Usd
    by_name: dict[Text, NameReport]
    agreement: AgreementReport | None = None
    """Null where no provider was asked for its own verdicts on the prefix cache."""
    pools: list[PoolReport] = Field(default_factory=list)
    """Hardware of your own (``touchdown.capacity``). Its money is in no task's bill."""
    load: LoadReport | None = None
    """Of the tasks whose CPU is known; null where none is."""
    earlier_tasks: int = 0
    """Tasks of which only sums are held: they are in every figure here, and not in ``tasks``."""
    lost: dict[str, int] = Field(default_factory=dict)
    """What the process lost so far, by kind: ``records`` in no account, ``journal_lines``, ``contents``."""


class GroupReport(Part):
    """Everything that falls into one group of a view: a day, a model, a project."""

    key: Text
    tasks: int
    model_calls: int
    usage: UsageReport
    money: MoneyReport
    models: list[ModelReport]


class ComparisonReport(Part):
    """A source's own total beside ours; ``residual_usd`` is theirs less ours."""

    task_id: Text
    said_by: Text
    reported_usd: Usd
    total_usd: Usd
    residual_usd: Usd
    why: list[Text]


class AnalysisReport(Part):
    """What belongs to an analysis of recorded sessions as a whole."""

    view: Text
    sources: list[Text]
    groups: list[GroupReport]
    comparisons: list[ComparisonReport]
    notes: list[Text]
    problems: list[Text]


class CollectedReport(Part):
    """What ``touchdown collect`` received, refused, forwarded and lost. Units: as the names say."""

    received: dict[Text, int]
    engine_requests: dict[Text, int]
    """By how they were joined to calls; ``no_call``, ``waiting``: of no call that was seen."""
    lost: list[Text]


class Report(Part):
    """The envelope that every ``report()`` and every ``--json`` gives."""

    schema_: Literal["touchdown.report/1"] = Field(default="touchdown.report/1", alias="schema")
    tasks: list[TaskReport]
    summary: SummaryReport
    analysis: AnalysisReport | None = None
    collected: CollectedReport | None = None
    """Of ``touchdown collect`` only."""
