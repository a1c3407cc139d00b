"""The open steps, found by the SDK's own spans, and kept no longer than those live."""

import sys
import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from touchdown.integration import StepObservation, guarded

Wrapped = Callable[..., object]


class Span(Protocol):
    """A span of the SDK, whatever class a trace provider made it of."""

    @property
    def span_data(self) -> object:
        """What it is a span of; the same object behind every wrapper of the span."""
        ...


@dataclass(slots=True)
class OpenStep:
    """An agent run or a tool call that has begun."""

    seen: StepObservation
    handling: BaseException | None = None
    """What the caller was handling already when it began."""
    flagged: bool = False
    """Its span was told of an error."""
    error: BaseException | None = None
    """The exception that was being handled when its span was told."""

    def leave(self, error: BaseException | None = None) -> None:
        """What comes now in this context is no longer inside."""
        self.seen.__exit__(type(error) if error else None, error, None)


class OpenSteps:
    """Open steps by the data of their span; usable from any thread."""

    def __init__(self) -> None:
        self._by_data: weakref.WeakKeyDictionary[object, OpenStep] = weakref.WeakKeyDictionary()
        self._lock = threading.Lock()

    def put(self, span: Span, step: OpenStep) -> None:
        """Remember what belongs to this span."""
        with self._lock:
            self._by_data[span.span_data] = step

    def get(self, span: Span) -> OpenStep | None:
        """What belongs to this span."""
        with self._lock:
            return self._by_data.get(span.span_data)

    def pop(self, span: Span) -> OpenStep | None:
        """The same, and forget it."""
        with self._lock:
            return self._by_data.pop(span.span_data, None)

    def set_error(
        self, wrapped: Wrapped, span: Span, args: tuple[object, ...], kwargs: dict[str, object]
    ) -> object:
        """Around ``Span.set_error``: how the SDK says that something failed where it raises nothing."""
        self._flag(span)
        return wrapped(*args, **kwargs)

    @guarded("openai-agents: a span has an error")
    def _flag(self, span: Span) -> None:
        step = self.get(span)
        if step is not None:
            step.flagged = True
            step.error = sys.exc_info()[1] or step.error
