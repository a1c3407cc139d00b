"""The sign by which GenAI instrumentations know that a model call has its span already."""

import sys

from opentelemetry import context as otel_context
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, get_current_span

from touchdown.telemetry.attributes import NESTED_INFERENCE_KEY

_UTIL_GENAI = "opentelemetry.util.genai.invocation"


def span_to_enrich(adopt: bool) -> Span | None:
    """The current span, if it is that of the very call that begins: the SDK's or an instrumentation's."""
    if not adopt and otel_context.get_value(NESTED_INFERENCE_KEY) is None:
        return None
    span = get_current_span()
    if not span.get_span_context().is_valid:
        return None
    # A task's or a server's span is current when the SDK made none after all; it is not the call's.
    return span if getattr(span, "kind", SpanKind.CLIENT) is SpanKind.CLIENT else None


def announce(context: Context) -> Context:
    """Tell instrumentations inside the call to stay silent.

    They look for an instance of their own class, so there is something to tell only once they are loaded.
    """
    module = sys.modules.get(_UTIL_GENAI)
    data = getattr(module, "InferenceData", None)
    return (
        context if data is None else otel_context.set_value(NESTED_INFERENCE_KEY, data(), context)
    )
