"""The fact that a tool call or an agent run began."""

from typing import Literal

from msgspec import Struct


class StepStart(Struct, frozen=True):
    """A tool call or agent run that began. Units: ``started_at_ns`` nanoseconds since the epoch."""

    kind: Literal["tool", "agent"]
    id: str
    task_id: str
    agent_id: str
    """The agent that runs the tool, or the parent of the agent that began."""
    name: str
    started_at_ns: int
    agent_name: str = ""
    call_id: str | None = None
    conversation: str = ""
