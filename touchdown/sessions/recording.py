"""A session as a reader gathers it: what each agent reads, its model calls and its tools."""

from collections.abc import Iterator
from decimal import Decimal

from msgspec import Struct, field
from msgspec.structs import replace

from touchdown.records import (
    ContextShape,
    ModelCall,
    Output,
    Record,
    TaskRecord,
    ToolCall,
    ToolRequest,
    Usage,
)
from touchdown.records.call import Awaited, CallStatus
from touchdown.sessions.agents import Agents
from touchdown.sessions.history import History, digest, unseen_chars, with_unseen
from touchdown.sessions.turns import Turns, reads_results


class Call(Struct, eq=False):
    """A model call as it is gathered. Units: nanoseconds since the epoch."""

    id: str
    agent_id: str
    sent_at_ns: int
    shape: ContextShape
    ended_at_ns: int
    api: str = "chat.completions"
    provider: str = ""
    model: str = ""
    response_id: str = ""
    usage: Usage = field(default_factory=Usage)
    text_chars: int = 0
    reasoning_chars: int = 0
    requests: dict[str, ToolRequest] = field(default_factory=dict)
    finish: str = ""
    reported_usd: Decimal | None = None
    """What the provider's own answer says was charged."""
    status: CallStatus = "ok"

    def record(
        self, task_id: str, conversation: str, shape: ContextShape, awaited: Awaited
    ) -> ModelCall:
        """The model call, in its task, with what it read and what its agent had waited for."""
        return ModelCall(
            id=self.id,
            task_id=task_id,
            agent_id=self.agent_id,
            api=self.api,
            operation="chat",
            provider=self.provider,
            vendor=self.provider,
            sent_at_ns=self.sent_at_ns,
            duration_ns=max(self.ended_at_ns - self.sent_at_ns, 0),
            usage=self.usage,
            context=shape,
            model=self.model,
            response_model=self.model if self.status == "ok" else "",
            response_id=self.response_id,
            output=Output(self.text_chars, self.reasoning_chars, tuple(self.requests.values())),
            reported_usd=self.reported_usd,
            finish_reasons=(self.finish,) if self.finish else (),
            status=self.status,
            conversation=conversation,
            awaited=awaited,
        )


class _Request(Struct):
    agent_id: str
    name: str
    at_ns: int
    arguments: str


class Recording:
    """Takes what happened in order of time, and gives the records of one session.

    ``hides`` says that the source leaves out a part of what the models read, the system prompt or the tools.
    """

    def __init__(self, session: str, *, hides: bool) -> None:
        self.session = session
        self.turns = Turns(session)
        self.agents = Agents(session)
        self.calls: list[Call] = []
        self.tool_names: dict[str, str] = {}
        self._hides = hides
        self._histories: dict[str, History] = {}
        self._requests: dict[str, _Request] = {}
        self._tools: dict[str, ToolCall] = {}
        self._first_ns: int | None = None
        self._last_ns = 0

    def history(self, agent_id: str) -> History:
        """What an agent reads. The session's id stands for its main agent."""
        return self._histories.setdefault(agent_id, History())

    def seen(self, agent_id: str, at_ns: int) -> None:
        """An agent did or was told something."""
        self.agents.seen(agent_id, at_ns)
        self._first_ns = at_ns if self._first_ns is None else min(self._first_ns, at_ns)
        self._last_ns = max(self._last_ns, at_ns)

    def begin(self, agent_id: str, sent_at_ns: int, name: str = "") -> Call:
        """A model call that reads what its agent's history now holds. ``name`` is its id, if it has one."""
        call_id = name or f"{agent_id}:{len(self.calls)}"
        shape = self.history(agent_id).shape(call_id)
        call = Call(call_id, agent_id, sent_at_ns, shape, sent_at_ns)
        self.calls.append(call)
        self.seen(agent_id, sent_at_ns)
        return call

    def asked(self, call: Call, call_id: str, name: str, arguments: str, at_ns: int) -> None:
        """A model call asks for a tool."""
        call.requests[call_id] = ToolRequest(call_id, name, len(arguments))
        self.tool_names[call_id] = name
        known = _Request(call.agent_id, name, at_ns, digest("arguments", name, arguments))
        self._requests.setdefault(call_id, known)

    def answered(
        self,
        call_id: str,
        output: str,
        at_ns: int,
        *,
        failed: bool = False,
        duration_ns: int | None = None,
        read_only: bool = False,
    ) -> None:
        """A tool that was asked for came back. A later result of the same call replaces the first."""
        request = self._requests.get(call_id)
        if request is None:
            return
        self._tools[call_id] = ToolCall(
            id=call_id,
            task_id="",
            agent_id=request.agent_id,
            name=request.name,
            started_at_ns=min(request.at_ns, at_ns),
            source="context",
            duration_ns=duration_ns,
            call_id=call_id,
            output_chars=len(output),
            result_digest=digest("result", output),
            argument_digest=request.arguments,
            failed=failed,
            failure="protocol" if failed else None,
            read_only=read_only,
            status="error" if failed else "ok",
        )

    def failed(self, call_id: str) -> None:
        """The protocol says of a tool call that came back that it failed."""
        known = self._tools.get(call_id)
        if known is not None:
            self._tools[call_id] = replace(known, failed=True, failure="protocol", status="error")

    def records(self, name: str, project: str = "") -> Iterator[Record]:
        """Everything gathered, as live capture would have told it."""
        sizes = self._unseen()
        for call in sorted(self.calls, key=lambda call: call.sent_at_ns):
            shape = call.shape
            if self._hides:
                shape = with_unseen(shape, sizes.get(call.agent_id, 0), call.agent_id)
            task = self.turns.use(call.sent_at_ns, call.ended_at_ns)
            awaited = self.turns.awaited(call.agent_id, task, reads_results(shape))
            yield call.record(task, self.session, shape, awaited)
        for tool in self._tools.values():
            ended = tool.started_at_ns + max(tool.duration_ns or 0, 0)
            yield replace(tool, task_id=self.turns.use(tool.started_at_ns, ended))
        yield from self.agents.records(self.turns)
        yield from self.turns.records(name)
        started = self._first_ns or 0
        yield TaskRecord(
            id=self.session,
            name=name,
            started_at_ns=started,
            duration_ns=max(self._last_ns - started, 0),
            tags={"project": project} if project else {},
            conversation=self.session,
        )

    def _unseen(self) -> dict[str, int]:
        """Agent to the size of what it reads and the source leaves out, by its first call with usage."""
        sizes: dict[str, int] = {}
        for call in self.calls:
            if call.agent_id not in sizes and call.usage.input_tokens is not None:
                sizes[call.agent_id] = unseen_chars(call.usage.input_tokens, call.shape.chars)
        return sizes
