"""What a span says from its beginning: its name, its kind, and what a sampler may decide by."""

from typing import NamedTuple

from opentelemetry.trace import SpanKind
from opentelemetry.util.types import AttributeValue

from touchdown.records import CallStart, Start, StepStart, TaskRecord
from touchdown.telemetry import attributes as names
from touchdown.telemetry.model_call import call_start_attributes
from touchdown.telemetry.steps import EXECUTE_TOOL, INVOKE_AGENT, INVOKE_WORKFLOW


class Begun(NamedTuple):
    """The beginning of a span. Units: nanoseconds since the epoch."""

    name: str
    kind: SpanKind
    at_ns: int


def begun(start: Start) -> Begun:
    """How the span of what starts begins."""
    if isinstance(start, CallStart):
        name = f"{start.operation} {start.model}" if start.model else start.operation
        return Begun(name, SpanKind.CLIENT, start.sent_at_ns)
    name = f"{_operation(start)} {start.name}".rstrip()
    return Begun(name, SpanKind.INTERNAL, start.started_at_ns)


def start_attributes(start: Start) -> dict[str, AttributeValue]:
    """What the span of what starts says from its beginning."""
    return call_attributes(start) if isinstance(start, CallStart) else _step_attributes(start)


def call_attributes(start: CallStart) -> dict[str, AttributeValue]:
    """What is known of a model call when it is sent."""
    attributes = call_start_attributes(
        start.operation, start.provider, start.model, start.host, start.port
    )
    if start.agent_name:
        attributes[names.AGENT_NAME] = start.agent_name
    return attributes


def _operation(start: StepStart | TaskRecord) -> str:
    if isinstance(start, StepStart):
        return EXECUTE_TOOL if start.kind == "tool" else INVOKE_AGENT
    return INVOKE_WORKFLOW


def _step_attributes(start: StepStart | TaskRecord) -> dict[str, AttributeValue]:
    operation = _operation(start)
    attributes: dict[str, AttributeValue] = {names.OPERATION: operation}
    if isinstance(start, StepStart) and operation == EXECUTE_TOOL:
        attributes[names.TOOL_NAME] = start.name
        if start.agent_name:
            attributes[names.AGENT_NAME] = start.agent_name
    else:
        attributes[names.AGENT_NAME] = start.name
    if start.conversation:
        attributes[names.CONVERSATION] = start.conversation
    return attributes
