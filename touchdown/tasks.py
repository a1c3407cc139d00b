"""What users write: ``task()``, ``@agent``, ``@tool`` and ``current_task()``."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import partial
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast, overload

from touchdown.runtime import core
from touchdown.runtime.decorated import Decorated, name_of
from touchdown.runtime.driving import drive
from touchdown.runtime.guard import guarded
from touchdown.runtime.limits import Limits, OnBudget, read_limits
from touchdown.runtime.place import TaskState, current_place, standing_place
from touchdown.runtime.receipt import Receipt, unaccounted
from touchdown.runtime.ruled import Failed, Ruled
from touchdown.runtime.step import StepObservation, open_step
from touchdown.runtime.task_run import TaskRun

if TYPE_CHECKING:
    from touchdown.accounting.account import TaskAccount

F = TypeVar("F", bound=Callable[..., Any])
Outcome = Literal["useful", "useless", "unknown"]


class Task:
    """One task: its name, its outcome, and its bill so far.

    ``totals`` and ``receipt()`` fold everything that has ended up to now, so they are right at any moment.
    """

    def __init__(self, state: TaskState, runtime: core.Runtime | None = None) -> None:
        self._state, self._runtime = state, runtime

    @property
    def id(self) -> str:
        """The task's id, for outcomes that come later."""
        return self._state.id

    @property
    def name(self) -> str:
        """The task's name."""
        return self._state.record.name

    @property
    def totals(self) -> "TaskAccount":
        """The account so far: money split into work, taxes and unexplained, tokens, cache, tools."""
        runtime = self._runtime or core.active()
        if runtime is None:
            return unaccounted(self._state.record)
        if self._state.record.refused_calls and not self._state.closed:
            runtime.deliver_record(self._state.record)
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
        record, runtime = self._state.change(**fields), self._runtime or core.active()
        if runtime is not None:
            runtime.deliver_record(record)


class TaskScope:
    """What ``task(...)`` gives: a context manager, sync and async, and a decorator."""

    def __init__(
        self, name: str | None, fields: Mapping[str, Any], limits: Limits | None = None
    ) -> None:
        self._name, self._fields, self._limits = name, fields, limits
        self._entered: list[TaskRun] = []

    def __enter__(self) -> Task:
        run = TaskRun(self._name or "task", self._fields, self._limits)
        run.__enter__()
        self._entered.append(run)
        return Task(run.state, run.runtime)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        run = self._innermost()
        self._entered.remove(run)
        run.__exit__(kind, error, tb)
        run.finish()

    def _innermost(self) -> TaskRun:
        """The run that ends here: several threads or coroutines may be inside one scope."""
        here, runs = current_place(), list(self._entered)
        mine = (run for run in reversed(runs) if here is not None and run.state is here.task)
        return next(mine, runs[-1])

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
        name, fields, limits = self._name or name_of(function), self._fields, self._limits

        def in_task(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
            return drive(partial(wrapped, *args, **kwargs), TaskRun(name, fields, limits))

        return cast("F", Decorated(function, in_task))


def _is_function(name: object) -> bool:
    """Whether a decorator was used bare; a ``classmethod`` object is no callable."""
    return not isinstance(name, str) and (callable(name) or isinstance(name, classmethod))


@overload
def task(name: F, /) -> F: ...


@overload
def task(
    name: str | None = None,
    *,
    tags: Mapping[str, str] | None = None,
    user: str = "",
    conversation: str = "",
    budget_usd: Decimal | float | None = None,
    budget_tokens: int | None = None,
    budget_seconds: float | None = None,
    max_calls: int | None = None,
    max_repeats: int | None = None,
    on_budget: OnBudget = "raise",
    unpriced: Literal["allow", "block"] = "allow",
) -> TaskScope: ...


def task(
    name: Any = None,
    *,
    tags: Mapping[str, str] | None = None,
    user: str = "",
    conversation: str = "",
    **budget: Any,
) -> Any:
    """A task: what a cost is a cost of. Use it in ``with``, in ``async with``, or as a decorator.

    Everything that happens inside belongs to it. A task inside a task counts in its parent.
    ``conversation`` becomes ``gen_ai.conversation.id``; ``tags`` go to the span and to reports.
    ``budget_usd``, ``budget_tokens``, ``budget_seconds`` and ``max_calls`` are what its model calls may take,
    those of tasks inside it too, and ``max_repeats`` how often in a row one agent may make the same call;
    ``on_budget`` says what becomes of a call that would take more (``docs/budgets.md``).
    Errors: ``ValueError`` for what is no limit.
    """
    fields = {"tags": dict(tags or {}), "user": user, "conversation": conversation}
    limits = read_limits(**budget)
    if _is_function(name):
        return TaskScope(None, fields, limits)(name)
    return TaskScope(name, fields, limits)


@overload
def agent(name: F, /) -> F: ...


@overload
def agent(name: str | None = None) -> Callable[[F], F]: ...


def agent(name: Any = None) -> Any:
    """Mark a function as an agent, or a sub-agent when another one calls it: a loop with its own context."""
    if _is_function(name):
        return _step_decorator("agent", None)(name)
    return _step_decorator("agent", name)


@overload
def tool(name: F, /) -> F: ...


@overload
def tool(
    name: str | None = None,
    *,
    failed: Failed | None = None,
    read_only: bool = False,
    human: bool = False,
) -> Callable[[F], F]: ...


def tool(
    name: Any = None,
    *,
    failed: Failed | None = None,
    read_only: bool = False,
    human: bool = False,
) -> Any:
    """Mark a function as a tool: its time, the length of its output, and whether it failed.

    ``failed`` decides from the result whether the call failed (it always has when it raised).
    ``read_only`` says that the tool changes nothing, so that repeating it is unneeded; ``human`` that it
    asks a person, whose time is no machine's.
    """
    if _is_function(name):
        return _step_decorator("tool", None)(name)
    return _step_decorator("tool", name, failed, {"read_only": read_only, "human": human})


def _step_decorator(
    kind: Literal["tool", "agent"],
    name: str | None,
    failed: Failed | None = None,
    declared: Mapping[str, Any] = MappingProxyType({}),
) -> Callable[[F], F]:
    def decorate(function: F) -> F:
        named = str(name or name_of(function))

        def in_step(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
            seen = _open(kind, named, declared, args, kwargs)
            if seen is None:
                return wrapped(*args, **kwargs)
            call = partial(wrapped, *args, **kwargs)
            return drive(call, seen if failed is None else Ruled(seen, failed))

        return cast("F", Decorated(function, in_step))

    return decorate


@guarded("tasks.open")
def _open(
    kind: Literal["tool", "agent"], name: str, declared: Mapping[str, Any], args: Any, kwargs: Any
) -> StepObservation | None:
    arguments = [list(args), dict(kwargs)] if kind == "tool" else None
    return open_step(kind, name, arguments=arguments, **declared)


def current_task() -> Task | None:
    """The task the caller stands in, if need be that of its trace or process; ``None`` when off."""
    here, runtime = standing_place(), core.active()
    if here is not None:
        return Task(here.task, runtime)
    return None if runtime is None else Task(runtime.place().task, runtime)
