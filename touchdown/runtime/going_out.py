"""What a request to another server says of where its caller stands."""

from urllib.parse import quote

from touchdown.runtime.core import Runtime

TASK, AGENT, TOOL = "touchdown.task", "touchdown.agent", "touchdown.tool"
"""Members of the baggage."""


def headers_here(runtime: Runtime) -> dict[str, str]:
    """``traceparent`` where a span is current, ``baggage`` where a task is."""
    told: dict[str, str] = {}
    traceparent, here = runtime.traceparent(), runtime.hand_over().place
    if traceparent:
        told["traceparent"] = traceparent
    if here is not None:
        ids = {TASK: here.task.id, AGENT: here.agent_id, TOOL: here.tool_id}
        told["baggage"] = ",".join(f"{name}={quote(id)}" for name, id in ids.items() if id)
    return told
