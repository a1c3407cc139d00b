"""What the ``OTEL_*`` variables ask for."""

from collections.abc import Mapping
from typing import Literal

Signal = Literal["traces", "metrics"]
OWN_METRICS = "OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED"
"""Set where the SDK is to measure itself: it then makes and sends every span."""


def sdk_disabled(environ: Mapping[str, str]) -> bool:
    """Whether the user turned OpenTelemetry off: no spans, no metrics; the accounting goes on."""
    return environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"


def wanted_exporters(signal: Signal, environ: Mapping[str, str]) -> tuple[str, ...]:
    """The exporters asked for; none unless a variable names one or gives a place to send to.

    The SDK's own default, OTLP to this machine, is not taken: nothing leaves unasked.
    """
    upper = signal.upper()
    named = environ.get(f"OTEL_{upper}_EXPORTER", "").strip().lower()
    if named:
        names = tuple(name for part in named.split(",") if (name := part.strip()))
        return () if "none" in names else names
    endpoints = ("OTEL_EXPORTER_OTLP_ENDPOINT", f"OTEL_EXPORTER_OTLP_{upper}_ENDPOINT")
    return ("otlp",) if any(environ.get(name, "").strip() for name in endpoints) else ()


def otlp_protocol(signal: Signal, environ: Mapping[str, str]) -> str:
    """``http/protobuf`` unless another one is asked for."""
    names = (f"OTEL_EXPORTER_OTLP_{signal.upper()}_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
    asked = (environ.get(name, "").strip().lower() for name in names)
    return next((protocol for protocol in asked if protocol), "http/protobuf")


def batch_size(environ: Mapping[str, str]) -> int:
    """Spans that the SDK's processor sends with one request."""
    try:
        return int(environ.get("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "512"))
    except ValueError:
        return 512
