"""The same calls for every instrumentation: `python foreign_agent.py NAME HOW URL FILE`, in its environment.

HOW is `spans` (FILE becomes OTLP in protobuf, and touchdown is not even imported), `live` (touchdown patches
no client and has only its span processor; FILE becomes its journal), or `both` (it patches them, too).
"""

import sys
from collections.abc import Callable
from typing import Any

import anthropic
import openai

LONG = " ".join(f"rule {number}: be exact about case {number}." for number in range(900))
QUESTION = [{"role": "user", "content": "Which files are there?"}]
TOOL = {"name": "list_files", "description": "Lists the files of a folder."}
SCHEMA = {"type": "object", "properties": {"folder": {"type": "string"}}}


def ask_openai(url: str) -> None:
    """Chat in one piece, as a stream, and again with a cached prefix and tools; responses; embeddings."""
    client = openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)
    system = [{"role": "system", "content": LONG}, *QUESTION]
    tools = [{"type": "function", "function": {**TOOL, "parameters": SCHEMA}}]
    model = "gpt-4o-mini"
    client.chat.completions.create(model=model, messages=system, tools=tools)  # type: ignore[call-overload]
    client.chat.completions.create(model=model, messages=system, tools=tools)  # type: ignore[call-overload]
    chunks = client.chat.completions.create(  # type: ignore[call-overload]
        model=model, messages=QUESTION, stream=True, stream_options={"include_usage": True}
    )
    for _ in chunks:
        pass
    client.responses.create(model=model, instructions=LONG, input="Which files are there?")
    for _ in client.responses.create(model=model, input="Which files?", stream=True):
        pass
    client.embeddings.create(model="text-embedding-3-small", input=["one", "two words"])
    client.close()


def ask_anthropic(url: str) -> None:
    """A prefix written to the cache and read again, with a tool's result; a stream."""
    client = anthropic.Anthropic(base_url=url, api_key="none", max_retries=0)
    cached = {"type": "text", "text": LONG, "cache_control": {"type": "ephemeral"}}
    asked: dict[str, Any] = {
        "model": "claude-sonnet-5",
        "max_tokens": 200,
        "system": [cached],
        "tools": [{**TOOL, "input_schema": SCHEMA}],
        "messages": list(QUESTION),
    }
    answer = client.messages.create(**asked)
    use = next(block for block in answer.content if block.type == "tool_use")
    result = {"type": "tool_result", "tool_use_id": use.id, "content": "a.py b.py"}
    asked["messages"] += [
        {"role": "assistant", "content": [block.model_dump() for block in answer.content]},
        {"role": "user", "content": [result]},
    ]
    client.messages.create(**asked)
    for _ in client.messages.create(**{**asked, "stream": True}):
        pass
    client.close()


def _genai(provider: Any) -> None:
    from opentelemetry.instrumentation.genai.anthropic import AnthropicInstrumentor
    from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor

    OpenAIInstrumentor().instrument(tracer_provider=provider)
    AnthropicInstrumentor().instrument(tracer_provider=provider)


def _openinference(provider: Any) -> None:
    from openinference.instrumentation.anthropic import AnthropicInstrumentor
    from openinference.instrumentation.openai import OpenAIInstrumentor

    OpenAIInstrumentor().instrument(tracer_provider=provider)
    AnthropicInstrumentor().instrument(tracer_provider=provider)


def _openllmetry(provider: Any) -> None:
    from opentelemetry.instrumentation.anthropic import AnthropicInstrumentor
    from opentelemetry.instrumentation.openai import OpenAIInstrumentor

    OpenAIInstrumentor().instrument(tracer_provider=provider)
    AnthropicInstrumentor().instrument(tracer_provider=provider)


def _anthropic_sdk(provider: Any) -> None:
    from opentelemetry import trace

    trace.set_tracer_provider(provider)


INSTRUMENTS: dict[str, Callable[[Any], None]] = {
    "genai": _genai,
    "openinference": _openinference,
    "openllmetry": _openllmetry,
    "anthropic-sdk": _anthropic_sdk,
}


def _trace(name: str, processor: Any) -> Callable[[], object]:
    """Set the instrumentation up; hands back what flushes its spans."""
    from opentelemetry.sdk.trace import TracerProvider

    if name == "logfire":
        import logfire

        logfire.configure(
            send_to_logfire=False,
            console=False,
            inspect_arguments=False,
            additional_span_processors=[processor],
        )
        logfire.instrument_openai()
        logfire.instrument_anthropic()
        return logfire.force_flush
    provider = TracerProvider()
    provider.add_span_processor(processor)
    INSTRUMENTS[name](provider)
    return provider.force_flush


def _write_spans(name: str, url: str, path: str) -> None:
    from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter = InMemorySpanExporter()
    flush = _trace(name, SimpleSpanProcessor(exporter))
    ask_openai(url)
    ask_anthropic(url)
    flush()
    with open(path, "wb") as file:
        file.write(encode_spans(exporter.get_finished_spans()).SerializeToString())


def _write_journal(name: str, how: str, url: str, path: str) -> None:
    import touchdown

    touchdown.instrument(clients=() if how == "live" else None, journal=path)
    _trace(name, touchdown.SpanProcessor())
    with touchdown.task("the same calls"):
        ask_openai(url)
        ask_anthropic(url)
    touchdown.uninstrument()


def main(name: str, how: str, url: str, path: str) -> None:
    """Make the calls, traced by the instrumentation of this name."""
    if how == "spans":
        _write_spans(name, url, path)
    else:
        _write_journal(name, how, url, path)


if __name__ == "__main__":
    main(*sys.argv[1:])
