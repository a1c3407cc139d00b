"""What users write: ``task()``, ``@agent``, ``@tool`` and ``current_task()``."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from contextvars import Token
from dataclasses import replace
from types import TracebackType
from typing import Any, Literal, TypeVar, cast, overload

import wrapt

from touchdown.accounting.account import TaskAccount
from touchdown.runtime import core
from touchdown.runtime.call import qualified_name
from touchdown.runtime.core import Receipt
from touchdown.runtime.driving import drive
from touchdown.runtime.guard import failed as note_failed
from touchdown.runtime.guard import guarded
from touchdown.runtime.identity import now_ns
from touchdown.runtime.place import (
    Place,
    TaskState,
    current_place,
    new_task,
    reset_place,
    set_place,
)
from touchdown.runtime.step import StepObservation, open_step

F = TypeVar("F", bound=Callable[..., Any])
Outcome = Literal["useful", "useless", "unknown"]
Failed = Callable[[Any], bool]


class Task:
    """One task: its name, its outcome, and its bill so far.

    ``totals`` and ``receipt()`` fold everything that has ended up to now, so they are right at any moment.
    """

    def __init__(self, state: TaskState) -> None:
        self._state = state

    @property
    def id(self) -> str:
        """The task's id, for outcomes that come later."""
        return self._state.id

    @property
    def name(self) -> str:
        """The task's name."""
        return self._state.record.name

    @property
    def totals(self) -> TaskAccount:
        """The account so far: money split into work, taxes and unexplained, tokens, cache, tools."""
        runtime = core.active()
        if runtime is None:
            return TaskAccount(
                task=self._state.record, not_observable={"*": "touchdown is not instrumented"}
            )
        return runtime.account(self._state.record)

    def receipt(self) -> Receipt:
        """The bill, split: print it, show it in a notebook, or take ``.report()`` from it."""
        return core.receipt_of(self.totals)

    def report(self) -> Any:
        """The same as an envelope ``touchdown.report/1`` (a pydantic model)."""
        return self.receipt().report()

    def useful(self) -> None:
        """The task reached its goal."""
        self._decide("useful", "")

    def useless(self, reason: str = "") -> None:
        """The task did not reach its goal, and why."""
        self._decide("useless", reason)

    def score(self, value: float) -> None:
        """How well the task did, on the user's own scale; says nothing of useful or useless."""
        self._change(score=float(value))

    @guarded("task.outcome")
    def _decide(self, outcome: Outcome, reason: str) -> None:
        self._change(outcome=outcome, outcome_reason=str(reason))

    @guarded("task.change")
    def _change(self, **fields: Any) -> None:
        state, runtime = self._state, core.active()
        with state.lock:
            state.record = replace(state.record, **fields)
        if runtime is not None:
            runtime.deliver_record(state.record)


class TaskScope:
    """What ``task(...)`` gives: a context manager, sync and async, and a decorator."""

    def __init__(self, name: str | None, fields: Mapping[str, Any]) -> None:
        self._name, self._fields = name, fields
        self._entered: list[_TaskRun] = []

    def __enter__(self) -> Task:
        run = _TaskRun(self._name or "task", self._fields)
        run.__enter__()
        self._entered.append(run)
        return Task(run.state)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        run = self._entered.pop()
        run.__exit__(kind, error, tb)
        run.finish()

    async def __aenter__(self) -> Task:
        return self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.__exit__(kind, error, tb)

    def __call__(self, function: F) -> F:
        name = str(self._name or getattr(function, "__name__", "task"))
        fields = self._fields

        @wrapt.decorator
        def in_task(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
            return drive(lambda: wrapped(*args, **kwargs), _TaskRun(name, fields))

        return cast("F", in_task(function))


class _TaskRun:
    """One run of a task; inside it the task is current. Closed once, by ``finish`` or an exception."""

    def __init__(self, name: str, fields: Mapping[str, Any]) -> None:
        self._runtime = core.active()
        here = current_place()
        parent = here.task if here is not None and not here.task.closed else None
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

    def __enter__(self) -> "_TaskRun":
        stack = ExitStack()
        try:
            stack.enter_context(core.activated(self._opened))
        except Exception:
            note_failed("task.enter")
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
            note_failed("task.exit")
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


@overload
def task(name: F, /) -> F: ...


@overload
def task(
    name: str | None = None,
    *,
    tags: Mapping[str, str] | None = None,
    user: str = "",
    conversation: str = "",
) -> TaskScope: ...


def task(
    name: Any = None,
    *,
    tags: Mapping[str, str] | None = None,
    user: str = "",
    conversation: str = "",
) -> Any:
    """A task: what a cost is a cost of. Use it in ``with``, in ``async with``, or as a decorator.

    Everything that happens inside belongs to it. A task inside a task counts in its parent.
    ``conversation`` becomes ``gen_ai.conversation.id``; ``tags`` go to the span and to reports.
    """
    fields = {"tags": dict(tags or {}), "user": user, "conversation": conversation}
    if callable(name):
        return TaskScope(None, fields)(name)
    return TaskScope(name, fields)


@overload
def agent(name: F, /) -> F: ...


@overload
def agent(name: str | None = None) -> Callable[[F], F]: ...


def agent(name: Any = None) -> Any:
    """Mark a function as an agent, or a sub-agent when another one calls it: a loop with its own context."""
    if callable(name):
        return _step_decorator("agent", None)(name)
    return _step_decorator("agent", name)


@overload
def tool(name: F, /) -> F: ...


@overload
def tool(
    name: str | None = None, *, failed: Failed | None = None, read_only: bool = False
) -> Callable[[F], F]: ...


def tool(name: Any = None, *, failed: Failed | None = None, read_only: bool = False) -> Any:
    """Mark a function as a tool: its time, the length of its output, and whether it failed.

    ``failed`` decides from the result whether the call failed (it always has when it raised).
    ``read_only`` says that the tool changes nothing, so that repeating it is unneeded.
    """
    if callable(name):
        return _step_decorator("tool", None)(name)
    return _step_decorator("tool", name, failed, read_only)


def _step_decorator(
    kind: Literal["tool", "agent"],
    name: str | None,
    failed: Failed | None = None,
    read_only: bool = False,
) -> Callable[[F], F]:
    def decorate(function: F) -> F:
        named = str(name or getattr(function, "__name__", kind))

        @wrapt.decorator
        def in_step(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
            seen = _open(kind, named, read_only, args, kwargs)
            if seen is None:
                return wrapped(*args, **kwargs)
            if failed is not None:
                return drive(lambda: wrapped(*args, **kwargs), _Ruled(seen, failed))
            return drive(lambda: wrapped(*args, **kwargs), seen)

        return cast("F", in_step(function))

    return decorate


@guarded("tasks.open")
def _open(
    kind: Literal["tool", "agent"], name: str, read_only: bool, args: Any, kwargs: Any
) -> StepObservation | None:
    arguments = [list(args), dict(kwargs)] if kind == "tool" else None
    return open_step(kind, name, read_only=read_only, arguments=arguments)


class _Ruled:
    """A tool's observation that asks the tool's own rule whether a result is a failure."""

    def __init__(self, seen: StepObservation, failed: Failed) -> None:
        self._seen, self._failed = seen, failed

    def __enter__(self) -> StepObservation:
        return self._seen.__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self._seen.__exit__(kind, error, tb)

    def finish(self, result: object = None, *, status: Any = "ok") -> None:
        by_rule = None
        try:
            by_rule = "rule" if status == "ok" and self._failed(result) else None
        except Exception:
            note_failed("tool.failed")
        self._seen.finish(result, status=status, failed_by=by_rule)


def current_task() -> Task | None:
    """The task the caller stands in, if need be that of its trace or process; ``None`` when off."""
    here = current_place()
    if here is not None and not here.task.closed:
        return Task(here.task)
    runtime = core.active()
    return None if runtime is None else Task(runtime.place().task)
