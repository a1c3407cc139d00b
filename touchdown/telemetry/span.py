"""A span as any source tells it: the one form that reading starts from."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from msgspec import Struct, field
from opentelemetry.util.types import AttributeValue

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan


class SpanEvent(Struct, frozen=True):
    """Something that happened inside a span. Units: nanoseconds since the epoch."""

    name: str
    at_ns: int
    attributes: Mapping[str, AttributeValue] = field(default_factory=dict)


class SpanView(Struct, frozen=True):
    """One ended span. Units: nanoseconds since the epoch. Ids are hex digits, empty where there is none."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    began_ns: int
    ended_ns: int
    attributes: Mapping[str, AttributeValue] = field(default_factory=dict)
    events: tuple[SpanEvent, ...] = ()
    status: str = "UNSET"
    """``UNSET`` ``OK`` ``ERROR``."""
    status_message: str = ""
    scope: str = ""
    """Name of the instrumentation that made it."""
    resource: Mapping[str, AttributeValue] = field(default_factory=dict)
    dropped_attributes: int = 0


def view_of_sdk_span(span: "ReadableSpan") -> SpanView:
    """A span of the OpenTelemetry SDK, as a processor or an exporter is handed it."""
    place, parent, scope = span.context, span.parent, span.instrumentation_scope
    return SpanView(
        name=span.name,
        trace_id=f"{place.trace_id:032x}" if place else "",
        span_id=f"{place.span_id:016x}" if place else "",
        parent_id=f"{parent.span_id:016x}" if parent else "",
        began_ns=span.start_time or 0,
        ended_ns=span.end_time or 0,
        attributes=dict(span.attributes or {}),
        events=tuple(
            SpanEvent(event.name, event.timestamp, dict(event.attributes or {}))
            for event in span.events
        ),
        status=span.status.status_code.name,
        status_message=span.status.description or "",
        scope=scope.name if scope else "",
        resource=dict(span.resource.attributes),
        dropped_attributes=span.dropped_attributes,
    )
