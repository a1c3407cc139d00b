"""Tool executions: what decorators saw and what contexts show, joined so that each counts once."""

from collections import defaultdict, deque
from collections.abc import Callable, Hashable, Iterable

from msgspec import Struct

from touchdown.accounting.contexts import Context
from touchdown.accounting.facts import CallFacts
from touchdown.accounting.ranges import Range
from touchdown.records import Segment, ToolCall

UNNAMED = "unknown"
"""The name of a tool whose request was never seen."""


class Result(Struct, eq=False):
    """One tool result seen in contexts. ``asked`` is the call that asked for it, and which request."""

    number: int
    facts: CallFacts
    """The call that read it first."""
    segment: Segment
    name: str
    index: int
    """Where it stands in that call's context."""
    tokens: Range | None
    asked: tuple[CallFacts, int] | None

    @property
    def failed(self) -> bool:
        """The protocol's own error flag."""
        return self.segment.failed


class Execution(Struct, frozen=True, eq=False):
    """One tool call: seen by a decorator or integration, in a context, or both."""

    tool: ToolCall | None
    result: Result | None
    failed: bool
    """It raised, the protocol says so, or its own rule does."""

    @property
    def name(self) -> str:
        """The name the model knows the tool by, where that was seen."""
        if self.result is not None and self.result.name != UNNAMED:
            return self.result.name
        return self.tool.name if self.tool is not None else UNNAMED

    def asked(self, book: "ToolBook") -> tuple[CallFacts, int] | None:
        """The call that asked for it, and which of its requests."""
        if self.result is not None and self.result.asked is not None:
            return self.result.asked
        return book.asked_for(self.tool) if self.tool is not None else None

    @property
    def task_id(self) -> str:
        """The task it belongs to."""
        if self.tool is not None:
            return self.tool.task_id
        return self.result.facts.call.task_id if self.result is not None else ""

    @property
    def output_chars(self) -> int | None:
        """Characters of its result."""
        if self.tool is not None and self.tool.output_chars is not None:
            return self.tool.output_chars
        return self.result.segment.chars if self.result is not None else None


class ToolBook:
    """Every tool result once, however many contexts carry it."""

    def __init__(self) -> None:
        self.results: list[Result] = []
        self._by_prefix: dict[int, Result] = {}
        self._by_name: defaultdict[str, dict[str | tuple[str, int], Result]] = defaultdict(dict)
        """By agent, and by name; a further result of the same name by its number, too."""
        self._handed_over: dict[tuple[str, str], Result] = {}
        self._asked: dict[str, CallFacts] = {}
        """By call id: the first call that asked with it."""
        self._asked_again: defaultdict[str, list[CallFacts]] = defaultdict(list)
        """Further ones, in the order of folding."""
        self._last_asked: tuple[Context | None, int, list[tuple[int, Result]]] = (None, 0, [])

    def standing(self, context: Context, start: int) -> list[tuple[int, Result]]:
        """The results that stand in a context from segment ``start`` on, with their indices."""
        last, last_start, found = self._last_asked
        if last is context and last_start == start:
            return found
        known, prefixes = self._by_prefix, context.trunk.prefixes
        found = [
            (index, result)
            for index in context.results_from(start)
            if (result := known.get(prefixes[index])) is not None
        ]
        self._last_asked = context, start, found
        return found

    def of_prefix(self, prefix: int) -> Result | None:
        """The result at the end of the prefix with this number."""
        return self._by_prefix.get(prefix)

    def asked_for(self, tool: ToolCall) -> tuple[CallFacts, int] | None:
        """The call that asked for this tool call, and which request; ``None`` without a call id."""
        return self._request(tool.agent_id, tool.call_id, 0)

    def note(self, facts: CallFacts) -> None:
        """Take a folded call in, and the results that it is the first to read."""
        if facts.context is not None and facts.context.has_results():
            self._take_in(facts, facts.context)
        for request in facts.call.output.tool_requests:
            first = self._asked.setdefault(request.call_id, facts)
            if first is not facts and facts not in self._asked_again[request.call_id]:
                self._asked_again[request.call_id].append(facts)

    def _take_in(self, facts: CallFacts, context: Context) -> None:
        known_by, prefixes = self._by_prefix, context.trunk.prefixes
        unknown: list[tuple[int, int]] = []
        for index, nth in context.results():
            if prefixes[index] in known_by:
                break
            unknown.append((index, nth))
        for index, nth in reversed(unknown):
            segment = context.segment(index)
            known = self._known(facts.call.agent_id, segment, nth)
            if known is None:
                known = self._result(facts, context, index, nth)
                self._remember(facts.call.agent_id, segment, nth, known)
            known_by[prefixes[index]] = known

    def _known(self, agent: str, segment: Segment, nth: int) -> Result | None:
        """The same result seen before: by this agent, or handed over by the agent that asked for it."""
        name = _name_of(segment)
        own = self._by_name[agent].get((name, nth) if nth else name)
        if own is not None or (segment.call_id and self._asked_by(agent, segment.call_id)):
            return own
        return self._handed_over.get((name, segment.digest))

    def _remember(self, agent: str, segment: Segment, nth: int, result: Result) -> None:
        name = _name_of(segment)
        self._by_name[agent][(name, nth) if nth else name] = result
        if segment.call_id and segment.digest:
            self._handed_over.setdefault((name, segment.digest), result)

    def _result(self, facts: CallFacts, context: Context, index: int, nth: int) -> Result:
        segment = context.segment(index)
        asked = self._request(facts.call.agent_id, segment.call_id, nth)
        name = segment.tool_name or (_requested(asked) if asked else "")
        name = name or _name_in_context(context, index, segment.call_id) or UNNAMED
        tokens = None if facts.shares is None or facts.is_hidden else facts.shares.span(index)
        result = Result(len(self.results), facts, segment, name, index, tokens, asked)
        self.results.append(result)
        return result

    def _request(self, agent: str, call_id: str | None, nth: int) -> tuple[CallFacts, int] | None:
        if call_id is None:
            return None
        own = self._asked_by(agent, call_id)
        if own:
            found = _requests(own, call_id)
            return found[min(nth, len(found) - 1)]
        others = self._asking(call_id)
        return _requests(others, call_id)[-1] if others else None

    def _asked_by(self, agent: str, call_id: str) -> list[CallFacts]:
        return [facts for facts in self._asking(call_id) if facts.call.agent_id == agent]

    def _asking(self, call_id: str) -> list[CallFacts]:
        first = self._asked.get(call_id)
        return [] if first is None else [first, *self._asked_again.get(call_id, ())]


def _requests(asking: Iterable[CallFacts], call_id: str) -> list[tuple[CallFacts, int]]:
    """Each request with this id, in the order in which they were made."""
    return [
        (facts, number)
        for facts in asking
        for number, request in enumerate(facts.call.output.tool_requests)
        if request.call_id == call_id
    ]


def join_tools(tools: Iterable[ToolCall], results: Iterable[Result]) -> list[Execution]:
    """Tool calls and results as executions: joined by call id, else by digest, else by name in order."""
    left_tools = sorted(
        (tool for tool in tools if tool.status != "not_started"),
        key=lambda tool: (tool.started_at_ns, tool.id),
    )
    left_results = list(results)
    joined: list[Execution] = []
    for of_tool, of_result in _KEYS:
        if not left_tools or not left_results:
            break
        left_tools, left_results = _join(joined, left_tools, left_results, of_tool, of_result)
    joined += [Execution(tool, None, tool.failed) for tool in left_tools]
    joined += [Execution(None, result, result.segment.failed) for result in left_results]
    return joined


ToolKey = Callable[[ToolCall], Hashable]
ResultKey = Callable[[Result], Hashable]


def _join(
    joined: list[Execution],
    tools: list[ToolCall],
    results: list[Result],
    of_tool: ToolKey,
    of_result: ResultKey,
) -> tuple[list[ToolCall], list[Result]]:
    waiting: defaultdict[Hashable, deque[Result]] = defaultdict(deque)
    for result in results:
        key = of_result(result)
        if key is not None:
            waiting[key].append(result)
    left: list[ToolCall] = []
    taken: set[int] = set()
    for tool in tools:
        queue = waiting.get(of_tool(tool)) if of_tool(tool) is not None else None
        if queue:
            result = queue.popleft()
            taken.add(result.number)
            joined.append(Execution(tool, result, tool.failed or result.failed))
        else:
            left.append(tool)
    return left, [result for result in results if result.number not in taken]


def _agent(result: Result) -> str:
    return result.facts.call.agent_id


def _by_digest(tool: ToolCall) -> bool:
    return bool(tool.result_digest) and not tool.call_id


def _raised(tool: ToolCall) -> Hashable:
    """A tool that raised has no result of its own: the error in the context is what the host made of it."""
    return (tool.agent_id, tool.name) if tool.failure == "raised" and not tool.call_id else None


_KEYS: tuple[tuple[ToolKey, ResultKey], ...] = (
    (
        lambda tool: (tool.agent_id, tool.call_id) if tool.call_id else None,
        lambda result: (_agent(result), result.segment.call_id) if result.segment.call_id else None,
    ),
    (
        lambda tool: tool.call_id or None,
        lambda result: result.segment.call_id,
    ),
    (
        lambda tool: (tool.agent_id, tool.name, tool.result_digest) if _by_digest(tool) else None,
        lambda result: (
            (_agent(result), result.name, result.segment.result_digest)
            if result.segment.result_digest
            else None
        ),
    ),
    (
        lambda tool: (tool.name, tool.result_digest) if _by_digest(tool) else None,
        lambda result: (
            (result.name, result.segment.result_digest) if result.segment.result_digest else None
        ),
    ),
    (
        lambda tool: _raised(tool),
        lambda result: (_agent(result), result.name) if result.failed else None,
    ),
    (
        lambda tool: _raised(tool),
        lambda result: (_agent(result), result.name),
    ),
    (
        lambda tool: None if tool.result_digest or tool.call_id else (tool.agent_id, tool.name),
        lambda result: None if result.segment.result_digest else (_agent(result), result.name),
    ),
)


def _name_of(segment: Segment) -> str:
    return segment.call_id or segment.result_digest or segment.digest


def _requested(asked: tuple[CallFacts, int]) -> str:
    facts, number = asked
    return facts.call.output.tool_requests[number].name


def _name_in_context(context: Context, index: int, call_id: str | None) -> str:
    if call_id is None:
        return ""
    for before in range(index - 1, -1, -1):
        segment = context.segment(before)
        if segment.kind == "tool_use" and segment.call_id == call_id:
            return segment.tool_name or ""
    return ""
