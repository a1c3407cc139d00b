"""The protocol of a serving engine, and how its readers note their figures."""

import math
from collections.abc import Mapping
from typing import Protocol

from msgspec import Struct, field
from msgspec.structs import replace

from touchdown.engines.exposition import Counter, Exposition
from touchdown.records import EngineTiming, Usage
from touchdown.records.engine import COUNTS, FIGURES
from touchdown.records.verdict import Basis

_BY_WINDOW = "inferred: the only call that it fits"
ONE_WORKER = "the request was prefilled and decoded by one worker"
NO_EVENTS = "only the engine's cache events tell it (docs/engines.md)"


class Told(Struct, frozen=True):
    """What one answer tells: the parts in which an engine may speak of itself, and the usage."""

    parts: tuple[object, ...] = ()
    usage: Usage = field(default_factory=Usage)
    block_tokens: int | None = None
    """From the engine's metrics, where they were read."""


class EngineSpan(Struct, frozen=True):
    """A span that an engine may have made of one request, with the steps of it that were asked for."""

    name: str
    scope: str
    attributes: Mapping[str, object]
    lasted_s: float
    steps: Mapping[str, float] = field(default_factory=dict)
    """By the names of :attr:`Engine.steps`: how many seconds the spans below it took, all together."""


class Engine(Protocol):
    """One serving engine. Everything is pure: no network, no clock."""

    @property
    def id(self) -> str:
        """The name of its file."""
        ...

    @property
    def title(self) -> str:
        """Its name for people."""
        ...

    @property
    def metrics_path(self) -> str:
        """Where its metrics are read: a GET there changes nothing."""
        ...

    @property
    def counters(self) -> tuple[Counter, ...]:
        """The figures that its metrics count."""
        ...

    @property
    def ranks(self) -> tuple[str, str]:
        """A metric that each rank of data parallelism has, and the label that numbers them."""
        ...

    def recognises(self, page: Exposition) -> bool:
        """Whether these are its metrics."""
        ...

    def block_tokens(self, page: Exposition) -> int | None:
        """How many tokens a block of its cache has, by its metrics."""
        ...

    def fields(
        self, api: str, body: Mapping[str, object], session: str = ""
    ) -> Mapping[str, object]:
        """Fields of a request that ask it to say more; those of the body stay in force.

        ``session``: whose the request is, where its cache events are read.
        """
        ...

    def read(self, told: Told) -> EngineTiming:
        """What it says of the request that was answered like this."""
        ...

    @property
    def steps(self) -> frozenset[str]:
        """Names of spans below that of a request which tell more of it."""
        ...

    @property
    def span_signs(self) -> frozenset[str]:
        """Attributes of which one is on each of its spans of a whole request."""
        ...

    def serves(self, span: EngineSpan) -> bool:
        """Whether this is its span of one whole request."""
        ...

    def read_request(self, span: EngineSpan) -> EngineTiming:
        """What that span says of the request."""
        ...


class Figures(Struct):
    """The figures of one request as a reader finds them, each with its basis or the reason it lacks."""

    engine: str
    worker: str = ""
    block_tokens: int | None = None
    values: dict[str, int] = field(default_factory=dict)
    basis: dict[str, Basis] = field(default_factory=dict)
    evidence: dict[str, str] = field(default_factory=dict)
    lacking: dict[str, str] = field(default_factory=dict)
    starved_by: str = ""

    def milliseconds(
        self, name: str, value: object, source: str, basis: Basis = "measured"
    ) -> None:
        """Note a duration in milliseconds."""
        self._note(name, value, 1e6, source, basis)

    def seconds(self, name: str, value: object, source: str, basis: Basis = "measured") -> None:
        """Note a duration in seconds."""
        self._note(name, value, 1e9, source, basis)

    def count(self, name: str, value: object, source: str, basis: Basis = "measured") -> None:
        """Note a count."""
        self._note(name, value, 1, source, basis)

    def lacks(self, reason: str, *names: str) -> None:
        """Say why these figures are unknown; a reason that was given before stays."""
        for name in names:
            self.lacking.setdefault(name, reason)

    def weaken(self, name: str, basis: Basis = "estimated") -> None:
        """What is known of the engine makes this figure less sure than it looks."""
        if name in self.basis:
            self.basis[name] = basis

    def _note(self, name: str, value: object, scale: float, source: str, basis: Basis) -> None:
        number = as_number(value)
        if number is None:
            return
        if number < 0:
            self.lacks(f"{source} is negative: {number:g}", name)
            return
        self.values[name] = round(number * scale)
        self.basis[name] = basis
        self.evidence[name] = source

    def usage(self, usage: Usage, unreported: str) -> None:
        """Note what the answer's usage says of the prompt; ``unreported``: how to have it say more."""
        prompt, cached = usage.input_tokens, usage.cache_read
        self.count("prompt_tokens", prompt, "usage")
        self.count("cached_tokens", cached, "usage")
        if prompt is not None and cached is not None:
            self.count("computed_tokens", prompt - cached, "usage", "derived")
        self.lacks(unreported, "prompt_tokens", "cached_tokens", "computed_tokens")

    def done(self, otherwise: str) -> EngineTiming:
        """The record. ``otherwise``: the reason of what has none of its own."""
        self.lacks(NO_EVENTS, "evicted_tokens")
        self.lacks(otherwise, *(name for name in FIGURES if name not in COUNTS[:3]))
        return EngineTiming(
            engine=self.engine,
            worker=self.worker,
            block_tokens=self.block_tokens,
            starved_by=self.starved_by,
            basis=self.basis,
            evidence=self.evidence,
            not_observable={
                name: reason for name, reason in self.lacking.items() if name not in self.values
            },
            **self.values,
        )


def inferred(timing: EngineTiming) -> EngineTiming:
    """The same figures, no surer than how their call was found: it is the only one that they fit."""
    return replace(
        timing,
        basis=dict.fromkeys(timing.basis, "estimated"),
        evidence={name: f"{said} ({_BY_WINDOW})" for name, said in timing.evidence.items()},
    )


def as_number(value: object) -> float | None:
    """A finite number, also one that was sent as text; ``None`` for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def field_of(source: object, name: str) -> object:
    """A field of an SDK object or of plain JSON; ``None`` when it is not there."""
    return source.get(name) if isinstance(source, Mapping) else getattr(source, name, None)


def first_of(parts: tuple[object, ...], name: str) -> object:
    """The first part's field of this name that is there."""
    return next((found for part in parts if (found := field_of(part, name)) is not None), None)


def whole_of(value: object) -> int | None:
    """A positive whole number; ``None`` for anything else."""
    number = as_number(value)
    return int(number) if number is not None and number > 0 and number == int(number) else None
