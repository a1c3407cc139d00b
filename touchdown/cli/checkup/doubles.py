"""Other people's instrumentors of the same calls: two spans for one call, and how to end that."""

import importlib
import importlib.metadata
import os
import sys
from collections.abc import Iterator

from touchdown.cli.checkup.diagnosis import Double
from touchdown.cli.checkup.installed import version_of
from touchdown.clients.anthropic.patch import OWN_SETTINGS
from touchdown.clients.registry import CLIENTS

INSTRUMENTORS = "opentelemetry_instrumentor"
"""The entry point group of OpenTelemetry's, OpenLLMetry's and OpenInference's instrumentors."""

BOTH = ("openai", "anthropic")

OTHERS: dict[str, tuple[str, tuple[str, ...], str]] = {
    "traceloop-sdk": (
        "traceloop.sdk",
        BOTH,
        "Traceloop.init(block_instruments={Instruments.OPENAI, Instruments.ANTHROPIC})",
    ),
    "logfire": (
        "logfire",
        BOTH,
        "leave out logfire.instrument_openai() and logfire.instrument_anthropic()",
    ),
    "langfuse": ("langfuse.openai", ("openai",), "import openai itself, not langfuse.openai"),
    "ddtrace": (
        "ddtrace",
        BOTH,
        "set DD_TRACE_OPENAI_ENABLED=false and DD_TRACE_ANTHROPIC_ENABLED=false",
    ),
    "sentry-sdk": (
        "sentry_sdk",
        BOTH,
        "sentry_sdk.init(disabled_integrations=[OpenAIIntegration(), AnthropicIntegration()])",
    ),
}
"""Those without such an entry point: distribution to module, SDKs, and what ends the double."""


def loaded_now() -> frozenset[str]:
    """The modules of others that are loaded already; ask before anything is imported to look at it."""
    return frozenset(sys.modules)


def doubles(loaded: frozenset[str]) -> Iterator[Double]:
    """Every instrumentor of an SDK that touchdown captures too. ``loaded``: the modules to begin with."""
    for entry in importlib.metadata.entry_points(group=INSTRUMENTORS):
        if entry.name in CLIENTS and entry.dist is not None:
            dist = entry.dist
            active = entry.module in loaded and _instrumented(entry)
            yield Double(dist.name, dist.version, (entry.name,), active, _mend(entry))
    for name, (module, sdks, mend) in OTHERS.items():
        version = version_of(name)
        if version:
            yield Double(name, version, sdks, module in loaded, mend)


def own_tracing() -> dict[str, str]:
    """The variables that configure the anthropic SDK's own tracing here; none when it is turned off."""
    if os.environ.get("ANTHROPIC_OPEN_TELEMETRY", "").lower() == "false":
        return {}
    return {name: _kept(os.environ[name]) for name in OWN_SETTINGS if os.environ.get(name)}


def _kept(value: str) -> str:
    content = value.strip().lower() == "content"
    told = "the SDK's own span is kept and ours goes onto it, still one per call"
    return f"{told}; the SDK writes prompts and answers to it" if content else told


def _mend(entry: importlib.metadata.EntryPoint) -> str:
    return (
        f"leave out {entry.attr}().instrument(); under opentelemetry-instrument set "
        f"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS={entry.name}"
    )


def _instrumented(entry: importlib.metadata.EntryPoint) -> bool:
    try:
        instrumentor = getattr(importlib.import_module(entry.module), entry.attr)()
        return bool(instrumentor.is_instrumented_by_opentelemetry)
    except Exception:
        return True  # loaded by somebody, and silent about what it does
