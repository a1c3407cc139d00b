"""Small spans in the words of each dialect."""

import itertools
from collections.abc import Iterable
from typing import Any

from touchdown.records import AgentRun, ModelCall, TaskRecord, Told, ToolCall
from touchdown.telemetry.reading import read_records
from touchdown.telemetry.span import SpanEvent, SpanView

TRACE = "0af7651916cd43dd8448eb211c80319c"
_numbers = itertools.count(1)


def span(
    name: str,
    attributes: dict[str, Any],
    *,
    parent: SpanView | None = None,
    scope: str = "",
    trace: str = TRACE,
    began: int = 0,
    ended: int = 0,
    status: str = "UNSET",
    events: tuple[SpanEvent, ...] = (),
) -> SpanView:
    number = next(_numbers)
    began = began or number * 1_000
    return SpanView(
        name=name,
        trace_id=trace,
        span_id=f"{number:016x}",
        parent_id=parent.span_id if parent else "",
        began_ns=began,
        ended_ns=ended or began + 500,
        attributes=attributes,
        scope=scope,
        status=status,
        events=events,
    )


def chat(tokens: int, *, parent: SpanView | None = None, **more: Any) -> SpanView:
    """A model call of OpenTelemetry's GenAI conventions."""
    told = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-5",
        "gen_ai.usage.input_tokens": tokens,
        "gen_ai.usage.output_tokens": 1,
    }
    return span("chat gpt-5", {**told, **more}, parent=parent)


def agent(name: str, *, parent: SpanView | None = None, tokens: int = 0) -> SpanView:
    """An agent's span, with the sum of its calls' usage on it."""
    told: dict[str, Any] = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": name}
    if tokens:
        told |= {"gen_ai.usage.input_tokens": tokens, "gen_ai.usage.output_tokens": tokens}
    return span(f"invoke_agent {name}", told, parent=parent)


def tool(name: str, *, parent: SpanView | None = None, **more: Any) -> SpanView:
    told = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": name}
    return span(f"execute_tool {name}", {**told, **more}, parent=parent)


def read(*spans: SpanView) -> list[Told]:
    return list(read_records(spans))


def calls(told: Iterable[Told]) -> list[ModelCall]:
    return [one for one in told if isinstance(one, ModelCall)]


def tools(told: Iterable[Told]) -> list[ToolCall]:
    return [one for one in told if isinstance(one, ToolCall)]


def agents(told: Iterable[Told]) -> list[AgentRun]:
    return [one for one in told if isinstance(one, AgentRun)]


def tasks(told: Iterable[Told]) -> list[TaskRecord]:
    return [one for one in told if isinstance(one, TaskRecord)]
