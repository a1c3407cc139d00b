"""What a dialect is: how one instrumentation names things in its spans, as data."""

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct, field

from touchdown.telemetry.span import SpanView

Role = Literal["model", "agent", "tool", "opening", "none"]
"""What a span stands for. ``opening``: of a stream whose end another span tells, usage and all.

Only a ``model`` span is a model call. Usage on any other is a sum over what lies below it.
"""

ANY = "*"
"""In a table of roles: any value that is not in it."""

Names = Mapping[str, tuple[str, ...]]
"""A field to the attributes that carry it; the first that is there holds."""


class Dialect(Struct, frozen=True):
    """The names of one instrumentation. The first dialect that fits a span reads it."""

    name: str
    title: str
    names: Names
    scopes: tuple[str, ...] = ()
    """Beginnings of the names of its instrumentation scopes."""
    signs: tuple[str, ...] = ()
    """Attributes of which one is on each of its spans."""
    roles: tuple[tuple[str, Mapping[str, Role]], ...] = ()
    """Attributes that say what a span stands for; the first that is there decides."""
    spans: Mapping[str, Role] = field(default_factory=dict)
    """The same by the name of the span, where that is fixed."""
    unless: tuple[str, ...] = ()
    """A model span with none of these, and no error, is an ``opening``."""
    input_includes_cache: bool = True
    """Whether the input count holds what was read from and written to the cache."""
    provider: str = ""
    """Who answers, where the spans do not say."""

    def fits(self, span: SpanView) -> bool:
        """Whether the span is of this dialect."""
        if span.scope.startswith(self.scopes) if self.scopes else False:
            return True
        return span.name in self.spans or any(sign in span.attributes for sign in self.signs)

    def role_of(self, span: SpanView) -> Role:
        """What the span stands for."""
        role = self.spans.get(span.name) or self._told(span)
        if role == "model" and self.unless and span.status != "ERROR":
            return "model" if any(name in span.attributes for name in self.unless) else "opening"
        return role

    def _told(self, span: SpanView) -> Role:
        for name, values in self.roles:
            if name in span.attributes:
                return values.get(str(span.attributes[name]).lower(), values.get(ANY, "none"))
        return "none"
