"""Agent runs: from the start of the SDK's agent span to its end.

A handoff ends one and begins the next, beside it: the conversation moves on, nothing is spawned. An agent
run inside a tool or a guardrail is below the agent that it serves.
"""

import sys

from touchdown.integration import Seam, guarded
from touchdown_openai_agents.steps import OpenStep, OpenSteps, Span, Wrapped


class AgentSpans:
    """Hooks on the start and the end of spans; spans of other kinds pass."""

    def __init__(self, seam: Seam, opened: OpenSteps, agent_data: type) -> None:
        self._seam, self._open, self._agent_data = seam, opened, agent_data

    def start(
        self, wrapped: Wrapped, span: Span, args: tuple[object, ...], kwargs: dict[str, object]
    ) -> object:
        """Around ``Span.start``: from here on what happens in this context belongs to the agent."""
        answer = wrapped(*args, **kwargs)
        if kwargs.get("mark_as_current", args[0] if args else False):
            self._begin(span)
        return answer

    def finish(
        self, wrapped: Wrapped, span: Span, args: tuple[object, ...], kwargs: dict[str, object]
    ) -> object:
        """Around ``Span.finish``."""
        self._end(span)
        return wrapped(*args, **kwargs)

    @guarded("openai-agents: agent begins")
    def _begin(self, span: Span) -> None:
        if not isinstance(span.span_data, self._agent_data) or self._open.get(span) is not None:
            return
        seen = self._seam.agent_run(str(getattr(span.span_data, "name", "agent")))
        if seen is not None:
            seen.__enter__()
            self._open.put(span, OpenStep(seen, handling=sys.exc_info()[1]))

    @guarded("openai-agents: agent ends")
    def _end(self, span: Span) -> None:
        run = self._open.pop(span) if isinstance(span.span_data, self._agent_data) else None
        if run is None:
            return
        error = sys.exc_info()[1]
        run.leave(None if error is run.handling else error)
        run.seen.finish(status="error" if run.flagged else "ok")
