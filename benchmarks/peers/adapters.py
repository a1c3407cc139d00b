"""Switching on what is compared: each as its own documentation says, all sending to the same collector."""

from collections.abc import Callable
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SpanProcessor

Setup = Callable[[SpanProcessor], Callable[[], object]]
"""Instruments this process with that processor; hands back what sends all that is pending."""


def _provider(processor: SpanProcessor) -> TracerProvider:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(processor)
    return provider


def _instrumented(processor: SpanProcessor, *instrumentors: Any) -> Callable[[], object]:
    provider = _provider(processor)
    for instrumentor in instrumentors:
        instrumentor.instrument(tracer_provider=provider)
    return provider.force_flush


def floor(processor: SpanProcessor) -> Callable[[], object]:
    """A hook at the same place that makes one span with 25 attributes, and nothing else."""
    from states import floor_hooks

    provider = _provider(processor)
    for (kind, name), hook in floor_hooks(provider).items():
        setattr(kind, name, hook)
    return provider.force_flush


def touchdown(processor: SpanProcessor) -> Callable[[], object]:
    """Everything on: spans of its own provider, a journal, one budget."""
    import atexit
    import tempfile

    import touchdown
    from touchdown.telemetry import private

    counted: Any = processor
    on_end = private.CountedProcessor.on_end

    def count(own: Any, span: Any) -> None:
        counted.ended += 1
        on_end(own, span)

    private.CountedProcessor.on_end = count  # type: ignore[method-assign]
    folder = tempfile.TemporaryDirectory()
    touchdown.instrument(
        journal=f"{folder.name}/journal.jsonl",
        integrations=False,
        budget_usd=1_000_000,
    )
    atexit.register(folder.cleanup)

    def flush() -> None:
        touchdown.flush(300)  # under callgrind the first call is a long one

    return flush


def otel_genai(processor: SpanProcessor) -> Callable[[], object]:
    """OpenTelemetry's own for both SDKs."""
    from opentelemetry.instrumentation.genai.anthropic import AnthropicInstrumentor
    from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor

    return _instrumented(processor, OpenAIInstrumentor(), AnthropicInstrumentor())


def openllmetry(processor: SpanProcessor) -> Callable[[], object]:
    """Traceloop's."""
    from opentelemetry.instrumentation.anthropic import AnthropicInstrumentor
    from opentelemetry.instrumentation.openai import OpenAIInstrumentor

    return _instrumented(processor, OpenAIInstrumentor(), AnthropicInstrumentor())


def openinference(processor: SpanProcessor) -> Callable[[], object]:
    """Arize's."""
    from openinference.instrumentation.anthropic import AnthropicInstrumentor
    from openinference.instrumentation.openai import OpenAIInstrumentor

    return _instrumented(processor, OpenAIInstrumentor(), AnthropicInstrumentor())


def logfire(processor: SpanProcessor) -> Callable[[], object]:
    """Pydantic's."""
    import logfire

    logfire.configure(
        send_to_logfire=False,
        console=False,
        metrics=False,
        additional_span_processors=[processor],
        inspect_arguments=False,
    )
    logfire.instrument_openai()
    logfire.instrument_anthropic()
    return logfire.force_flush


def anthropic_sdk(processor: SpanProcessor) -> Callable[[], object]:
    """What the anthropic SDK tells of itself once there is a global provider."""
    provider = _provider(processor)
    trace.set_tracer_provider(provider)
    return provider.force_flush


PEERS: dict[str, tuple[Setup, str, tuple[str, ...]]] = {
    "floor": (floor, "foreign", ()),
    "touchdown": (touchdown, "foreign", ()),
    "OTel genai": (
        otel_genai,
        "foreign",
        (
            "opentelemetry-instrumentation-genai-openai",
            "opentelemetry-instrumentation-genai-anthropic",
        ),
    ),
    "OpenLLMetry": (
        openllmetry,
        "foreign-openllmetry",
        ("opentelemetry-instrumentation-openai", "opentelemetry-instrumentation-anthropic"),
    ),
    "OpenInference": (
        openinference,
        "foreign",
        ("openinference-instrumentation-openai", "openinference-instrumentation-anthropic"),
    ),
    "Logfire": (logfire, "foreign", ("logfire",)),
    "anthropic SDK": (anthropic_sdk, "foreign", ("anthropic",)),
}
"""By name: how to switch it on, the environment in ``ci/envs`` that has it, its distributions."""
