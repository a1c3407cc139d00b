"""The spans of one trace by their places in it."""

from collections.abc import Iterator

from msgspec import Struct

from touchdown.records import ModelCall, Record, Segment, ToolCall
from touchdown.telemetry.foreign.dialect import Role
from touchdown.telemetry.foreign.reading import Read
from touchdown.telemetry.span import SpanView


class Place(Struct, eq=False):
    """A span in its trace. Of content only digests are kept."""

    read: Read
    own: Record | None = None
    """The record, where touchdown itself wrote the span."""
    segments: tuple[Segment, ...] = ()
    opaque: str | None = None
    caching: str | None = None

    @property
    def role(self) -> Role:
        """What the span stands for, our own included."""
        if self.own is None:
            return self.read.role
        if isinstance(self.own, ModelCall):
            return "model"
        return "tool" if isinstance(self.own, ToolCall) else "agent"

    @property
    def span(self) -> SpanView:
        """The span, without what it carried."""
        return self.read.span

    @property
    def id(self) -> str:
        """The span's id."""
        return self.read.span.span_id

    @property
    def call(self) -> ModelCall | None:
        """The model call, if it is one."""
        record = self.own or self.read.record
        return record if isinstance(record, ModelCall) else None

    @property
    def tool(self) -> ToolCall | None:
        """The tool call, if it is one."""
        record = self.own or self.read.record
        return record if isinstance(record, ToolCall) else None


class Places:
    """All of them, by span id."""

    def __init__(self) -> None:
        self._by_id: dict[str, Place] = {}

    def __iter__(self) -> Iterator[Place]:
        return iter(self._by_id.values())

    def put(self, place: Place) -> None:
        """Add a span. Where an id comes twice our own holds, else the one that ended later."""
        known = self._by_id.get(place.id)
        if known is None or (place.own is not None) > (known.own is not None):
            self._by_id[place.id] = place
        elif known.own is None and place.own is None:
            self._by_id[place.id] = max(known, place, key=lambda one: one.span.ended_ns)

    def above(self, place: Place) -> Iterator[Place]:
        """The spans around this one, innermost first."""
        seen = {place.id}
        while (above := self._by_id.get(place.span.parent_id)) is not None:
            if above.id in seen:
                return
            seen.add(above.id)
            yield above
            place = above

    def root(self) -> Place | None:
        """The first span whose parent is not here."""
        tops = [place for place in self if place.span.parent_id not in self._by_id]
        return min(tops, key=lambda place: (place.span.began_ns, place.id), default=None)
