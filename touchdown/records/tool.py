"""One execution of a tool."""

from typing import Literal

from msgspec import Struct

from touchdown.records.clock import Mark

ToolSource = Literal["decorator", "context", "integration"]
Failure = Literal["raised", "protocol", "rule"]


class ToolCall(Struct, frozen=True):
    """One tool execution, seen by a decorator, an integration, or as a result in a context.

    Units: ``output_chars`` characters of the result as text, ``None`` when it could not be measured;
    times in nanoseconds, ``duration_ns`` is ``None`` for a call seen only in the context.
    """

    id: str
    task_id: str
    agent_id: str
    name: str
    started_at_ns: int
    source: ToolSource = "decorator"
    duration_ns: int | None = None
    call_id: str | None = None
    output_chars: int | None = None
    result_digest: str = ""
    argument_digest: str = ""
    failed: bool = False
    failure: Failure | None = None
    error_type: str | None = None
    read_only: bool = False
    human: bool = False
    """It asks a person."""
    status: Literal["ok", "error", "cancelled", "closed_early", "not_started"] = "ok"
    trace_id: str = ""
    span_id: str = ""
    inside: str = ""
    """Id of the tool execution that ran this one; empty outside one."""
    begun: Mark | None = None
    ended: Mark | None = None
    cpu_s: float | None = None
    """CPU seconds of this process while it ran, whatever ran beside it."""
    children_cpu_s: float | None = None
    """And of the child processes that ended in that time."""
