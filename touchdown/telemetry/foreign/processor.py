"""The span processor by which calls that only others see reach the ledger."""

import importlib

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span
from opentelemetry.sdk.trace import SpanProcessor as SdkSpanProcessor

from touchdown.runtime import core
from touchdown.runtime.loading import loading
from touchdown.runtime.place import standing_place
from touchdown.telemetry import attributes as names
from touchdown.telemetry.foreign.live import Beside
from touchdown.telemetry.quiet import failed


class SpanProcessor(SdkSpanProcessor):
    """Counts the model calls, tools and agents that other instrumentations make spans of.

    Add it to your tracer provider: ``provider.add_span_processor(touchdown.SpanProcessor())``. A call that
    touchdown captures itself, too, is counted once. It sends nothing, changes no span, and does nothing
    while touchdown is not instrumented.
    """

    def __init__(self) -> None:
        with loading():  # now, not with the first span that ends
            importlib.import_module("touchdown.telemetry.foreign.reading")
        Beside.watching = True

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """A span began."""
        try:
            found = _beside()
            if found is not None:
                found[1].began(span, standing_place())
        except Exception as error:
            failed("reading a span that began", error)

    def on_end(self, span: ReadableSpan) -> None:
        """A span ended."""
        try:
            found = _beside()
            if found is not None:
                scope, told = span.instrumentation_scope, span.attributes or {}
                is_ours = names.CALL_ID in told or (scope is not None and scope.name == names.SCOPE)
                found[1].finished(found[0], span, is_ours)
        except Exception as error:
            failed("reading a span that ended", error)

    def shutdown(self) -> None:
        """Nothing is held."""

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Fold what has ended so far."""
        runtime = core.active()
        return runtime is None or runtime.delivery.drain(timeout_millis / 1e3)


def _beside() -> tuple[core.Runtime, Beside] | None:
    runtime = core.active()
    if runtime is None:
        return None
    beside = next((sink for sink in runtime.sinks if isinstance(sink, Beside)), None)
    return None if beside is None else (runtime, beside)
