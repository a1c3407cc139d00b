"""The parts of a task in ``touchdown.report/1``, and how money is written in it."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, WithJsonSchema

from touchdown.records.task import Outcome as Outcome
from touchdown.records.verdict import Basis as Basis

DECIMAL_PATTERN = r"^-?\d+(\.\d+)?$"


def decimal_text(amount: Decimal) -> str:
    """The exact amount without an exponent; equal amounts give equal texts."""
    text = format(amount, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def encodable(text: object) -> object:
    """Text as JSON can carry it: half a surrogate pair has no encoding."""
    return text.encode("utf-8", "replace").decode("utf-8") if isinstance(text, str) else text


Text = Annotated[str, BeforeValidator(encodable)]
"""Text that came from outside: names, reasons, ids."""

Exact = Annotated[
    Decimal,
    PlainSerializer(decimal_text, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": DECIMAL_PATTERN}),
]
"""An exact decimal, a string in JSON."""

Usd = Exact
"""US dollars."""

TimeStamp = datetime
"""A point in time with its zone, RFC 3339 in JSON."""


class Part(BaseModel):
    """A frozen piece of a report; fields of later versions are ignored when one is read."""

    model_config = ConfigDict(
        frozen=True, validate_by_name=True, validate_by_alias=True, serialize_by_alias=True
    )


class UsageReport(Part):
    """Tokens in classes that do not overlap; ``cache_write`` by life. Null: not reported."""

    uncached_input: int | None
    cache_read: int | None
    cache_write: dict[Text, int] | None
    output: int | None
    reasoning: int | None


class WhereReport(Part):
    """Where in the context a miss begins: the kind of segment, its index, its token position."""

    segment: Text
    index: int
    token: int


class MissReport(Part):
    """Tokens sent before that were not read from the cache, with their one cause."""

    span_id: Text
    cause: Text
    tax: Text
    tokens: int
    usd: Usd | None
    where: WhereReport


class CauseAgreementReport(Part):
    """Calls with one cause of a miss, by who named it: both, each another one, or one of the two."""

    agree: int
    differ: int
    provider_only: int
    ours_only: int


class AgreementReport(Part):
    """A provider's own verdicts on the prefix cache beside ours. Counts are calls.

    ``unchanged``: both say that nothing had changed; ``undecided``: the provider could not say, by reason.
    """

    asked: int
    unchanged: int
    causes: dict[Text, CauseAgreementReport]
    undecided: dict[Text, int]


class CacheReport(Part):
    """Tokens that could have been read, were read and were missed; new tokens are none of them."""

    reusable: int
    read: int
    missed: int
    misses: list[MissReport]
    agreement: AgreementReport | None = None
    """Null where no provider was asked for its own verdict."""


class ContextReport(Part):
    """The largest context and its make-up by segment kind. Units: tokens."""

    peak_tokens: int | None
    by_kind: dict[Text, int]


class ModelReport(Part):
    """What one model of one provider was used for."""

    provider: Text
    model: Text
    calls: int
    usage: UsageReport
    total_usd: Usd | None
    basis: Basis = "derived"
    complete: bool = True


class AgentRunReport(Part):
    """One agent run: its own cost, that of the agents below it, and both; what it was given and gave back.

    ``sub_agents`` it started itself; ``depth`` is 1 for one that the task's first agent started.
    ``given_tokens`` is its first context, ``copied_tokens`` of these were in messages that another had sent.
    """

    id: Text
    parent_id: Text
    name: Text
    own_usd: Usd
    children_usd: Usd
    total_usd: Usd
    model_calls: int
    sub_agents: int
    depth: int
    given_tokens: int | None
    copied_tokens: int | None
    result_chars: int | None


class ToolReport(Part):
    """One tool: ``first_read_usd`` for reading its results once, ``rent_usd`` for carrying them on."""

    name: Text
    calls: int
    failed: int
    output_chars: int | None
    output_tokens: int | None
    first_read_usd: Usd | None
    rent_usd: Usd | None


class FindingReport(Part):
    """Where a tax was paid, why, and its mend; ``saves_usd`` is net of the mend's own cost.

    ``spans`` are the first 20 of those that ``why`` counts.
    """

    tax: Text
    usd: Usd | None
    seconds: float | None
    tokens: int | None
    spans: list[Text]
    why: Text
    basis: Basis
    fix: Text
    saves_usd: Usd | None


class PoolReport(Part):
    """Hardware paid by the hour: ``by_task``, ``gpu_waits_on_cpu`` and ``idle_usd`` add up to ``total_usd``.

    By id of the root task. ``by_phase`` splits each task's share by what engines said of its calls.
    ``by_task`` and ``by_phase`` are estimated; ``idle_usd`` lies outside all tasks.
    """

    name: Text
    usd_per_hour: Usd
    opened_at: TimeStamp | None
    open_s: float
    exclusive: bool
    total_usd: Usd
    by_task: dict[Text, Usd]
    by_phase: dict[Text, dict[Text, Usd]]
    gpu_waits_on_cpu: dict[Text, Usd]
    idle_usd: Usd


class LoadReport(Part):
    """What tasks ask of their host. Units: seconds; ``cores_per_call`` CPU cores for one call in flight.

    ``cpu_s`` is that of the process and its children, whatever ran beside; null: the source does not tell.
    """

    cpu_s: float | None
    model_s: float
    cores_per_call: float | None
    tools_peak: int
    tools_mean: float | None
    client_cpu_s: float | None = None
    """Of ``cpu_s``: what clients used to make requests and to read answers that were no streams."""
