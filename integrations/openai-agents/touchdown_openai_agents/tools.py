"""Function tools: one tool call per real execution.

The SDK turns what a tool raises into a message for the model. It says so to the tool's span, and that is
how the call is known to have failed, with the message as its result.
"""

from collections.abc import Awaitable, Callable

from touchdown.integration import Seam, guarded
from touchdown_openai_agents.steps import OpenStep, OpenSteps, Span


class FunctionTools:
    """Hooks on the invocation of function tools."""

    def __init__(
        self, seam: Seam, opened: OpenSteps, current_span: Callable[[], Span | None]
    ) -> None:
        self._seam, self._open, self._current_span = seam, opened, current_span

    async def invoke(
        self,
        wrapped: Callable[..., Awaitable[object]],
        _instance: object,
        args: tuple[object, ...],
        kwargs: dict[str, object],
    ) -> object:
        """Around the execution of one function tool."""
        span = self._span()
        execution = self._begin(span, **kwargs)
        if execution is None:
            return await wrapped(*args, **kwargs)
        try:
            answer = await wrapped(*args, **kwargs)
        except BaseException as error:
            self._leave(execution, span, error)
            raise
        self._leave(execution, span, None)
        self._finish(execution, answer)
        return answer

    @guarded("openai-agents: tool's span")
    def _span(self) -> Span | None:
        return self._current_span()

    @guarded("openai-agents: tool begins")
    def _begin(
        self,
        span: Span | None,
        *,
        function_tool: object,
        context: object,
        arguments: object,
        **_: object,
    ) -> OpenStep | None:
        call_id = getattr(context, "tool_call_id", None)
        seen = self._seam.tool_call(
            str(getattr(function_tool, "name", "tool")),
            call_id=call_id if isinstance(call_id, str) else None,
            arguments=arguments,
        )
        if seen is None:
            return None
        execution = OpenStep(seen)
        if span is not None:
            self._open.put(span, execution)
        seen.__enter__()
        return execution

    @guarded("openai-agents: tool ends")
    def _leave(self, execution: OpenStep, span: Span | None, error: BaseException | None) -> None:
        if span is not None:
            self._open.pop(span)
        execution.leave(error)

    @guarded("openai-agents: tool answered")
    def _finish(self, execution: OpenStep, answer: object) -> None:
        failed = execution.flagged or getattr(answer, "is_sdk_generated_error", False)
        execution.seen.finish(
            getattr(answer, "output", None),
            failed_by="protocol" if failed else None,
            error=execution.error,
        )
