"""Repeats: requests sent again and tools called again with nothing changed in between."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator
from itertools import pairwise

from touchdown.accounting.facts import CallFacts
from touchdown.accounting.toolbook import Execution, ToolBook
from touchdown.records import ModelCall, ToolCall


class Changes:
    """When something may have changed: the start of every tool call that is not declared read-only.

    A tool seen only in a context ran between the answer that asked for it and the call that read its
    result; both moments count.
    """

    def __init__(self, executions: Iterable[Execution], book: ToolBook) -> None:
        self._moments = sorted(moment for done in executions for moment in _changes(done, book))

    def between(self, start_ns: int, end_ns: int) -> bool:
        """Whether one lies in (start, end]."""
        at = bisect_left(self._moments, start_ns + 1)
        return at < len(self._moments) and self._moments[at] <= end_ns


def _changes(done: Execution, book: ToolBook) -> Iterator[int]:
    if done.tool is not None:
        if not done.tool.read_only:
            yield done.tool.started_at_ns
        return
    asked = done.asked(book)
    if asked is not None:
        yield asked[0].call.ended_at_ns
    if done.result is not None:
        yield done.result.facts.call.sent_at_ns


def repeated_calls(calls: Iterable[CallFacts], changes: Changes) -> list[CallFacts]:
    """Calls whose request an earlier one had sent and had answered before, with no write since.

    Identical requests in flight together are sampling. What lies on the server cannot be compared.
    """
    answered: dict[Hashable, CallFacts] = {}
    found: list[CallFacts] = []
    seen, again = set[tuple[int, int]](), set[tuple[int, int]]()
    known = [(facts, facts.context.identity) for facts in calls if facts.context is not None]
    for _, context in known:
        (again if context in seen else seen).add(context)
    for facts in [facts for facts, context in known if context in again]:
        request = _request(facts)
        if request is None:
            continue
        earlier = answered.get(request)
        if earlier is not None and _is_needless(earlier.call, facts.call, changes):
            found.append(facts)
        if facts.call.status == "ok" and facts.clock_is_sound:
            answered[request] = facts
    return found


def _is_needless(earlier: ModelCall, call: ModelCall, changes: Changes) -> bool:
    if earlier.ended_at_ns > call.sent_at_ns:
        return False
    return not changes.between(earlier.sent_at_ns, call.sent_at_ns)


def _request(facts: CallFacts) -> Hashable | None:
    """Everything that was asked, as far as the client sees it."""
    call, context = facts.call, facts.context
    if context is None or not context.length or call.status == "not_started":
        return None
    if call.context.opaque is not None and not call.previous_response_id:
        return None
    if call.output.is_summary:
        return None  # the same history, sent to be compacted
    return (
        call.operation, facts.route, call.model, call.previous_response_id, context.identity,
        tuple(sorted(call.context.parameters.items())), tuple(sorted(call.request.items())),
    )  # fmt: skip


def repeated_tools(executions: Iterable[Execution], changes: Changes) -> list[Execution]:
    """Read-only tool calls that gave what the same call had given before, with no write in between.

    The earlier result must still stand in the context in which the new one is read: what was dropped or
    summarised has to be asked for again. A tool whose result ever changes by itself is being polled.
    """
    groups: defaultdict[Hashable, list[tuple[ToolCall, Execution]]] = defaultdict(list)
    for done in executions:
        tool = done.tool
        if tool is None or not tool.read_only or not (tool.argument_digest and tool.result_digest):
            continue
        if not done.failed:
            groups[tool.agent_id, tool.name, tool.argument_digest].append((tool, done))
    return [done for group in groups.values() for done in _repeats(group, changes)]


def _repeats(group: list[tuple[ToolCall, Execution]], changes: Changes) -> list[Execution]:
    found: list[Execution] = []
    group.sort(key=lambda pair: (pair[0].started_at_ns, pair[0].id))
    for (before, was), (tool, done) in pairwise(group):
        if changes.between(before.started_at_ns, tool.started_at_ns):
            continue
        if before.result_digest != tool.result_digest:
            return []
        if _stands_beside(was, done):
            found.append(done)
    return found


def _stands_beside(was: Execution, done: Execution) -> bool:
    """Whether the earlier result is in the context of the call that reads the later one first."""
    old, new = was.result, done.result
    if old is None or new is None or old is new:
        return False
    first, then = old.facts.context, new.facts.context
    return first is not None and then is not None and first.common(then) > old.index
