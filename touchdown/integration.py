"""The seam for third parties, and for our own clients: how an SDK or a framework tells what happened.

An integration patches its host and calls the :class:`Seam`; it never touches a span, a price or a ledger.
Only the model-call layer counts usage: a framework adds tools and agents, so nothing is billed twice.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Protocol, runtime_checkable

from touchdown.context.blocks import Block as Block
from touchdown.context.blocks import RequestView as RequestView
from touchdown.records import AnswerView as AnswerView
from touchdown.records import CallStart
from touchdown.records import Output as Output
from touchdown.records import ToolRequest as ToolRequest
from touchdown.records import Usage as Usage
from touchdown.runtime import core
from touchdown.runtime.admission import Admission as Admission
from touchdown.runtime.admission import Asked as Asked
from touchdown.runtime.arming import UnsuitableError as UnsuitableError
from touchdown.runtime.call import CallObservation as CallObservation
from touchdown.runtime.going_out import headers_here
from touchdown.runtime.guard import Guard as Guard
from touchdown.runtime.guard import failed
from touchdown.runtime.guard import guarded as guarded
from touchdown.runtime.guard import warn_once as warn_once
from touchdown.runtime.identity import new_id, now_ns
from touchdown.runtime.limits import BudgetExceeded as BudgetExceeded
from touchdown.runtime.listening import Listening
from touchdown.runtime.place import Place, standing_place
from touchdown.runtime.reading import CallReader as CallReader
from touchdown.runtime.reading import StreamReader as StreamReader
from touchdown.runtime.serving import ServingHost as ServingHost
from touchdown.runtime.serving import add_headers as add_headers
from touchdown.runtime.step import StepObservation as StepObservation
from touchdown.runtime.step import open_step

Undo = Callable[[], None]
"""Puts back what a patch replaced, by identity."""


class Seam:
    """What an integration may say. Every method gives ``None`` when touchdown is off.

    None raises but ``admit``, which is asked before a call is sent and stops it by raising.
    """

    __slots__ = ()

    @property
    def stream_usage(self) -> bool:
        """Whether the user allowed asking for usage on streams that would not report it."""
        runtime = core.active()
        return runtime is not None and runtime.options.stream_usage

    @property
    def cache_diagnostics(self) -> bool:
        """Whether the user allowed asking providers for their verdict on the prefix cache."""
        runtime = core.active()
        return runtime is not None and runtime.options.cache_diagnostics

    def serving(self, host: str, port: int | None) -> ServingHost | None:
        """The host as the user named it with ``touchdown.engine``; ``None`` for any other one."""
        runtime = core.active()
        hosts = None if runtime is None else runtime.serving
        return None if hosts is None else hosts.of(host, port)

    def headers_to(self, host: str, port: int | None) -> dict[str, str]:
        """What a request to this host says of its task, where the user named the host; else nothing."""
        runtime = core.active()
        named = () if runtime is None else runtime.options.propagate_to
        if runtime is None or not named or not {host, f"{host}:{port}"}.intersection(named):
            return {}
        return _headers(runtime) or {}

    def admit(self, asked: Asked) -> Admission | None:
        """Reserve what a call may take in its budgets; ``None`` when it has none. Before ``model_call``.

        Call it where an exception reaches the user. Hand what you get to ``model_call``; ``release`` it
        when nothing is sent after all.
        Errors: :class:`BudgetExceeded`, or what the user's ``on_budget`` raises: the call must not be sent.
        """
        runtime = core.active()
        gate = None if runtime is None else runtime.gate
        if runtime is None or gate is None:
            return None
        here = standing_place()
        task = runtime.root if here is None else here.task
        if not (gate.budgets or (task is not None and task.budgets)):
            return None
        place = here or _place(runtime)
        return None if place is None else gate.admit(place, asked)

    def model_call(
        self,
        reader: CallReader,
        *,
        vendor: str,
        provider: str,
        model: str,
        host: str = "",
        port: int | None = None,
        conversation: str = "",
        adopt: bool = False,
        admission: Admission | None = None,
    ) -> CallObservation | None:
        """A model call is being sent. Close what you get with ``finish`` or ``fail``."""
        runtime = core.active()
        if runtime is None:
            return None
        try:
            place = runtime.place() if admission is None else admission.place
            start = CallStart(
                new_id("call"),
                place.task.id,
                place.agent_id,
                provider,
                model,
                reader.operation,
                now_ns(),
                host,
                port,
                place.agent_name,
                conversation or place.task.record.conversation,
                adopt,
            )
            content = runtime.options.content
            reader = reader if content is None else Listening(reader, content)
            return CallObservation(runtime, reader, start, place, vendor, admission)
        except Exception:
            failed("seam.model_call")
            return None

    @guarded("seam.tool_call")
    def tool_call(
        self,
        name: str,
        *,
        call_id: str | None = None,
        read_only: bool = False,
        arguments: object = None,
    ) -> StepObservation | None:
        """A tool begins. Enter what you get; close it with ``finish(result)`` or ``fail(error)``.

        ``arguments`` are kept as a keyed digest only. A tool that raised, and whose host made a result
        of that for the model, is closed with ``finish(result, error=error)``: it failed.
        """
        return open_step(
            "tool",
            name,
            source="integration",
            call_id=call_id,
            read_only=read_only,
            arguments=arguments,
        )

    @guarded("seam.agent_run")
    def agent_run(self, name: str) -> StepObservation | None:
        """An agent begins: model calls and tools inside what you get belong to it."""
        return open_step("agent", name, source="integration")


@guarded("seam.headers")
def _headers(runtime: core.Runtime) -> dict[str, str]:
    return headers_here(runtime)


@guarded("seam.place")
def _place(runtime: core.Runtime) -> Place | None:
    return runtime.place()


@runtime_checkable
class Integration(Protocol):
    """What an entry point of the group ``touchdown.integrations`` names; the entry's name is the host's."""

    name: str
    """The host's import name, e.g. ``agents``."""
    supports: str
    """Version range of the host's distribution, e.g. ``openai-agents>=0.20,<1``."""

    def patch(self, module: ModuleType, seam: Seam) -> Undo:
        """Patch the host, which was just imported; hand back what undoes it.

        Errors: :class:`UnsuitableError` when it is not the host after all, or one that cannot be patched.
        """
        ...
