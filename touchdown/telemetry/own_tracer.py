"""The tracer of our own provider, on the SDK's: its samplers, ids, limits and processor."""

import os
import time
from collections.abc import Callable
from typing import Any

from opentelemetry.sdk.trace import Tracer, _Span
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased
from opentelemetry.trace import Span

from touchdown.telemetry.begun import begun, start_attributes
from touchdown.telemetry.encoded import Encoded
from touchdown.telemetry.environment import OWN_METRICS
from touchdown.telemetry.own_span import OwnSpan, OwnTracer, Sampled
from touchdown.telemetry.protobuf import UnusualError
from touchdown.telemetry.quiet import failed
from touchdown.telemetry.telling import AsBytes
from touchdown.telemetry.wire import encode_own

_PARENTS = (
    "_root",
    *(f"_{o}_parent_{s}" for o in ("remote", "local") for s in ("sampled", "not_sampled")),
)


def own_tracer(sdk: Any, on_end: Callable[[Any], None]) -> Any:
    """A tracer that makes small spans and hands them to `on_end`; the SDK's own where it must make them.

    That is so for limits that cut values, for the SDK's metrics of itself, and for other versions of the SDK.
    """
    try:
        if not isinstance(sdk, Tracer) or os.environ.get(OWN_METRICS):
            return sdk
        if sdk._span_limits.max_span_attribute_length is not None:
            return sdk
        return _SdkTracer(sdk, _sampled(sdk.sampler), on_end)
    except AttributeError:
        return sdk


def _sampled(sampler: object) -> Sampled:
    """What is always sampled; everything else the sampler is asked for."""
    if sampler is ALWAYS_ON:
        return Sampled(*[True] * len(_PARENTS))
    if isinstance(sampler, ParentBased):
        return Sampled(*[getattr(sampler, name) is ALWAYS_ON for name in _PARENTS])
    return Sampled()


class _SdkTracer(OwnTracer):
    def __init__(self, sdk: Any, sampled: Sampled, on_end: Callable[[Any], None]) -> None:
        super().__init__(sdk, sampled)
        self._on_end = on_end
        self._most = sdk._span_limits.max_span_attributes
        self.instrumentation_scope = sdk._instrumentation_scope

    @property
    def resource(self) -> Any:
        """What is said of this process; a forked child says it anew."""
        return self.sdk.resource

    def twin(self, span: OwnSpan) -> Span:
        """As the SDK's tracer makes one, but for the ids, which are given."""
        sdk, first = self.sdk, begun(span.start)
        twin = _Span(
            name=first.name,
            context=span.get_span_context(),
            parent=span.parent,
            sampler=sdk.sampler,
            resource=sdk.resource,
            attributes=start_attributes(span.start),
            span_processor=sdk.span_processor,
            kind=first.kind,
            instrumentation_info=sdk.instrumentation_info,
            limits=sdk._span_limits,
            instrumentation_scope=sdk._instrumentation_scope,
        )
        twin.start(start_time=first.at_ns)
        return twin

    def take(self, span: OwnSpan, told: AsBytes, error: str | None, ended_ns: int | None) -> bool:
        """Encode it now: its bytes are smaller than what they are made of."""
        if self._most is not None and told.more_than(self._most):
            return False
        first = begun(span.start)
        about = (
            first.name,
            first.kind.value,
            first.at_ns,
            time.time_ns() if ended_ns is None else ended_ns,
        )
        try:
            data = encode_own(span.get_span_context(), span.parent, about, told, error)
        except (UnusualError, UnicodeEncodeError):
            return False
        except Exception as error:
            failed("encoding a span", error)
            return False
        self._on_end(Encoded(self, data))
        return True
