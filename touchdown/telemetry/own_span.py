"""Spans of the provider that touchdown builds itself: no host's processor looks at them, so they are small.

The SDK's span pays for two queues, three locks and a look at every attribute in the caller's thread. This one
knows its place, and no more; what it says is written once, behind the queue. Whoever else touches it
(``get_current_span().set_attribute()``, say) makes an SDK span of it, its twin, which goes the SDK's way.
"""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, NamedTuple

from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    Tracer,
)
from opentelemetry.util.types import Attributes, AttributeValue

from touchdown.records import CallStart, Start
from touchdown.telemetry.quiet import failed
from touchdown.telemetry.telling import AsBytes

_RANDOM = 0x02
"""The flag of W3C Trace Context for a trace id of random bits."""
_TWIN = "twin"
_ENDED = object()
"""In the twin's place once the span has ended without one."""


class OwnSpan(Span):
    """A sampled span, recording until it ends."""

    __slots__ = ("_place", "_tracer", "parent", "start")

    def __init__(
        self, tracer: "OwnTracer", start: Start, place: SpanContext, parent: SpanContext | None
    ) -> None:
        self._tracer = tracer
        self._place = place
        self.start = start
        self.parent = parent

    def get_span_context(self) -> SpanContext:
        """Where the span stands."""
        return self._place

    @property
    def kind(self) -> SpanKind:
        """A client's for a model call."""
        return SpanKind.CLIENT if isinstance(self.start, CallStart) else SpanKind.INTERNAL

    def is_recording(self) -> bool:
        """Whether it has not ended."""
        twin = self.__dict__.get(_TWIN)
        return twin is None or (twin is not _ENDED and twin.is_recording())

    def finish(self, told: AsBytes, error: str | None, ended_ns: int | None) -> bool:
        """End with these attributes.

        False where it has a twin, which is to be told and ended instead.
        """
        # One step, as is making the twin: whoever comes second finds what the first put there.
        if self.__dict__.setdefault(_TWIN, _ENDED) is not _ENDED:
            return False
        if self._tracer.take(self, told, error, ended_ns):
            return True
        self.__dict__[_TWIN] = self._tracer.twin(self)
        return False

    def _twin(self) -> Any:
        twin = self.__dict__.get(_TWIN)
        if twin is None:
            try:
                twin = self.__dict__.setdefault(_TWIN, self._tracer.twin(self))
            except Exception as error:
                failed("making a span of the SDK", error)
                twin = _ENDED
        return NonRecordingSpan(self._place) if twin is _ENDED else twin

    def set_attribute(self, key: str, value: AttributeValue) -> None:
        """Tell one more thing."""
        self._twin().set_attribute(key, value)

    def set_attributes(self, attributes: Mapping[str, AttributeValue]) -> None:
        """Tell more."""
        self._twin().set_attributes(attributes)

    def add_event(
        self, name: str, attributes: Attributes = None, timestamp: int | None = None
    ) -> None:
        """Something happened inside."""
        self._twin().add_event(name, attributes, timestamp)

    def add_link(self, context: SpanContext, attributes: Attributes = None) -> None:
        """Another span has to do with it."""
        self._twin().add_link(context, attributes)

    def update_name(self, name: str) -> None:
        """Another name."""
        self._twin().update_name(name)

    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        """How it went."""
        self._twin().set_status(status, description)

    def record_exception(
        self,
        exception: BaseException,
        attributes: Attributes = None,
        timestamp: int | None = None,
        escaped: bool = False,
    ) -> None:
        """An exception as an event."""
        self._twin().record_exception(exception, attributes, timestamp, escaped)

    def end(self, end_time: int | None = None) -> None:
        """End as the SDK does."""
        self._twin().end(end_time)

    def __exit__(self, *error: Any) -> None:
        self._twin().__exit__(*error)

    def __getattr__(self, name: str) -> Any:
        """What else the SDK's spans have, to be read: their name, attributes and times."""
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._twin(), name)


class Sampled(NamedTuple):
    """Below which parents the sampler always takes a span."""

    root: bool = False
    remote: bool = False
    remote_dropped: bool = False
    local: bool = False
    local_dropped: bool = False

    def below(self, parent: SpanContext | None) -> bool:
        """Whether one below this parent is always taken."""
        if parent is None:
            return self.root
        if parent.trace_flags & TraceFlags.SAMPLED:
            return self.remote if parent.is_remote else self.local
        return self.remote_dropped if parent.is_remote else self.local_dropped


class OwnTracer(Tracer):
    """The tracer of our own provider: makes small spans where its sampler need not be asked."""

    def __init__(self, sdk: Any, sampled: Sampled) -> None:
        self.sdk = sdk
        self._sampled = sampled
        self._ids = sdk.id_generator
        random = getattr(self._ids, "is_trace_id_random", None)
        # SDKs from before that flag neither set it nor pass it on.
        self._passed = _RANDOM if random is not None else 0
        self._plain = TraceFlags(TraceFlags.SAMPLED)
        self._random = TraceFlags(TraceFlags.SAMPLED | _RANDOM)
        self._root = self._random if random is not None and random() else self._plain

    def begin_own(self, start: Start, parent: SpanContext | None) -> OwnSpan | None:
        """A span below this parent, or one without; ``None``: the SDK is to decide, and to make it."""
        if not self._sampled.below(parent):
            return None
        ids = self._ids
        if parent is None:
            place = SpanContext(ids.generate_trace_id(), ids.generate_span_id(), False, self._root)
        else:
            place = SpanContext(
                parent.trace_id,
                ids.generate_span_id(),
                False,
                self._random if parent.trace_flags & self._passed else self._plain,
                parent.trace_state,
            )
        return OwnSpan(self, start, place, parent)

    def start_span(self, *args: Any, **kwargs: Any) -> Span:
        """A span of the SDK."""
        span: Span = self.sdk.start_span(*args, **kwargs)
        return span

    def start_as_current_span(self, *args: Any, **kwargs: Any) -> Any:
        """A span of the SDK."""
        return self.sdk.start_as_current_span(*args, **kwargs)

    @abstractmethod
    def twin(self, span: OwnSpan) -> Span:
        """A span of the SDK that stands where this one does."""

    @abstractmethod
    def take(self, span: OwnSpan, told: AsBytes, error: str | None, ended_ns: int | None) -> bool:
        """Queue a span that ended for its exporter; false where only the SDK can."""
