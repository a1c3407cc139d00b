"""What is handed to another process: a ticket with ids and a path, nothing secret."""

import re
from collections.abc import Callable, Mapping
from typing import Protocol

from msgspec import Struct

from touchdown.runtime.carried import Carried
from touchdown.runtime.place import Place

PARENT, PLACE, TRACEPARENT = "TOUCHDOWN_PARENT", "TOUCHDOWN_PLACE", "TRACEPARENT"
"""The environment of a child: where the process above listens, the task and agent there, the span there."""

_ID = re.compile(r"[a-z]{1,16}-[0-9A-Za-z_-]{1,64}")


class Ticket(Struct, frozen=True):
    """Where another process goes on. Without a ``task_id`` it stands in no task of the one above."""

    parent: str
    """The path of the socket above; its folder holds what the child must know."""
    task_id: str = ""
    agent_id: str = ""
    agent_name: str = ""
    traceparent: str = ""
    tool_id: str = ""
    """The tool execution that starts it."""

    @classmethod
    def of_environment(cls, environment: Mapping[str, str]) -> "Ticket | None":
        """The ticket that a program was started with; ids that are none are passed over."""
        parent = environment.get(PARENT, "")
        if not parent:
            return None
        task_id, agent_id, tool_id, *_ = [*environment.get(PLACE, "").split(" "), "", "", ""]
        if not (_ID.fullmatch(task_id) and _ID.fullmatch(agent_id)):
            task_id = agent_id = tool_id = ""
        traceparent = environment.get(TRACEPARENT, "")
        tool_id = tool_id if _ID.fullmatch(tool_id) else ""
        return cls(parent, task_id, agent_id, traceparent=traceparent, tool_id=tool_id)

    def environment(self) -> dict[str, str]:
        """The variables that tell a program the same."""
        told = {
            PARENT: self.parent,
            PLACE: f"{self.task_id} {self.agent_id} {self.tool_id}".strip(),
        }
        return {**told, TRACEPARENT: self.traceparent} if self.traceparent else told


class Family(Protocol):
    """The processes below this one, and the one above."""

    def ticket(self, carried: Carried, traceparent: str = "") -> Ticket | None:
        """For a process that is started here; ``None`` where nothing can be handed over."""
        ...

    def join(self, ticket: Ticket, *, program: bool) -> None:
        """Go on where the process above handed over; ``program``: as an agent of its own there."""
        ...

    def place(self, ticket: Ticket) -> Place | None:
        """Where a ticket leads, in the process that was handed it; ``None`` for no task."""
        ...

    def catch_up(self) -> None:
        """Take in all that the processes below have told so far."""
        ...

    def before_fork(self, inside: bool) -> None:
        """A fork is near; ``inside``: its child goes on with work of this process."""
        ...

    def after_fork(self) -> None:
        """In the child: tell the parent, where it goes on with the parent's work."""
        ...

    def close(self) -> None:
        """Take in what there is and end."""
        ...


class Above(Struct, frozen=True):
    """What the sinks of another process hold for a place: the ids of its span."""

    trace_id: str
    span_id: str

    @classmethod
    def of(cls, traceparent: str) -> "tuple[Above, ...]":
        """As in W3C Trace Context; malformed ones are nothing."""
        parts = traceparent.split("-")
        if len(parts) < 4 or len(parts[1]) != 32 or len(parts[2]) != 16:
            return ()
        return (cls(parts[1], parts[2]),)


entry_of: Callable[[Ticket], object] | None = None
"""Makes of a ticket what can be pickled and, where it is unpickled, sets touchdown up; set by the wiring."""
