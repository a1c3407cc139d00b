"""What is open, found by the SDK's own object for it and kept no longer than that lives."""

import threading
import weakref
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

V = TypeVar("V")

Wrapped = Callable[..., object]


class Span(Protocol):
    """A span of the SDK, whatever class a trace provider made it of."""

    @property
    def span_data(self) -> object:
        """What it is a span of; the same object behind every wrapper of the span."""
        ...


class OpenSteps(Generic[V]):
    """Open steps by the data of their span; usable from any thread."""

    def __init__(self) -> None:
        self._by_data: weakref.WeakKeyDictionary[object, V] = weakref.WeakKeyDictionary()
        self._lock = threading.Lock()

    def put(self, span: Span, step: V) -> None:
        """Remember what belongs to this span."""
        with self._lock:
            self._by_data[span.span_data] = step

    def get(self, span: Span) -> V | None:
        """What belongs to this span."""
        with self._lock:
            return self._by_data.get(span.span_data)

    def pop(self, span: Span) -> V | None:
        """The same, and forget it."""
        with self._lock:
            return self._by_data.pop(span.span_data, None)
