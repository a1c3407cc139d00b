"""The dialects, most particular first. A new one is a table here, and rows in its test.

Source: the packages as installed on 2026-11-24 (genai 1.3b0, openinference-openai 0.1.66 and -anthropic
3.1.0, OpenLLMetry 0.62.4, logfire 5.4.0, anthropic 2.13.0), and for those that were not run here
(Pydantic AI 2.66, Claude Code 2.1, Copilot) their vendors' documentation as of 2026-11-23.
"""

from collections.abc import Mapping

from touchdown.telemetry.foreign.dialect import ANY, Dialect, Names, Role
from touchdown.telemetry.span import SpanView

_OPERATIONS: Mapping[str, Role] = {
    "chat": "model",
    "generate_content": "model",
    "text_completion": "model",
    "embeddings": "model",
    "invoke_agent": "agent",
    "invoke_workflow": "agent",
    "create_agent": "none",
    "execute_tool": "tool",
}

_GEN_AI: Names = {
    "operation": ("gen_ai.operation.name",),
    "provider": ("gen_ai.provider.name", "gen_ai.system"),
    "model": ("gen_ai.request.model",),
    "response_model": ("gen_ai.response.model",),
    "response_id": ("gen_ai.response.id",),
    "finish_reasons": ("gen_ai.response.finish_reasons",),
    "stream": ("gen_ai.request.stream",),
    "first_chunk_s": ("gen_ai.response.time_to_first_chunk",),
    "service_tier": ("openai.response.service_tier", "gen_ai.openai.response.service_tier"),
    "conversation": ("gen_ai.conversation.id",),
    "host": ("server.address",),
    "port": ("server.port",),
    "http_status": ("http.response.status_code",),
    "error_type": ("error.type",),
    "agent_name": ("gen_ai.agent.name", "gen_ai.workflow.name"),
    "tool_name": ("gen_ai.tool.name",),
    "tool_call_id": ("gen_ai.tool.call.id",),
    "tool_arguments": ("gen_ai.tool.call.arguments",),
    "tool_result": ("gen_ai.tool.call.result",),
    "input": ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"),
    "output": ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"),
    "cache_read": (
        "gen_ai.usage.cache_read.input_tokens",
        "gen_ai.usage.cache_read_input_tokens",
        "gen_ai.usage.details.cache_read_tokens",
    ),
    "cache_write": (
        "gen_ai.usage.cache_write.input_tokens",
        "gen_ai.usage.cache_creation.input_tokens",
        "gen_ai.usage.cache_creation_input_tokens",
        "gen_ai.usage.details.cache_write_tokens",
    ),
    "reasoning": ("gen_ai.usage.reasoning.output_tokens", "gen_ai.usage.reasoning_tokens"),
    "system": ("gen_ai.system_instructions",),
    "tools": ("gen_ai.tool.definitions",),
    "messages": ("gen_ai.input.messages", "gen_ai.prompt"),
    "answer": ("gen_ai.output.messages", "gen_ai.completion"),
}

GEN_AI = Dialect(
    "gen_ai",
    "OpenTelemetry's GenAI conventions, old names and new; Copilot's spans keep to them",
    _GEN_AI,
    signs=("gen_ai.operation.name", "gen_ai.system", "gen_ai.provider.name"),
    roles=(("gen_ai.operation.name", _OPERATIONS),),
)

OPENLLMETRY = Dialect(
    "openllmetry",
    "OpenLLMetry and Traceloop",
    {
        **_GEN_AI,
        "base_url": ("gen_ai.openai.api_base",),
        "stream": ("gen_ai.is_streaming", "llm.is_streaming"),
        "input": (*_GEN_AI["input"], "llm.usage.prompt_tokens"),
        "output": (*_GEN_AI["output"], "llm.usage.completion_tokens"),
        "reasoning": (*_GEN_AI["reasoning"], "llm.usage.reasoning_tokens"),
        "agent_name": (*_GEN_AI["agent_name"], "traceloop.entity.name"),
        "tool_name": (*_GEN_AI["tool_name"], "traceloop.entity.name"),
        "tool_arguments": ("traceloop.entity.input",),
        "tool_result": ("traceloop.entity.output",),
        "flat_messages": ("gen_ai.prompt.",),
        "flat_answer": ("gen_ai.completion.",),
    },
    scopes=("opentelemetry.instrumentation.openai.v", "opentelemetry.instrumentation.anthropic"),
    signs=("traceloop.span.kind", "llm.request.type", "traceloop.entity.name"),
    roles=(
        (
            "traceloop.span.kind",
            {"agent": "agent", "workflow": "agent", "tool": "tool", "task": "none"},
        ),
        (
            "llm.request.type",
            {"chat": "model", "completion": "model", "embedding": "model", "rerank": "none"},
        ),
        ("gen_ai.operation.name", _OPERATIONS),
    ),
)

OPENINFERENCE = Dialect(
    "openinference",
    "OpenInference",
    {
        "operation": ("openinference.span.kind",),
        "provider": ("llm.provider", "llm.system"),
        "model": ("llm.request.model_name", "llm.model_name", "embedding.model_name"),
        "response_model": (
            "llm.response.model_name",
            "llm.model_name",
            "embedding.model_name",
        ),
        "finish_reasons": ("llm.finish_reason",),
        "conversation": ("session.id",),
        "agent_name": ("agent.name",),
        "tool_name": ("tool.name",),
        "tool_call_id": ("tool_call.id", "tool.id"),
        "tool_arguments": ("input.value",),
        "tool_result": ("output.value",),
        "input": ("llm.token_count.prompt",),
        "output": ("llm.token_count.completion",),
        "cache_read": (
            "llm.token_count.prompt_details.cache_read",
            "llm.token_count.prompt_details.cache_input",
        ),
        "cache_write": ("llm.token_count.prompt_details.cache_write",),
        "reasoning": ("llm.token_count.completion_details.reasoning",),
        "request_json": ("input.value",),
        "answer_json": ("output.value",),
        "flat_messages": ("llm.input_messages.",),
        "flat_answer": ("llm.output_messages.",),
        "flat_tools": ("llm.tools.",),
    },
    signs=("openinference.span.kind",),
    roles=(
        (
            "openinference.span.kind",
            {"llm": "model", "embedding": "model", "agent": "agent", "tool": "tool"},
        ),
    ),
)

_LOGFIRE_NAMES: Names = {
    **_GEN_AI,
    "reported_usd": ("operation.cost",),
    "usage_json": ("gen_ai.usage.raw",),
    "request_json": ("request_data",),
    "answer_json": ("response_data",),
    "duration_s": ("duration",),
}
LOGFIRE = Dialect(
    "logfire",
    "Logfire: a stream is two spans, its opening and its end",
    _LOGFIRE_NAMES,
    scopes=("logfire.openai", "logfire.anthropic"),
    signs=("request_data",),
    # Older versions have no operation on their spans: what carries a request is a model call.
    roles=(("gen_ai.operation.name", _OPERATIONS), ("request_data", {ANY: "model"})),
    unless=("gen_ai.response.id", "gen_ai.usage.input_tokens", "gen_ai.usage.raw", "response_data"),
)

PYDANTIC_AI = Dialect(
    "pydantic-ai",
    "Pydantic AI: the usage on agents' spans is a sum",
    {**_GEN_AI, "reported_usd": ("operation.cost",)},
    scopes=("pydantic-ai", "pydantic_ai"),
    roles=(("gen_ai.operation.name", _OPERATIONS), ("gen_ai.tool.name", {ANY: "tool"})),
    spans={"agent run": "agent", "running tool": "tool"},
)

ANTHROPIC_SDK = Dialect(
    "anthropic-sdk",
    "the anthropic SDK's own tracing",
    {
        **_GEN_AI,
        "finish_reasons": ("anthropic.message.stop_reason",),
        "service_tier": ("anthropic.response.service_tier",),
        "written_5m": ("anthropic.usage.cache_creation.ephemeral_5m_input_tokens",),
        "written_1h": ("anthropic.usage.cache_creation.ephemeral_1h_input_tokens",),
    },
    scopes=("com.anthropic.sdk.python",),
    roles=(("gen_ai.operation.name", _OPERATIONS),),
    provider="anthropic",
)

CLAUDE_CODE = Dialect(
    "claude-code",
    "Claude Code's spans and events",
    {
        "model": ("model", "gen_ai.request.model"),
        "response_id": ("request_id", "gen_ai.response.id"),
        "finish_reasons": ("stop_reason", "gen_ai.response.finish_reasons"),
        "conversation": ("session.id",),
        "first_chunk_ms": ("ttft_ms",),
        "duration_ms": ("duration_ms",),
        "speed": ("speed",),
        "agent_id": ("agent_id",),
        "parent_agent_id": ("parent_agent_id",),
        "agent_name": ("agent.name", "query_source"),
        "tool_name": ("tool_name",),
        "tool_call_id": ("tool_use_id", "gen_ai.tool.call.id"),
        "result_size": ("tool_result_size_bytes",),
        "success": ("success",),
        "error_type": ("error_type", "error"),
        "input": ("input_tokens",),
        "output": ("output_tokens",),
        "cache_read": ("cache_read_tokens",),
        "cache_write": ("cache_creation_tokens",),
        "reported_usd": ("cost_usd",),
    },
    scopes=("com.anthropic.claude_code",),
    spans={
        "claude_code.interaction": "none",
        "claude_code.llm_request": "model",
        "claude_code.api_request": "model",
        "claude_code.tool": "tool",
        "claude_code.tool_result": "tool",
    },
    input_includes_cache=False,
    provider="anthropic",
)

DIALECTS: tuple[Dialect, ...] = (
    CLAUDE_CODE,
    OPENINFERENCE,
    LOGFIRE,
    PYDANTIC_AI,
    ANTHROPIC_SDK,
    OPENLLMETRY,
    GEN_AI,
)
"""The first that fits reads a span."""

_SIGNS = frozenset(sign for dialect in DIALECTS for sign in dialect.signs)
_SPANS = frozenset(name for dialect in DIALECTS for name in dialect.spans)
_SCOPES = tuple(scope for dialect in DIALECTS for scope in dialect.scopes)


def dialect_of(span: SpanView) -> Dialect | None:
    """Whose span this is; ``None`` for one that says nothing of models, agents or tools."""
    named = span.name in _SPANS or span.scope.startswith(_SCOPES)
    if not named and _SIGNS.isdisjoint(span.attributes):
        return None
    return next((dialect for dialect in DIALECTS if dialect.fits(span)), None)
