"""Tool calls: what an answer asked for, joined with the result that came back."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from touchdown.records import Segment, ToolCall
from touchdown.sessions.agents import Agents
from touchdown.sessions.claude_code.content import Content
from touchdown.sessions.claude_code.line import Line, Part
from touchdown.sessions.claude_code.twins import NO_OUTCOME, agent_name, read_outcome
from touchdown.sessions.history import digest
from touchdown.sessions.turns import Turns

READ_ONLY = frozenset({"Glob", "Grep", "LS", "NotebookRead", "Read", "ToolSearch", "WebFetch"})
"""Built-in tools that change nothing. Source: the vendor's list of tools, 2026-08."""

SPAWNING = frozenset({"Agent", "Task"})


@dataclass(slots=True)
class _Returned:
    """A tool call that is known but for its task. Units: nanoseconds since the epoch."""

    started_ns: int
    ended_ns: int
    call: partial[ToolCall]


@dataclass(slots=True)
class _Request:
    name: str
    agent_id: str
    at_ns: int
    arguments: str


class Tools:
    """Requests and results as they come."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}
        self._requests: dict[str, _Request] = {}
        self._calls: dict[str, _Returned] = {}
        self._spawned: dict[str, str] = {}

    def requested(self, content: Content, agent_id: str, at_ns: int) -> None:
        """An answer asks for tools."""
        for part in content.parts:
            if part.type == "tool_use" and part.id and part.id not in self._requests:
                self.names[part.id] = part.name
                asked = digest("arguments", part.name, bytes(part.input))
                self._requests[part.id] = _Request(part.name, agent_id, at_ns, asked)
                if part.name in SPAWNING:
                    self._spawned[part.id] = agent_name(part.input)

    def spawned_name(self, call_id: str) -> str:
        """The name of the agent that a tool call began; empty where it began none."""
        return self._spawned.get(call_id, "")

    def spawned_by(self, call_id: str) -> tuple[str, str]:
        """Who asked for the tool call that began an agent, and the agent's name; empty where unknown."""
        request = self._requests.get(call_id)
        return (request.agent_id if request else "", self.spawned_name(call_id))

    def answered(
        self,
        results: Sequence[tuple[Part, Segment]],
        line: Line,
        agent_id: str,
        at_ns: int,
        agents: Agents,
    ) -> None:
        """Results came back. The structured twin is taken only where the line holds one result."""
        outcome = read_outcome(line.result) if len(results) == 1 else NO_OUTCOME
        for part, segment in results:
            request = self._requests.get(part.tool_use_id)
            if not part.tool_use_id or part.tool_use_id in self._calls:
                continue
            if outcome.agent:
                agents.spawned(outcome.agent, agent_id, self.spawned_name(part.tool_use_id))
            failed = part.is_error is True
            started_ns = min(request.at_ns, at_ns) if request else at_ns
            call = partial(
                ToolCall,
                id=part.tool_use_id,
                agent_id=request.agent_id if request else agent_id,
                name=request.name if request else "",
                started_at_ns=started_ns,
                source="context",
                duration_ns=outcome.duration_ns,
                call_id=part.tool_use_id,
                output_chars=segment.chars,
                result_digest=segment.result_digest,
                argument_digest=request.arguments if request else "",
                failed=failed,
                failure="protocol" if failed else None,
                read_only=request is not None and request.name in READ_ONLY,
                status="error" if failed else "ok",
            )
            ended_ns = started_ns + max(outcome.duration_ns or 0, 0)
            self._calls[part.tool_use_id] = _Returned(started_ns, ended_ns, call)

    def records(self, turns: Turns) -> Iterator[ToolCall]:
        """The tool calls, each in the turn in which it began."""
        for returned in self._calls.values():
            yield returned.call(task_id=turns.use(returned.started_ns, returned.ended_ns))
