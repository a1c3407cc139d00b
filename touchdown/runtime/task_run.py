"""One run of a task: opened, current while its code runs, closed once."""

from collections.abc import Mapping
from contextlib import ExitStack
from contextvars import Token
from dataclasses import replace
from types import TracebackType
from typing import Any

from touchdown.runtime import core
from touchdown.runtime.call import qualified_name
from touchdown.runtime.guard import failed, guarded
from touchdown.runtime.identity import now_ns
from touchdown.runtime.place import Place, current_place, new_task, reset_place, set_place


class TaskRun:
    """One run of a task; inside it the task is current. Closed once, by ``finish`` or an exception."""

    def __init__(self, name: str, fields: Mapping[str, Any]) -> None:
        self._runtime = core.active()
        here = current_place()
        parent = here.task if here is not None and not here.task.closed else None
        if parent is None and self._runtime is not None:
            parent = self._runtime.root
        self._parent_agent = here.agent_id if here is not None else ""
        key = self._runtime.options.digest_key if self._runtime else None
        self.state = new_task(name, parent=parent, digest_key=key, **fields)
        self._opened: list[Any] = []
        self._entered: list[tuple[Token[Place | None], ExitStack]] = []
        if self._runtime is not None:
            self._opened = self._runtime.open(self.state.record)
            self._identify()
            self._runtime.deliver_record(self.state.record)

    def _identify(self) -> None:
        trace_id, span_id = core.ids_of(self._opened)
        self.state.record = replace(self.state.record, trace_id=trace_id, span_id=span_id)

    def __enter__(self) -> "TaskRun":
        stack = ExitStack()
        try:
            stack.enter_context(core.activated(self._opened))
        except Exception:
            failed("task.enter")
        token = set_place(Place(self.state, self.state.id, self.state.record.name))
        self._entered.append((token, stack))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        token, stack = self._entered.pop()
        try:
            stack.close()
            reset_place(token)
        except Exception:
            failed("task.exit")
        if error is not None and not isinstance(error, (StopIteration, StopAsyncIteration)):
            self._close(qualified_name(error))

    def finish(self, result: object = None, *, status: str = "ok") -> None:
        """The task's code ended."""
        self._close(None if status in ("ok", "closed_early") else status)

    @guarded("task.close")
    def _close(self, error_type: str | None) -> None:
        state = self.state
        with state.lock:
            if state.closed:
                return
            state.closed = True
            duration = now_ns() - state.record.started_at_ns
            state.record = replace(state.record, duration_ns=duration, error_type=error_type)
        if self._runtime is not None:
            self._runtime.deliver_record(state.record, self._opened)
