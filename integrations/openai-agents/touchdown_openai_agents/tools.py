"""Function tools: one tool call per real execution.

The SDK turns what a tool raises into a message for the model. It says so to the tool's span, and that is
how the call is known to have failed, with the message as its result.
"""

import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from touchdown.integration import Seam, StepObservation, guarded
from touchdown_openai_agents.opened import OpenSteps, Span, Wrapped


@dataclass(slots=True)
class _Execution:
    seen: StepObservation
    span: Span | None
    flagged: bool = False
    """The SDK or the tool marked the tool's span as an error."""
    error: BaseException | None = None
    """What the tool raised, where the SDK made a message of it."""


class FunctionTools:
    """Hooks on the invocation of function tools, and on errors told to spans meanwhile."""

    def __init__(self, seam: Seam, current_span: Callable[[], Span | None]) -> None:
        self._seam, self._current_span = seam, current_span
        self._open: OpenSteps[_Execution] = OpenSteps()

    def invoke(
        self,
        wrapped: Callable[..., Awaitable[object]],
        instance: object,
        args: tuple[object, ...],
        kwargs: dict[str, object],
    ) -> Awaitable[object]:
        """Around the execution of one function tool."""
        return self._invoke(wrapped, args, kwargs)

    async def _invoke(
        self,
        wrapped: Callable[..., Awaitable[object]],
        args: tuple[object, ...],
        kwargs: dict[str, object],
    ) -> object:
        execution = self._begin(**kwargs)
        if execution is None:
            return await wrapped(*args, **kwargs)
        try:
            answer = await wrapped(*args, **kwargs)
        except BaseException as error:
            self._raised(execution, error)
            raise
        self._answered(execution, answer)
        return answer

    def set_error(
        self, wrapped: Wrapped, span: Span, args: tuple[object, ...], kwargs: dict[str, object]
    ) -> object:
        """Around ``Span.set_error``."""
        self._flag(span)
        return wrapped(*args, **kwargs)

    @guarded("openai-agents: tool begins")
    def _begin(
        self, *, function_tool: object, context: object, arguments: object, **_: object
    ) -> _Execution | None:
        call_id = getattr(context, "tool_call_id", None)
        seen = self._seam.tool_call(
            str(getattr(function_tool, "name", "tool")),
            call_id=call_id if isinstance(call_id, str) else None,
            arguments=arguments,
        )
        if seen is None:
            return None
        execution = _Execution(seen, self._current_span())
        seen.__enter__()
        if execution.span is not None:
            self._open.put(execution.span, execution)
        return execution

    @guarded("openai-agents: tool's span has an error")
    def _flag(self, span: Span) -> None:
        execution = self._open.get(span)
        if execution is not None:
            execution.flagged = True
            execution.error = sys.exc_info()[1] or execution.error

    @guarded("openai-agents: tool raised")
    def _raised(self, execution: _Execution, error: BaseException) -> None:
        self._leave(execution, error)

    @guarded("openai-agents: tool answered")
    def _answered(self, execution: _Execution, answer: object) -> None:
        self._leave(execution, None)
        failed = execution.flagged or getattr(answer, "is_sdk_generated_error", False)
        execution.seen.finish(
            getattr(answer, "output", None),
            failed_by="protocol" if failed else None,
            error=execution.error,
        )

    def _leave(self, execution: _Execution, error: BaseException | None) -> None:
        if execution.span is not None:
            self._open.pop(execution.span)
        execution.seen.__exit__(type(error) if error else None, error, None)
