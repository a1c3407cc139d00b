"""Spans that wait for the exporter as the bytes that it will send; compressed when they wait for long."""

import zlib
from array import array
from collections.abc import Sequence
from itertools import accumulate, pairwise
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

    __slots__ = ("_held", "_number", "origin")

    context = SpanContext(1, 1, False, TraceFlags(TraceFlags.SAMPLED))
    """The SDK's processor asks whether a span is sampled: all of these are."""

    def __init__(self, origin: Origin, data: bytes) -> None:
        self.origin = origin
        self._held: bytes | Pack = data
        self._number = 0

    @property
    def resource(self) -> Any:
        """What is said of its process."""
        return self.origin.resource

    @property
    def instrumentation_scope(self) -> Any:
        """Whose span it is."""
        return self.origin.instrumentation_scope

    @property
    def size(self) -> int:
        """Bytes of the field."""
        held = self._held
        return len(held) if isinstance(held, bytes) else held.size_of(self._number)

    @property
    def is_loose(self) -> bool:
        """Whether it lies here as it will be sent."""
        return isinstance(self._held, bytes) and bool(self._held)

    @property
    def data(self) -> bytes:
        """The field; empty once it was let go of."""
        held = self._held
        return held if isinstance(held, bytes) else held.part(self._number)

    def let_go(self) -> None:
        """The request that it stands in is made: one copy is enough while a backend takes its time."""
        self._held = b""

    def pack(self, pack: "Pack", number: int) -> None:
        """From here on it is a part of that."""
        self._number = number
        self._held = pack


class Pack:
    """Spans that are compressed together, for what they say is much the same. They alone hold it."""

    __slots__ = ("_parts", "_sizes", "_zipped")

    def __init__(self, spans: Sequence[Encoded]) -> None:
        parts = [span.data for span in spans]
        self._sizes = array("L", map(len, parts))
        self._zipped = zlib.compress(b"".join(parts), 1)
        self._parts: list[bytes] = []
        for number, span in enumerate(spans):
            span.pack(self, number)

    def size_of(self, number: int) -> int:
        """How many bytes one span has."""
        return self._sizes[number]

    def part(self, number: int) -> bytes:
        """One span's bytes. All are unpacked: whoever wants one of them wants the next, up to the last."""
        parts = self._parts
        if not parts:
            data = zlib.decompress(self._zipped)
            ends = accumulate(self._sizes, initial=0)
            parts = self._parts = [data[begin:end] for begin, end in pairwise(ends)]
        if number == len(parts) - 1:
            self._parts = []
        return parts[number]
