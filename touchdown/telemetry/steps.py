"""Tool calls, agent runs and tasks as span attributes."""

from opentelemetry.util.types import AttributeValue

from touchdown.records import AgentRun, TaskRecord, ToolCall
from touchdown.telemetry import attributes as names
from touchdown.telemetry.known import known

EXECUTE_TOOL = "execute_tool"
INVOKE_AGENT = "invoke_agent"
INVOKE_WORKFLOW = "invoke_workflow"
"""A task is the workflow of the conventions: since v0.1.0 an agent's span under another operation."""

MOST_TAGS = 16


def tool_attributes(tool: ToolCall) -> dict[str, AttributeValue]:
    """A tool call; the task's and the agent's names come from elsewhere."""
    return known(
        {
            names.OPERATION: EXECUTE_TOOL,
            names.TOOL_NAME: tool.name,
            names.TOOL_TYPE: "function",
            names.TOOL_CALL_ID: tool.call_id,
            names.CALL_ID: tool.id,
            names.CALL_STATUS: tool.status,
            names.TASK_ID: tool.task_id,
            names.AGENT_ID: tool.agent_id,
            names.TOOL_OUTPUT_CHARS: tool.output_chars,
            names.TOOL_OUTPUT_DIGEST: tool.result_digest,
            names.TOOL_ARGUMENT_DIGEST: tool.argument_digest,
            names.TOOL_FAILED: tool.failed,
            names.TOOL_FAILURE: tool.failure,
            names.TOOL_READ_ONLY: tool.read_only or None,
            names.TOOL_SOURCE: tool.source,
        }
    )


def agent_attributes(run: AgentRun) -> dict[str, AttributeValue]:
    """An agent run. Usage is not summed here: backends that add it up would count it twice."""
    return known(
        {
            names.OPERATION: INVOKE_AGENT,
            names.AGENT_NAME: run.name,
            names.CALL_ID: run.id,
            names.CALL_STATUS: run.status,
            names.TASK_ID: run.task_id,
            names.AGENT_ID: run.id,
            names.AGENT_PARENT_ID: run.parent_id,
            names.AGENT_RESULT_CHARS: run.result_chars,
        }
    )


def task_attributes(task: TaskRecord) -> dict[str, AttributeValue]:
    """A task and what its user said of it; the settled figures come from the accountant."""
    told = known(
        {
            names.OPERATION: INVOKE_WORKFLOW,
            names.AGENT_NAME: task.name,
            names.CONVERSATION: task.conversation,
            names.USER: task.user,
            names.TASK_ID: task.id,
            names.TASK_NAME: task.name,
            names.TASK_PARENT_ID: task.parent_id,
            names.TASK_OUTCOME: task.outcome,
            names.TASK_OUTCOME_REASON: task.outcome_reason,
            names.TASK_SCORE: task.score,
        }
    )
    for key, value in list(task.tags.items())[:MOST_TAGS]:
        told[names.TASK_TAG.format(key=key)] = value
    return told
