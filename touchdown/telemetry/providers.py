"""Which OpenTelemetry providers to use: looked up when there is something to tell, not when set up."""

import os
import threading
import time
from collections.abc import Callable
from functools import partial
from importlib import import_module
from types import ModuleType
from typing import Generic, Protocol, TypeVar, cast

from msgspec import Struct
from opentelemetry import metrics, trace
from opentelemetry.metrics import Meter, MeterProvider
from opentelemetry.trace import Tracer, TracerProvider

from touchdown.telemetry.attributes import SCHEMA_URL, SCOPE
from touchdown.telemetry.environment import Signal, sdk_disabled, wanted_exporters
from touchdown.telemetry.errands import Errand
from touchdown.telemetry.forks import in_forked_children
from touchdown.telemetry.quiet import failed

Provider = TypeVar("Provider")
Handle = TypeVar("Handle")
_PRIVATE = "touchdown.telemetry.private"
_EXPORTERS = "touchdown.telemetry.exporters"
_NOT_LOOKED: object = object()


class Private(Protocol):
    """A provider that we built and that we alone shut down."""

    def keep(self) -> None: ...
    def tend(self) -> None: ...
    def flush(self) -> Errand: ...
    def shutdown(self) -> Errand: ...
    def lost(self, why: str) -> list[str]: ...
    def serves_children(self) -> bool: ...


class Api(Struct, Generic[Provider, Handle], frozen=True):
    """How one signal finds its global provider, builds its own and gets its handle."""

    signal: Signal
    find_global: Callable[[], Provider]
    peek: Callable[[], object]
    """The global provider as it is kept; ``find_global`` takes long where nobody set one."""
    placeholder: str
    """Class of the API's stand-in for "nobody set one"; not public for both signals, hence its name."""
    silent: tuple[type, ...]
    """Handles that do nothing, of a host that wants nothing."""
    handle: Callable[[Provider, str], Handle]
    private: str


def _tracer(provider: TracerProvider, version: str) -> Tracer:
    return provider.get_tracer(SCOPE, version or None, SCHEMA_URL)


def _meter(provider: MeterProvider, version: str) -> Meter:
    return provider.get_meter(SCOPE, version or None, SCHEMA_URL)


def _keeper_of(module: ModuleType, name: str) -> Callable[[], object]:
    """Reads a name of the API's own; where it has none, what is kept is another thing each time."""
    return partial(getattr, module, name) if hasattr(module, name) else object


TRACES: Api[TracerProvider, Tracer] = Api(
    signal="traces",
    find_global=trace.get_tracer_provider,
    peek=_keeper_of(trace, "_TRACER_PROVIDER"),
    placeholder="ProxyTracerProvider",
    silent=(trace.NoOpTracer,),
    handle=_tracer,
    private="PrivateTracing",
)
METRICS: Api[MeterProvider, Meter] = Api(
    signal="metrics",
    find_global=metrics.get_meter_provider,
    peek=_keeper_of(getattr(metrics, "_internal", metrics), "_METER_PROVIDER"),
    placeholder="_ProxyMeterProvider",
    silent=(metrics.NoOpMeter,),
    handle=_meter,
    private="PrivateMetrics",
)


class Source(Generic[Provider, Handle]):
    """The tracer or meter to use now: of the given provider, else the global one, else one of our own."""

    def __init__(self, api: Api[Provider, Handle], given: Provider | None, version: str) -> None:
        self._api = api
        self._given = given
        self._version = version
        self._seen: object = _NOT_LOOKED
        self._kept: object = _NOT_LOOKED
        self._final = False
        self._handle: Handle | None = None
        self._own: Handle | None = None
        self.private: Private | None = None
        self._parents: Private | None = None
        """Kept in a forked child: the SDK's own hooks there still ask for it."""
        self._lock = threading.Lock()
        in_forked_children(self._after_fork)

    def _after_fork(self) -> None:
        self._lock = threading.Lock()
        if self.private is not None and not self.private.serves_children():
            self._parents, self.private, self._own = self.private, None, None
            self._seen = self._kept = _NOT_LOOKED
            self._final = False

    def current(self) -> Handle | None:
        """The tracer or meter to use, ``None`` when nothing is to be sent. A provider set late is seen."""
        if self._final:
            return self._handle
        kept = self._api.peek()
        if kept is self._kept:
            return self._handle
        found = self._find()
        if found is not self._seen:
            with self._lock:
                if found is not self._seen and not self._final:
                    self._look(found)
        self._kept = kept
        return self._handle

    def warm_up(self) -> None:
        """Import early what the first span would otherwise wait for, if it is going to be needed at all."""
        found = self._find()
        if not sdk_disabled(os.environ) and (found is None or self._is_unset(found)):
            for name in wanted_exporters(self._api.signal, os.environ):
                import_module(_EXPORTERS).load_exporter(self._api.signal, name)

    def close(self) -> None:
        """Use nothing any more."""
        self._final, self._handle, self.private = True, None, None

    def _find(self) -> Provider | None:
        if self._given is not None:
            return self._given
        try:
            return self._api.find_global()
        except Exception as error:
            # E.g. OTEL_PYTHON_TRACER_PROVIDER names a provider that is not installed.
            failed(f"finding the global provider of {self._api.signal}", error)
            return None

    def _look(self, found: Provider | None) -> None:
        handle: Handle | None = None
        disabled = sdk_disabled(os.environ)
        try:
            if not disabled:
                if found is None or self._is_unset(found):
                    handle = self._build()
                else:
                    handle = self._api.handle(found, self._version)
        except Exception as error:
            failed(f"getting a provider of {self._api.signal}", error)
        # Tracers that do nothing hand out their parent's ids as if they had made a span.
        self._handle = None if isinstance(handle, self._api.silent) else handle
        self._seen = found
        self._final = disabled or found is None or self._given is not None

    def _is_unset(self, provider: object) -> bool:
        kind = type(provider)
        ours = kind.__module__.partition(".")[0] == "opentelemetry"
        return provider is None or (ours and kind.__name__ == self._api.placeholder)

    def _build(self) -> Handle | None:
        names = wanted_exporters(self._api.signal, os.environ)
        if self._own is None and names:
            # The SDK is imported only by a process that sends something itself: it takes 0.1 s.
            made = getattr(import_module(_PRIVATE), self._api.private)(names)
            self.private = cast(Private, made)
            self._own = self._api.handle(made.provider, self._version)
        return self._own


def flush_all(privates: list[Private], timeout_s: float) -> bool:
    """Send what the providers that we built hold; true when all of it went out in time."""
    deadline = time.monotonic() + timeout_s
    begun = [private.flush() for private in privates]
    return all(errand.done(deadline - time.monotonic()) for errand in begun)


def shut_down_all(privates: list[Private], timeout_s: float) -> list[str]:
    """Let go of the providers that we built, all at once; what could not be sent in time."""
    deadline = time.monotonic() + timeout_s
    begun = [(private, private.shutdown()) for private in privates]
    lost = []
    for private, errand in begun:
        ended = errand.done(deadline - time.monotonic())
        why = "the backend refused them" if ended else f"not sent within {timeout_s:.1f} s"
        lost += private.lost(why)
    return lost
