"""What a request to another server says of where its caller stands."""

from urllib.parse import quote

from touchdown.runtime.core import Runtime

TASK, AGENT = "touchdown.task", "touchdown.agent"
"""Members of the baggage."""


def headers_here(runtime: Runtime) -> dict[str, str]:
    """``traceparent`` where a span is current, ``baggage`` where a task is."""
    told: dict[str, str] = {}
    traceparent, here = runtime.traceparent(), runtime.hand_over().place
    if traceparent:
        told["traceparent"] = traceparent
    if here is not None:
        told["baggage"] = f"{TASK}={quote(here.task.id)},{AGENT}={quote(here.agent_id)}"
    return told
