"""Tool calls, agent runs and tasks as span attributes, and the records again."""

from opentelemetry.util.types import AttributeValue

from touchdown.records import AgentRun, TaskRecord, ToolCall
from touchdown.telemetry import attributes as names
from touchdown.telemetry.clocks import AGENT_CLOCKS, TASK_CLOCKS, TOOL_CLOCKS
from touchdown.telemetry.facts import (
    COUNT,
    FLAG,
    NUMBER,
    TRUTH,
    WHOLE,
    Attributes,
    Fact,
    Facts,
    read_facts,
    read_template,
    write_facts,
    write_template,
)

EXECUTE_TOOL = "execute_tool"
INVOKE_AGENT = "invoke_agent"
INVOKE_WORKFLOW = "invoke_workflow"
"""A task is the workflow of the conventions: since v0.1.0 an agent's span under another operation."""

MOST_TAGS = 48

_TOOL = Facts(
    *TOOL_CLOCKS,
    Fact("name", names.TOOL_NAME),
    Fact("call_id", names.TOOL_CALL_ID),
    Fact("output_chars", names.TOOL_OUTPUT_CHARS, WHOLE),
    Fact("result_digest", names.TOOL_OUTPUT_DIGEST),
    Fact("argument_digest", names.TOOL_ARGUMENT_DIGEST),
    Fact("failed", names.TOOL_FAILED, TRUTH),
    Fact("failure", names.TOOL_FAILURE),
    Fact("read_only", names.TOOL_READ_ONLY, FLAG),
    Fact("source", names.TOOL_SOURCE),
    Fact("status", names.CALL_STATUS),
    Fact("id", names.CALL_ID),
    Fact("task_id", names.TASK_ID),
    Fact("agent_id", names.AGENT_ID),
)
_AGENT = Facts(
    *AGENT_CLOCKS,
    Fact("name", names.AGENT_NAME),
    Fact("parent_id", names.AGENT_PARENT_ID),
    Fact("result_chars", names.AGENT_RESULT_CHARS, WHOLE),
    Fact("status", names.CALL_STATUS),
    Fact("id", names.CALL_ID),
    Fact("task_id", names.TASK_ID),
)
_TASK = Facts(
    *TASK_CLOCKS,
    Fact("conversation", names.CONVERSATION),
    Fact("user", names.USER),
    Fact("parent_id", names.TASK_PARENT_ID),
    Fact("outcome", names.TASK_OUTCOME),
    Fact("outcome_reason", names.TASK_OUTCOME_REASON),
    Fact("refused_calls", names.TASK_REFUSED_CALLS, COUNT),
    Fact("revision", names.TASK_REVISION, COUNT),
    Fact("score", names.TASK_SCORE, NUMBER),
    Fact("name", names.TASK_NAME),
    Fact("id", names.TASK_ID),
)


def tool_attributes(tool: ToolCall) -> dict[str, AttributeValue]:
    """A tool call; the task's and the agent's names come from elsewhere."""
    told = {**write_facts(_TOOL, tool), names.OPERATION: EXECUTE_TOOL, names.TOOL_TYPE: "function"}
    if tool.duration_ns is None:
        told[names.CALL_UNTIMED] = True
    return told


def read_tool(attributes: Attributes, began_ns: int, lasted_ns: int) -> ToolCall:
    """The tool call that a span tells of."""
    untimed = names.CALL_UNTIMED in attributes
    return ToolCall(
        **{"name": "", "agent_id": "", **read_facts(_TOOL, attributes)},
        started_at_ns=began_ns,
        duration_ns=None if untimed else lasted_ns,
    )


def agent_attributes(run: AgentRun) -> dict[str, AttributeValue]:
    """An agent run. Usage is not summed here: backends that add it up would count it twice."""
    return {**write_facts(_AGENT, run), names.AGENT_ID: run.id, names.OPERATION: INVOKE_AGENT}


def read_agent(attributes: Attributes, began_ns: int, lasted_ns: int) -> AgentRun:
    """The agent run that a span tells of."""
    return AgentRun(
        **{"name": "", "parent_id": "", **read_facts(_AGENT, attributes)},
        started_at_ns=began_ns,
        duration_ns=lasted_ns,
    )


def task_attributes(task: TaskRecord, most_tags: int = MOST_TAGS) -> dict[str, AttributeValue]:
    """A task and what its user said of it; the settled figures come from the accountant."""
    told = {**write_facts(_TASK, task), names.OPERATION: INVOKE_WORKFLOW}
    if task.name:
        told[names.AGENT_NAME] = task.name
    return {**told, **write_template(names.TASK_TAG, dict(list(task.tags.items())[:most_tags]))}


def read_task(attributes: Attributes, began_ns: int, lasted_ns: int) -> TaskRecord:
    """The task that a span tells of."""
    return TaskRecord(
        **{"name": "", **read_facts(_TASK, attributes)},
        started_at_ns=began_ns,
        duration_ns=lasted_ns,
        tags=read_template(names.TASK_TAG, str, attributes),
    )
