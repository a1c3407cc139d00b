"""Tool calls: what an answer asked for, joined with the result that came back."""

from collections.abc import Iterator, Sequence

from msgspec import Struct

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


class _Request(Struct):
    name: str
    agent_id: str
    at_ns: int
    arguments: str


class _Returned(Struct):
    """A tool call that is known but for its task. Units: nanoseconds, since the epoch but for its length."""

    asked: _Request
    result: Segment
    duration_ns: int | None
    started_ns: int
    ended_ns: int

    def call(self, call_id: str, task_id: str) -> ToolCall:
        failed = self.result.failed
        return ToolCall(
            id=call_id,
            task_id=task_id,
            agent_id=self.asked.agent_id,
            name=self.asked.name,
            started_at_ns=self.started_ns,
            source="context",
            duration_ns=self.duration_ns,
            call_id=call_id,
            output_chars=self.result.chars,
            result_digest=self.result.result_digest,
            argument_digest=self.asked.arguments,
            failed=failed,
            failure="protocol" if failed else None,
            read_only=self.asked.name in READ_ONLY,
            status="error" if failed else "ok",
        )


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
            asked = request or _Request("", agent_id, at_ns, "")
            started_ns = min(asked.at_ns, at_ns)
            ended_ns = started_ns + max(outcome.duration_ns or 0, 0)
            self._calls[part.tool_use_id] = _Returned(
                asked, segment, outcome.duration_ns, started_ns, ended_ns
            )

    def records(self, turns: Turns) -> Iterator[ToolCall]:
        """The tool calls, each in the turn in which it began."""
        for call_id, returned in self._calls.items():
            yield returned.call(call_id, turns.use(returned.started_ns, returned.ended_ns))
