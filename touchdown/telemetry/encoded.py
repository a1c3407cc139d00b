"""Spans that wait for the exporter as the bytes that it will send."""

from typing import Any, Protocol

from opentelemetry.trace import SpanContext, TraceFlags


class Origin(Protocol):
    """What spans have in common that one tracer made."""

    @property
    def resource(self) -> Any:
        """The SDK's resource."""
        ...

    @property
    def instrumentation_scope(self) -> Any:
        """The SDK's scope."""
        ...


class Encoded:
    """One ended span as a field of OTLP's ``ScopeSpans``."""

    __slots__ = ("data", "origin")

    context = SpanContext(1, 1, False, TraceFlags(TraceFlags.SAMPLED))
    """The SDK's processor asks whether a span is sampled: all of these are."""

    def __init__(self, origin: Origin, data: bytes) -> None:
        self.origin = origin
        self.data = data

    @property
    def resource(self) -> Any:
        """What is said of its process."""
        return self.origin.resource

    @property
    def instrumentation_scope(self) -> Any:
        """Whose span it is."""
        return self.origin.instrumentation_scope

    def let_go(self) -> None:
        """The request that it stands in is made: one copy is enough while a backend takes its time."""
        self.data = b""
