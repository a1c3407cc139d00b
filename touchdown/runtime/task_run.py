"""One run of a task: opened, current while its code runs, closed once."""

from collections.abc import Mapping
from types import TracebackType
from typing import Any

from msgspec.structs import replace

from touchdown.runtime import core
from touchdown.runtime.budget import Budget
from touchdown.runtime.guard import Guard, guarded, qualified_name, warn_once
from touchdown.runtime.identity import now_ns, this_process
from touchdown.runtime.inside import Inside
from touchdown.runtime.limits import Limits
from touchdown.runtime.loops import watch_loop
from touchdown.runtime.marks import cpu_since_s, cpu_so_far_s, mark_of, owned, take_mark
from touchdown.runtime.place import Place, new_task, standing_place
from touchdown.runtime.sinks import ids_of

OPENING = Guard("task.open")


class TaskRun:
    """One run of a task; inside it the task is current. Closed once, by ``finish`` or an exception."""

    def __init__(self, name: str, fields: Mapping[str, Any], limits: Limits | None = None) -> None:
        self.runtime = core.active()
        here = standing_place()
        parent = here.task if here is not None else None
        if parent is None and self.runtime is not None:
            parent = self.runtime.root
        key = self.runtime.options.digest_key if self.runtime else None
        self._cpu_before = cpu_so_far_s()
        inside = "" if here is None else _inside(here)
        self.state = new_task(
            name, parent=parent, around=here, digest_key=key, inside=inside, **fields
        )
        if self.runtime is not None:
            watch_loop(self.state)
        begun = mark_of(owned(self.state, take_mark()))
        self.state.record = replace(self.state.record, begun=begun)
        if limits is not None:
            self._limit(limits)
        self._opened: list[Any] = []
        self._process = this_process()
        self._entered: list[Inside] = []
        if self.runtime is not None:
            with OPENING:
                self._opened = self.runtime.open(self.state.record)
                self._identify()
                self.runtime.deliver_record(self.state.record)

    def _limit(self, limits: Limits) -> None:
        """Its budget stands before those of the tasks around it."""
        gate = self.runtime.gate if self.runtime is not None else None
        if gate is None:
            warn_once(
                "budget:off",
                "touchdown: the budget of task %r holds nothing: instrument() was not called, or is off",
                self.state.record.name,
            )
            return
        self.state.budgets = (Budget(self.state.record.name, limits), *self.state.budgets)
        if limits.usd is not None:
            gate.prepare()

    def _identify(self) -> None:
        trace_id, span_id = ids_of(self._opened)
        self.state.record = replace(self.state.record, trace_id=trace_id, span_id=span_id)

    def __enter__(self) -> "TaskRun":
        state = self.state
        place = Place(state, state.id, state.record.name, opened=self._opened)
        self._entered.append(Inside(self._opened, place).__enter__())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self._entered.pop().__exit__()
        if error is not None:
            self.fail(error)

    def finish(self, result: object = None, *, status: str = "ok") -> None:
        """The task's code ended."""
        self._close(None if status in ("ok", "closed_early") else status)

    def fail(self, error: BaseException) -> None:
        """The task's code ended with an exception."""
        self._close(None if isinstance(error, GeneratorExit) else qualified_name(error))

    @guarded("task.close")
    def _close(self, error_type: str | None) -> None:
        state = self.state
        with state.lock:
            if state.closed:
                return
            state.closed = True
            duration = now_ns() - state.record.started_at_ns
            own, children = cpu_since_s(self._cpu_before)
            state.change(
                duration_ns=duration,
                error_type=error_type,
                ended=mark_of(owned(state, take_mark())),
                cpu_s=own,
                children_cpu_s=children,
            )
        runtime = self.runtime or core.active()
        if runtime is not None and self._process == this_process():
            runtime.deliver_record(state.record, self._opened)


def _inside(here: Place) -> str:
    """The tool execution or agent run whose code opens a task inside the task where it stands."""
    return here.tool_id or (here.agent_id if here.agent_id != here.task.id else "")
