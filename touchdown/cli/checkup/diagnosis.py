"""What the doctor found, as data: ``touchdown.doctor/1``."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import msgspec
from msgspec import Struct, field

from touchdown.telemetry.destinations import Destination

SCHEMA = "touchdown.doctor/1"

State = Literal["patched", "not_installed", "refused", "off"]
"""Of a host: ``refused`` has its reason beside it, ``off`` is the user's own wish."""


class Sdk(Struct, frozen=True):
    """One LLM SDK that touchdown has a client for."""

    name: str
    supported: str
    version: str | None
    state: State
    reason: str = ""
    not_captured: Mapping[str, str] = field(default_factory=dict)


class AddOn(Struct, frozen=True):
    """One integration, found by its entry point."""

    host: str
    """The import name of the framework that it patches."""
    distribution: str
    version: str | None
    state: State
    reason: str = ""


class Unseen(Struct, frozen=True):
    """A library that calls models and that touchdown has no client for."""

    distribution: str
    version: str
    reason: str


class Double(Struct, frozen=True):
    """Somebody else's instrumentor of the same calls."""

    distribution: str
    version: str
    sdks: tuple[str, ...]
    active: bool
    """Whether it is at work in this very process, e.g. by ``opentelemetry-instrument``."""
    mend: str


class Reach(Struct, frozen=True):
    """Whether anybody listens at an address; asked with ``--connect`` only."""

    host: str
    port: int
    answers: bool
    reason: str = ""


class Export(Struct, frozen=True):
    """Where spans and metrics go. Empty destinations: nowhere."""

    disabled: bool
    traces: tuple[Destination, ...]
    metrics: tuple[Destination, ...]
    reached: tuple[Reach, ...] | None
    """``None`` when nobody asked."""
    notes: tuple[str, ...] = ()

    @property
    def destinations(self) -> tuple[Destination, ...]:
        """Of both signals."""
        return (*self.traces, *self.metrics)


class ServingHost(Struct, frozen=True):
    """A host that is named as self-hosted."""

    url: str
    kind: str
    place: str
    """Where it is named."""
    looked: bool = False
    """Whether its metrics were asked for, which happens with ``--connect`` only."""
    engine: str = ""
    block_tokens: int | None = None
    lacks: tuple[str, ...] = ()
    """Figures that its metrics do not show."""
    problem: str = ""


class Setting(Struct, frozen=True):
    """One variable of touchdown's own. ``value`` is null where it is a secret or not set."""

    name: str
    set: bool
    value: str | None
    effect: str
    problem: str = ""


class PriceFacts(Struct, frozen=True):
    """The price book, and the user's own prices."""

    book: str
    newest_model: str | None
    """The newest date in the book's model ids: neither the data nor its package says when it was made."""
    age_days: int | None
    problem: str
    config: str | None
    own_prices: int
    config_problems: tuple[str, ...] = ()


class Diagnosis(Struct, frozen=True):
    """Everything the doctor found."""

    touchdown: str
    python: str
    sdks: Sequence[Sdk]
    integrations: Sequence[AddOn]
    export: Export
    settings: Sequence[Setting]
    prices: PriceFacts
    unseen: Sequence[Unseen]
    doubles: Sequence[Double]
    own_tracing: Mapping[str, str]
    """Variables that set up the anthropic SDK's own tracing, and what each does to our spans."""
    lost: Mapping[str, int] = field(default_factory=dict)
    """What this very process lost, by kind, where it is instrumented."""
    serving: Sequence[ServingHost] = ()
    serving_problems: Sequence[str] = ()
    """What is wrong with how hosts were named."""

    @property
    def problems(self) -> list[str]:
        """What was asked for and would not work."""
        return list(self._problems())

    def _problems(self) -> Iterator[str]:
        refused = [sdk for sdk in self.sdks if sdk.state == "refused"]
        yield from (f"{sdk.name} is not captured: {sdk.reason}" for sdk in refused)
        for add_on in self.integrations:
            if add_on.state == "refused":
                yield f"{add_on.distribution} does not work: {add_on.reason}"
        told = dict.fromkeys(found.problem for found in self.export.destinations if found.problem)
        yield from told
        for reach in self.export.reached or ():
            if not reach.answers:
                yield f"nobody answers at {reach.host}:{reach.port}: {reach.reason}"
        for setting in self.settings:
            if setting.problem:
                yield f"{setting.name}: {setting.problem}"
        yield from self.serving_problems
        yield from (f"{host.url}: {host.problem}" for host in self.serving if host.problem)
        if self.prices.problem:
            yield self.prices.problem
        yield from self.prices.config_problems

    def as_json(self) -> dict[str, Any]:
        """The envelope. Within ``/1`` fields are added, never changed."""
        problems = self.problems
        return {
            "schema": SCHEMA,
            "ok": not problems,
            "problems": problems,
            **msgspec.to_builtins(self),
        }
