"""Exporters by the names that the ``OTEL_*`` variables use. Loaded when first needed: they are heavy."""

import contextlib
import os
from importlib import import_module
from typing import cast

from opentelemetry.sdk.metrics.export import MetricExporter
from opentelemetry.sdk.trace.export import SpanExporter

from touchdown.telemetry.environment import Signal, otlp_protocol
from touchdown.telemetry.quiet import say_once

_OTLP = "opentelemetry.exporter.otlp.proto"
_PLACES = {
    ("traces", "http/protobuf"): "touchdown.telemetry.otlp_exporter:QuickSpanExporter",
    ("traces", "grpc"): f"{_OTLP}.grpc.trace_exporter:OTLPSpanExporter",
    ("traces", "console"): "opentelemetry.sdk.trace.export:ConsoleSpanExporter",
    ("metrics", "http/protobuf"): f"{_OTLP}.http.metric_exporter:OTLPMetricExporter",
    ("metrics", "grpc"): f"{_OTLP}.grpc.metric_exporter:OTLPMetricExporter",
    ("metrics", "console"): "opentelemetry.sdk.metrics.export:ConsoleMetricExporter",
}


_IMPORTED_LATE = "netrc"
"""By requests at the first request. A child that is forked at that moment would wait for it for ever."""


class ExporterError(ValueError):
    """An exporter that cannot be made, in one line: what is wrong and what to do."""


def span_exporter(name: str) -> SpanExporter | None:
    """The span exporter of this name; one that cannot be made is said."""
    return cast("SpanExporter | None", _make_or_say("traces", name))


def metric_exporters(names: tuple[str, ...]) -> list[MetricExporter]:
    """The metric exporters of these names; one that cannot be made is left out and said."""
    return [cast(MetricExporter, made) for name in names if (made := _make_or_say("metrics", name))]


def load_exporter(signal: Signal, name: str) -> None:
    """Import the module of an exporter early; that it cannot be used is said when it is made."""
    place = _PLACES.get((signal, _kind(signal, name)))
    if place is not None:
        with contextlib.suppress(Exception):
            import_module(place.partition(":")[0])


def _kind(signal: Signal, name: str) -> str:
    return otlp_protocol(signal, os.environ) if name == "otlp" else name


def make_exporter(signal: Signal, name: str) -> object:
    """The exporter of this name as the ``OTEL_*`` variables set it up. Errors: :class:`ExporterError`."""
    kind = _kind(signal, name)
    place = _PLACES.get((signal, kind))
    if place is None:
        known = "otlp (http/protobuf or grpc), console or none"
        raise ExporterError(f"no {signal} exporter {kind!r}; known: {known}")
    module, _, kind_of_exporter = place.partition(":")
    try:
        made = cast(object, getattr(import_module(module), kind_of_exporter)())
        if kind == "http/protobuf":
            with contextlib.suppress(ImportError):  # requests goes without it, too
                import_module(_IMPORTED_LATE)
        return made
    except Exception as error:
        if kind == "grpc" and isinstance(error, ImportError):
            raise ExporterError(
                'OTLP over gRPC needs an extra: pip install "touchdown-agents[grpc]"; nothing is sent'
            ) from error
        raise ExporterError(f"the {signal} exporter {kind!r} cannot be made: {error}") from error


def _make_or_say(signal: Signal, name: str) -> object | None:
    try:
        return make_exporter(signal, name)
    except ExporterError as error:
        say_once(f"exporter: {error}", str(error))
        return None
