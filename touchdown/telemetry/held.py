"""What telemetry holds between a start and an end: one span, its own or a host's."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from contextvars import Token
from typing import Protocol

from opentelemetry import context as otel_context
from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN, Span, SpanContext
from opentelemetry.util.types import AttributeValue

from touchdown.records import CallVerdict, Record
from touchdown.runtime.content import Content
from touchdown.telemetry.content import content_attributes
from touchdown.telemetry.nesting import around

_INACTIVE: AbstractContextManager[object] = nullcontext()


class Closer(Protocol):
    """Writes finished records to spans."""

    def finish(self, held: "Held", record: Record, verdict: CallVerdict | None) -> None:
        """Write `record` to what is held. Never raises."""
        ...


class Activation:
    """Makes one span current from its entering to its leaving."""

    __slots__ = ("_inference", "_span", "_token")

    def __init__(self, span: Span, inference: bool) -> None:
        self._span = span
        self._inference = inference
        self._token: Token[Context] | None = None

    def __enter__(self) -> None:
        here = otel_context.get_current()
        self._token = otel_context.attach(around(self._span, here, self._inference))

    def __exit__(self, *_error: object) -> None:
        token, self._token = self._token, None
        if token is None:
            return
        try:
            token.var.reset(token)
        except (ValueError, RuntimeError):
            # Left in another context than it was entered in: there is nothing of ours to undo there,
            # and OpenTelemetry's own detach would log a traceback for it.
            return


class Held:
    """A span of our own, from its start to its end; without a valid span it only carries the record's end."""

    __slots__ = ("_at", "_closer", "inference", "span")

    def __init__(self, closer: Closer, span: Span = INVALID_SPAN, inference: bool = False) -> None:
        self._closer = closer
        self.span = span
        self.inference = inference
        self._at: SpanContext | None = None

    @property
    def trace_id(self) -> str:
        """32 hex digits; empty when the span goes nowhere."""
        place = self._place()
        return "" if place is None else f"{place.trace_id:032x}"

    @property
    def span_id(self) -> str:
        """16 hex digits; empty when the span goes nowhere."""
        place = self._place()
        return "" if place is None else f"{place.span_id:016x}"

    def _place(self) -> SpanContext | None:
        place = self._at  # the same for all of the span's life
        if place is None:
            place = self._at = self.span.get_span_context()
        return place if place.trace_flags.sampled else None

    def activate(self) -> AbstractContextManager[object]:
        """Makes the span the parent of what begins inside; an unsampled one keeps its children unsampled."""
        if self.span is INVALID_SPAN:
            return _INACTIVE
        return Activation(self.span, self.inference)

    def show(self, content: Content) -> None:
        """Tell what was said; what a host's own span says already stays as it is."""
        if self.span.is_recording():
            on_span, event, on_event = content_attributes(content)
            self.span.set_attributes(missing(self.span, on_span))
            if on_event:
                self.span.add_event(event, on_event)

    def close(self, record: Record, verdict: CallVerdict | None) -> None:
        """Write the finished record."""
        self._closer.finish(self, record, verdict)


class Adopted(Held):
    """Someone else's span of the same call: current already, enriched, never ended by us."""

    __slots__ = ()

    def activate(self) -> AbstractContextManager[object]:
        """Nothing: who made the span makes it current."""
        return _INACTIVE


def missing(span: Span, attributes: Mapping[str, AttributeValue]) -> dict[str, AttributeValue]:
    """Those of `attributes` that the host's span does not have; only our own names if it cannot be read."""
    present = getattr(span, "attributes", None)
    if isinstance(present, Mapping):
        return {name: value for name, value in attributes.items() if name not in present}
    return own(attributes)


def own(attributes: Mapping[str, AttributeValue]) -> dict[str, AttributeValue]:
    """Those of `attributes` that are ours alone."""
    return {name: value for name, value in attributes.items() if name.startswith("touchdown.")}
