"""One run of an agent or sub-agent inside a task."""

from typing import Literal

from msgspec import Struct

from touchdown.records.clock import Mark


class AgentRun(Struct, frozen=True):
    """One run of an agent. Units: times in nanoseconds, ``result_chars`` characters handed back."""

    id: str
    task_id: str
    parent_id: str
    """Id of the agent that spawned this one; the task's own id for a first agent."""
    name: str
    started_at_ns: int
    duration_ns: int
    result_chars: int | None = None
    error_type: str | None = None
    status: Literal["ok", "error", "cancelled", "closed_early", "not_started"] = "ok"
    trace_id: str = ""
    span_id: str = ""
    inside: str = ""
    """Id of the tool execution that started the run; empty outside one."""
    begun: Mark | None = None
    ended: Mark | None = None
