"""One span of another's making into the record it tells of: a model call, a tool call or an agent run."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct
from msgspec.structs import replace

from touchdown.context.blocks import RequestView, count_chars
from touchdown.records import AgentRun, AnswerView, ContextShape, ModelCall, Output, ToolCall
from touchdown.records.call import CallStatus
from touchdown.telemetry.foreign.content import read_answer, read_request
from touchdown.telemetry.foreign.dialect import Dialect, Role
from touchdown.telemetry.foreign.dialects import dialect_of
from touchdown.telemetry.foreign.usage import read_usage
from touchdown.telemetry.foreign.values import Values
from touchdown.telemetry.span import SpanView

PROVIDERS: Mapping[str, str] = {
    "az.ai.inference": "azure.ai.inference",
    "az.ai.openai": "azure.ai.openai",
    "azure": "azure.ai.openai",
    "aws": "aws.bedrock",
    "bedrock": "aws.bedrock",
    "gemini": "gcp.gemini",
    "google": "gcp.gemini",
    "google-gla": "gcp.gemini",
    "google-vertex": "gcp.vertex_ai",
    "mistral": "mistral_ai",
    "mistralai": "mistral_ai",
    "vertex_ai": "gcp.vertex_ai",
    "vertexai": "gcp.vertex_ai",
    "xai": "x_ai",
}
"""Names of providers in use to those of the conventions, where they differ."""

CONTENT_EVENTS = frozenset(
    {
        "gen_ai.client.inference.operation.details",
        "gen_ai.content.prompt",
        "gen_ai.content.completion",
    }
)
"""Events that carry a call's content; of each the call itself is told by the span around it."""

VENDORS: Mapping[str, str] = {
    "openai": "openai",
    "azure.ai.openai": "openai",
    "anthropic": "anthropic",
}


class Read(Struct, frozen=True):
    """What a span tells. A span of no role is only a place in its trace.

    ``record`` knows nothing yet of its task and agent, nor of its context: ``request`` is that.
    """

    span: SpanView
    role: Role = "none"
    dialect: str = ""
    record: ModelCall | ToolCall | AgentRun | None = None
    request: RequestView | None = None
    conversation: str = ""
    agent_id: str = ""
    """The agent's own id, where the dialect names agents by attributes and not by spans."""
    parent_agent_id: str = ""
    agent_name: str = ""
    reported_usd: str = ""
    """What the span says the call cost: the instrumentation's own estimate."""


def read_span(span: SpanView) -> Read:
    """What this span tells. Attributes of the wrong type count as absent; nothing is raised for them."""
    dialect = dialect_of(span)
    if dialect is None:
        return Read(span)
    role = dialect.role_of(span)
    values = Values(dialect, attributes_of(span))
    read = Read(
        span,
        role,
        dialect.name,
        conversation=values.text("conversation"),
        agent_id=values.text("agent_id"),
        parent_agent_id=values.text("parent_agent_id"),
        agent_name=values.text("agent_name"),
    )
    if role in ("model", "opening"):
        call, request = _model_call(span, dialect, values)
        usd = values.usd("reported_usd")
        return replace(
            read, record=call, request=request, reported_usd="" if usd is None else str(usd)
        )
    if role == "tool":
        return replace(read, record=_tool_call(span, values))
    if role == "agent":
        return replace(read, record=_agent_run(span, values))
    return read


def attributes_of(span: SpanView) -> Mapping[str, Any]:
    """The attributes of a span, with the content that stands in its events instead."""
    if not span.events:
        return span.attributes
    inside: dict[str, Any] = {}
    messages: list[dict[str, Any]] = []
    for event in span.events:
        if event.name in CONTENT_EVENTS:
            inside.update(event.attributes)
        elif event.name.startswith("gen_ai.") and event.name.endswith(".message"):
            role = event.name.removeprefix("gen_ai.").removesuffix(".message")
            messages.append({"role": role, **event.attributes})
    if messages:
        inside.setdefault("gen_ai.input.messages", messages)
    return {**inside, **span.attributes}


def _model_call(span: SpanView, dialect: Dialect, values: Values) -> tuple[ModelCall, RequestView]:
    told = values.text("provider").lower() or dialect.provider
    provider = PROVIDERS.get(told, told)
    vendor = VENDORS.get(provider, provider)
    embeds = values.text("operation").lower().startswith("embedding")
    operation = "embeddings" if embeds else "chat"
    status = _status(span, values)
    answer = read_answer(values, vendor, operation) or AnswerView(output=Output())
    host, port = _address(values)
    first_ns = _first_chunk_ns(values)
    began_ns, lasted_ns = _times(span, values)
    call = ModelCall(
        id=span.span_id,
        task_id=span.trace_id,
        agent_id=span.trace_id,
        api="",
        operation=operation,
        provider=provider,
        vendor=vendor,
        sent_at_ns=began_ns,
        duration_ns=lasted_ns,
        usage=read_usage(dialect, values, vendor, operation, status != "ok"),
        context=ContextShape(),
        host=host,
        port=port,
        model=values.text("model"),
        response_model=values.text("response_model") or answer.model,
        response_id=values.text("response_id") or answer.response_id,
        stream=values.truth("stream") is True or first_ns is not None,
        first_chunk_ns=first_ns,
        output=answer.output,
        finish_reasons=values.texts("finish_reasons") or answer.finish_reasons,
        status=status,
        http_status=values.count("http_status"),
        error_type=(values.text("error_type") or None) if status == "error" else None,
        service_tier=values.text("service_tier") or answer.service_tier,
        speed=values.text("speed") or answer.speed,
        geography=answer.geography,
        conversation=values.text("conversation"),
        trace_id=span.trace_id,
        span_id=span.span_id,
    )
    return call, read_request(values, vendor, operation)


def _tool_call(span: SpanView, values: Values) -> ToolCall:
    result, size = values.get("tool_result"), values.count("result_size")
    failed = span.status == "ERROR" or values.truth("success") is False
    began_ns, lasted_ns = _times(span, values)
    return ToolCall(
        id=span.span_id,
        task_id=span.trace_id,
        agent_id=span.trace_id,
        name=values.text("tool_name") or span.name,
        started_at_ns=began_ns,
        source="integration",
        duration_ns=lasted_ns,
        call_id=values.text("tool_call_id") or None,
        output_chars=size if result is None else count_chars(result),
        failed=failed,
        failure="raised" if failed else None,
        error_type=(values.text("error_type") or None) if failed else None,
        status="error" if span.status == "ERROR" else "ok",
        trace_id=span.trace_id,
        span_id=span.span_id,
    )


def _agent_run(span: SpanView, values: Values) -> AgentRun:
    return AgentRun(
        id=span.span_id,
        task_id=span.trace_id,
        parent_id=span.trace_id,
        name=values.text("agent_name") or span.name,
        started_at_ns=span.began_ns,
        duration_ns=max(0, span.ended_ns - span.began_ns),
        error_type=(values.text("error_type") or None) if span.status == "ERROR" else None,
        status="error" if span.status == "ERROR" else "ok",
        trace_id=span.trace_id,
        span_id=span.span_id,
    )


def _status(span: SpanView, values: Values) -> CallStatus:
    if span.status == "ERROR" or values.truth("success") is False:
        return "error"
    return "ok"


def _times(span: SpanView, values: Values) -> tuple[int, int]:
    """When it began and how long it took; of an event at its end, what it says of its length."""
    lasted = max(0, span.ended_ns - span.began_ns)
    told = values.number("duration_s")
    milliseconds = values.number("duration_ms")
    if told is None and milliseconds is not None:
        told = milliseconds / 1e3
    if lasted or told is None or not 0 <= told < 1e7:
        return span.began_ns, lasted
    told_ns = min(round(told * 1e9), span.began_ns)
    return span.began_ns - told_ns, told_ns


def _first_chunk_ns(values: Values) -> int | None:
    seconds, milliseconds = values.number("first_chunk_s"), values.number("first_chunk_ms")
    if seconds is None and milliseconds is not None:
        seconds = milliseconds / 1e3
    return None if seconds is None or not 0 <= seconds < 1e7 else round(seconds * 1e9)


def _address(values: Values) -> tuple[str, int | None]:
    host, port = values.text("host"), values.count("port")
    if not host and (base := values.text("base_url")):
        try:
            parts = urlsplit(base)
            return parts.hostname or "", parts.port
        except ValueError:
            return "", None
    return host, port
