"""The task of the process above this one: what happens outside any ``task()`` counts in it."""

import os
import sys
import threading
from collections.abc import Callable

from touchdown.records import AgentRun
from touchdown.runtime.identity import new_id, now_ns
from touchdown.runtime.place import Place, TaskState


class Joined:
    """A root task that another process opened and will close.

    Each program below it is an agent of its own, for its calls share no context with the others'; the
    first one is the task's first agent. ``agent_id`` is the agent that started it, the task's first if empty;
    ``tool_id`` the tool execution that did.
    A process of ``multiprocessing`` goes on as the agent of ``here``.
    """

    def __init__(
        self,
        state: TaskState,
        *,
        first: bool = False,
        agent_id: str = "",
        tool_id: str = "",
        here: Place | None = None,
    ) -> None:
        self.state = state
        self._first, self._agent_id, self._here = first, agent_id or state.id, here
        self._tool_id = tool_id
        self._begin()

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._place: Place | None = self._here
        self._began_ns = now_ns()

    def place(self, tell: Callable[[AgentRun], None]) -> Place:
        """Where a call outside any ``task()`` stands. ``tell`` hears of the agent that begins with it."""
        if self._place is None:
            with self._lock:
                if self._place is None:
                    self._place = self._make_place()
                    if not self._first:
                        tell(self._agent(self._place, 0))
        return self._place

    def _make_place(self) -> Place:
        task = self.state
        if self._first:
            return Place(task, task.id, task.record.name)
        return Place(task, new_id("agent"), _program_name())

    def _agent(self, here: Place, duration_ns: int) -> AgentRun:
        return AgentRun(
            id=here.agent_id,
            task_id=self.state.id,
            parent_id=self._agent_id,
            name=here.agent_name,
            started_at_ns=self._began_ns,
            duration_ns=duration_ns,
            inside=self._tool_id,
        )

    def after_fork(self) -> None:
        """In a child: another agent, with a lock of its own."""
        self._first = False
        self.state.lock = threading.RLock()
        self._begin()

    def ended(self) -> AgentRun | None:
        """This process as an agent run, when it was an agent of its own. A killed one keeps a length of 0."""
        here, self._place = self._place, None
        if here is None or self._first or self._here is not None:
            return None
        return self._agent(here, max(0, now_ns() - self._began_ns))


def _program_name() -> str:
    argv = getattr(sys, "argv", None) or [""]
    return os.path.basename(argv[0]).removesuffix(".py") or "python"
