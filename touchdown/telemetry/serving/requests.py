"""One request as an engine's span tells it, and what a span says of its place and its ids."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from touchdown.engines.engine import Engine, EngineSpan, whole_of
from touchdown.engines.registry import ENGINES, ROUTERS
from touchdown.records.engine import bare_id
from touchdown.telemetry.span import SpanView

STEPS = frozenset().union(*(engine.steps for engine in ENGINES))
"""Names of spans below that of a request which tell more of it."""

_SIGNS = frozenset().union(*(engine.span_signs for engine in ENGINES))
_NAMED_BY = ("x_request_id", "request_id", "gen_ai.request.id", "rid")
_OUTPUT = ("gen_ai.usage.completion_tokens", "output_tokens")
_PROMPT = ("gen_ai.usage.prompt_tokens", "input_tokens")
_MODEL = ("gen_ai.response.model", "gen_ai.request.model", "model")

Key = tuple[str, str]
"""Trace id and span id."""


class EngineRequest(Struct, frozen=True):
    """A request that an engine served. Units: nanoseconds since the epoch, of the engine's own clock."""

    engine: Engine
    span: SpanView
    ids: tuple[str, ...]
    tokens: tuple[int, int] | None
    """Of the prompt and of the answer; ``None`` where it does not tell both."""
    model: str
    """Its name there; empty where it does not tell."""

    @property
    def key(self) -> Key:
        """Where its span is."""
        return self.span.trace_id, self.span.span_id

    @property
    def routed(self) -> bool:
        """Whether the engine is one that hands requests on."""
        return self.engine.id in ROUTERS


def request_of(span: SpanView) -> EngineRequest | None:
    """The request that this span is of; ``None`` for every other span."""
    told = span.attributes
    if _SIGNS.isdisjoint(told):
        return None
    seen = engine_span(span)
    engine = next((engine for engine in ENGINES if engine.serves(seen)), None)
    if engine is None:
        return None
    prompt, output = whole_of(_first(told, _PROMPT)), whole_of(_first(told, _OUTPUT))
    tokens = None if prompt is None or output is None else (prompt, output)
    model = str(_first(told, _MODEL) or "")
    return EngineRequest(engine, span, ids_of(told), tokens, model)


def _first(attributes: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((attributes[name] for name in names if name in attributes), None)


def engine_span(span: SpanView, steps: Mapping[str, float] | None = None) -> EngineSpan:
    """The span as the engines' readers take it."""
    lasted_s = max(0, span.ended_ns - span.began_ns) / 1e9
    return EngineSpan(span.name, span.scope, span.attributes, lasted_s, steps or {})


def ids_of(attributes: Mapping[str, Any]) -> tuple[str, ...]:
    """The ids of the request that a span of a server names, without the kind in front."""
    found: tuple[str, ...] = ()
    for name in _NAMED_BY:
        value = attributes.get(name)
        if isinstance(value, str) and value and (bare := bare_id(value)) not in found:
            found = (*found, bare)
    return found
