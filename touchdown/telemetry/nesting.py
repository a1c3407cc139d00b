"""The current span, and the sign by which GenAI instrumentations know that a call has its span already."""

import sys
from typing import Any

from opentelemetry.context import Context
from opentelemetry.trace import (
    INVALID_SPAN,
    Span,
    SpanContext,
    SpanKind,
    get_current_span,
    set_span_in_context,
)

from touchdown.telemetry.attributes import NESTED_INFERENCE_KEY
from touchdown.telemetry.own_span import OwnSpan

_UTIL_GENAI = "opentelemetry.util.genai.invocation"
(_SPAN,) = set_span_in_context(INVALID_SPAN, Context())
"""The key of the current span, which the API draws when it is imported."""

MOST_CLASSES = 64
_spans: set[type] = {OwnSpan}
"""Classes of the API's spans: asking whether an object is one takes longer than all the rest."""


def span_to_enrich(adopt: bool, context: Context) -> Span | None:
    """The current span, if it is that of the very call that begins: the SDK's or an instrumentation's."""
    if not adopt and context.get(NESTED_INFERENCE_KEY) is None:
        return None
    span = get_current_span(context)
    if not span.get_span_context().is_valid:
        return None
    # A task's or a server's span is current when the SDK made none after all; it is not the call's.
    return span if getattr(span, "kind", SpanKind.CLIENT) is SpanKind.CLIENT else None


def place_in(context: Context) -> SpanContext | None:
    """Where the context's span stands; ``None`` where it has none."""
    span: Any = context.get(_SPAN)
    if type(span) not in _spans:
        span = get_current_span(context)
        if issubclass(type(span), Span) and len(_spans) < MOST_CLASSES:
            _spans.add(type(span))
    place: SpanContext = span.get_span_context()
    return place if place.is_valid else None


def around(span: Span, context: Context, inference: bool) -> Context:
    """The context with this span current; inside a model call instrumentations are told to stay silent.

    They look for an instance of their own class, so there is something to tell only once they are loaded.
    """
    inside = Context(context)
    dict.__setitem__(inside, _SPAN, span)
    module = sys.modules.get(_UTIL_GENAI) if inference else None
    if module is not None:
        data = getattr(module, "InferenceData", None)
        if data is not None:
            dict.__setitem__(inside, NESTED_INFERENCE_KEY, data())
    return inside
