"""Where to hook the OpenAI Agents SDK.

Its spans say where an agent begins and ends, in the very context in which the model is called, and its
runner opens them even where tracing is off. Nothing in them is read but names, and no processor is added:
what the SDK traces, and where it sends it, stays as the user set it. Lifecycle hooks would not do: the SDK
runs them in tasks of their own, whose context the model call never sees.
"""

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import wrapt

from touchdown.integration import Seam, Undo, UnsuitableError
from touchdown_openai_agents.agents import AgentSpans
from touchdown_openai_agents.steps import OpenSteps
from touchdown_openai_agents.tools import FunctionTools

Target = tuple[Any, str, Callable[..., object]]

INVOKE = "_invoke_function_tool_with_metadata"
"""The one function through which the runner executes every function tool, agents used as tools included."""


class OpenAiAgents:
    """The OpenAI Agents SDK as an integration of touchdown."""

    name = "agents"
    supports = "openai-agents>=0.20,<0.25"

    def __init__(self) -> None:
        self._patched = False

    def patch(self, module: ModuleType, seam: Seam) -> Undo:
        """Install the hooks; a second time changes nothing."""
        if self._patched:
            return _nothing
        targets = _targets(module.__name__, seam)
        originals = [(owner, name, vars(owner)[name]) for owner, name, _ in targets]
        for owner, name, hook in targets:
            setattr(owner, name, wrapt.FunctionWrapper(vars(owner)[name], hook))
        self._patched = True

        def undo() -> None:
            for owner, name, original in originals:
                setattr(owner, name, original)
            self._patched = False

        return undo


def _targets(host: str, seam: Seam) -> list[Target]:
    """What to wrap with what. Errors: ``UnsuitableError`` for another package of that name."""
    tracing = sys.modules.get(f"{host}.tracing")
    spans = sys.modules.get(f"{host}.tracing.spans")
    execution = sys.modules.get(f"{host}.run_internal.tool_execution")
    if tracing is None or spans is None or not hasattr(execution, INVOKE):
        raise UnsuitableError(f"the module {host!r} is not the OpenAI Agents SDK as known here")
    steps = OpenSteps()
    agents = AgentSpans(seam, steps, tracing.AgentSpanData)
    tools = FunctionTools(seam, steps, tracing.get_current_span)
    targets: list[Target] = [(execution, INVOKE, tools.invoke)]
    for span in (spans.SpanImpl, spans.NoOpSpan):
        targets += [
            (span, "start", agents.start),
            (span, "finish", agents.finish),
            (span, "set_error", steps.set_error),
        ]
    return targets


def _nothing() -> None:
    """The undo of a patch that changed nothing."""
