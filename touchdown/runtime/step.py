"""The observation of one step: a tool execution or an agent run, and the context it runs in."""

import json
import threading
from functools import partial
from types import TracebackType
from typing import Literal

from msgspec.structs import replace

from touchdown.context.tracker import digest
from touchdown.records import AgentRun, StepStart, ToolCall
from touchdown.records.tool import ToolSource
from touchdown.runtime import core
from touchdown.runtime.content import Content, ContentOptions, content_of_tool
from touchdown.runtime.guard import guarded, qualified_name
from touchdown.runtime.identity import new_id, now_ns, this_process
from touchdown.runtime.inside import Inside
from touchdown.runtime.marks import Taken, cpu_since_s, cpu_so_far_s, mark_of, owned, take_mark
from touchdown.runtime.place import Place
from touchdown.runtime.sinks import ids_of, show_content

Ending = Literal["ok", "error", "cancelled", "closed_early", "not_started"]


class StepObservation:
    """One tool execution or agent run. A re-enterable context manager: inside it, the step is current.

    Entering and leaving attaches context only; ``finish`` and ``fail`` close it once. A step that is
    left by an exception is failed by it.
    """

    __slots__ = (
        "_arguments",
        "_begun",
        "_cpu",
        "_cpu_before",
        "_end_ns",
        "_ended",
        "_ending",
        "_entered",
        "_error",
        "_failure",
        "_human",
        "_inside",
        "_once",
        "_opened",
        "_place",
        "_process",
        "_read_only",
        "_result",
        "_runtime",
        "_source",
        "start",
    )

    def __init__(
        self,
        runtime: core.Runtime,
        start: StepStart,
        place: Place,
        *,
        source: ToolSource,
        read_only: bool = False,
        human: bool = False,
        arguments: object = None,
        inside: str = "",
    ) -> None:
        self._inside = inside
        self._begun = owned(place.task, take_mark())
        self._ended: Taken | None = None
        self._cpu_before = cpu_so_far_s() if start.kind == "tool" else None
        self._cpu: tuple[float | None, float | None] = (None, None)
        self._runtime, self.start, self._place = runtime, start, place
        self._source: ToolSource = source
        self._read_only, self._human = read_only, human
        self._arguments = arguments
        self._result: object = None
        self._failure: Literal["raised", "protocol", "rule"] | None = None
        self._error: str | None = None
        self._ending: Ending = "ok"
        self._end_ns = 0
        self._once = threading.Lock()
        self._process = this_process()
        self._entered: list[Inside] = []
        runtime.began(place.task)
        self._opened = runtime.open(start)
        if self._opened:
            self._place = replace(place, opened=self._opened)

    def __enter__(self) -> "StepObservation":
        self._entered.append(Inside(self._opened, self._place).__enter__())
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

    def finish(
        self,
        result: object = None,
        *,
        status: Ending = "ok",
        failed_by: str | None = None,
        error: BaseException | None = None,
    ) -> None:
        """The step ended with this result; ``failed_by`` is ``protocol`` or ``rule`` for a failed tool.

        ``error`` is what the tool raised, where a framework made this result of it for the model.
        """
        if not self._once.acquire(blocking=False):
            return
        self._result, self._ending = result, status
        if failed_by is not None:
            self._failure = "rule" if failed_by == "rule" else "protocol"
        if error is not None:
            self._note(error)
        self._close()

    def fail(self, error: BaseException) -> None:
        """The step ended with an exception; a cancellation is no failure of the tool."""
        if not self._once.acquire(blocking=False):
            return
        self._note(error)
        self._close()

    def _note(self, error: BaseException) -> None:
        self._error = qualified_name(error)
        if isinstance(error, Exception):
            self._ending, self._failure = "error", "raised"
        else:
            self._ending = "closed_early" if isinstance(error, GeneratorExit) else "cancelled"

    @guarded("step.close")
    def _close(self) -> None:
        if self._process != this_process():
            return  # a forked child left it: the parent tells how it ended
        self._end_ns = now_ns()
        self._ended = owned(self._place.task, take_mark())
        if self._cpu_before is not None:
            self._cpu = cpu_since_s(self._cpu_before)
        self._runtime.ended(self._place.task)
        self._runtime.delivery.put(self)

    # -- behind the queue ---------------------------------------------------------------------

    def deliver(self) -> None:
        """Measure the result and hand the record on."""
        record = self._tool() if self.start.kind == "tool" else self._agent()
        options = self._runtime.options.content
        try:
            if options is not None and self.start.kind == "tool":
                show_content(partial(self._content, options), self._opened)
        finally:
            self._result = self._arguments = None
            self._runtime.settle(record, self._opened)

    def _content(self, options: ContentOptions) -> Content:
        arguments = self._arguments
        if self._source == "decorator" and isinstance(arguments, list):
            given, named = arguments
            arguments = {**({"args": given} if given else {}), **named}
        return content_of_tool(options, arguments, result_as_text(self._result))

    def drop(self) -> None:
        """The queue was full."""
        self._runtime.note_dropped(self.start.task_id)

    def _tool(self) -> ToolCall:
        start, key = self.start, self._place.task.digest_key
        text = result_as_text(self._result)
        trace_id, span_id = ids_of(self._opened)
        return ToolCall(
            id=start.id,
            task_id=start.task_id,
            agent_id=start.agent_id,
            name=start.name,
            started_at_ns=start.started_at_ns,
            source=self._source,
            duration_ns=self._end_ns - start.started_at_ns,
            call_id=start.call_id,
            output_chars=None if text is None else len(text),
            result_digest="" if text is None else digest(text, key),
            argument_digest="" if self._arguments is None else digest(self._arguments, key),
            failed=self._failure is not None,
            failure=self._failure,
            error_type=self._error,
            read_only=self._read_only,
            human=self._human,
            status=self._ending,
            trace_id=trace_id,
            span_id=span_id,
            inside=self._inside,
            begun=mark_of(self._begun),
            ended=mark_of(self._ended),
            cpu_s=self._cpu[0],
            children_cpu_s=self._cpu[1],
        )

    def _agent(self) -> AgentRun:
        start = self.start
        text = result_as_text(self._result)
        trace_id, span_id = ids_of(self._opened)
        return AgentRun(
            id=start.id,
            task_id=start.task_id,
            parent_id=start.agent_id,
            name=start.name,
            started_at_ns=start.started_at_ns,
            duration_ns=self._end_ns - start.started_at_ns,
            result_chars=None if text is None else len(text),
            error_type=self._error,
            status=self._ending,
            trace_id=trace_id,
            span_id=span_id,
            inside=self._inside,
            begun=mark_of(self._begun),
            ended=mark_of(self._ended),
        )


def result_as_text(result: object) -> str | None:
    """What a model would be handed of this result, about; ``None`` for objects of the host's own types.

    Their ``str`` or ``repr`` may run any code (a query, say), so it is not called, and no object is asked
    for its class, which proxies answer by making what they stand for.
    """
    kind = type(result)
    if result is None or kind is str:
        return result  # type: ignore[return-value]
    if issubclass(kind, str):
        return str.__str__(result)
    if issubclass(kind, (bytes, bytearray)):
        return str(result, "utf-8", "replace")  # type: ignore[call-overload, no-any-return]
    if issubclass(kind, (int, float, dict, list, tuple)):
        try:
            return json.dumps(result, default=_type_name, ensure_ascii=False)
        except Exception:  # it is no JSON, or a class of the host's own that raises
            return None
    return None


def _type_name(value: object) -> str:
    return type(value).__name__


def open_step(
    kind: Literal["tool", "agent"],
    name: str,
    *,
    source: ToolSource = "decorator",
    call_id: str | None = None,
    read_only: bool = False,
    human: bool = False,
    arguments: object = None,
) -> StepObservation | None:
    """Begin a tool execution or an agent run where the caller stands; ``None`` when touchdown is off."""
    runtime = core.active()
    if runtime is None:
        return None
    here = runtime.place()
    identity = new_id(kind)
    start = StepStart(
        kind=kind,
        id=identity,
        task_id=here.task.id,
        agent_id=here.agent_id,
        name=name,
        started_at_ns=now_ns(),
        agent_name=here.agent_name,
        call_id=call_id,
        conversation=here.task.record.conversation,
    )
    if kind == "agent":
        inside = Place(here.task, identity, name)
    else:
        inside = Place(here.task, here.agent_id, here.agent_name, identity)
    return StepObservation(
        runtime,
        start,
        inside,
        source=source,
        read_only=read_only,
        human=human,
        arguments=arguments,
        inside=here.tool_id,
    )
