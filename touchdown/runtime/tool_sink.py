"""The sink that hands tool executions on to the named hosts that take tool events."""

import time
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext

from touchdown.records import CallVerdict, Record, Start, StepStart, ToolCall
from touchdown.runtime.content import Content
from touchdown.runtime.ending import left_until
from touchdown.runtime.serving import NamedHosts, ToolTaker


class _Open:
    """A tool execution under way; it has no span and shows nothing."""

    trace_id = span_id = ""

    def __init__(self, takers: Iterable[ToolTaker]) -> None:
        self._takers = takers

    def activate(self) -> AbstractContextManager[object]:
        """Nothing is current inside it."""
        return nullcontext()

    def show(self, content: Content) -> None:
        """What was said is for nobody."""

    def close(self, record: Record, verdict: CallVerdict | None) -> None:
        """Hand it on."""
        if isinstance(record, ToolCall):
            for taker in self._takers:
                taker.put(record)


class ToolEventSink:
    """Told of all that begins; holds only tool executions, and only while a host takes their events."""

    def __init__(self, hosts: NamedHosts) -> None:
        self._hosts = hosts

    def open(self, start: Start) -> _Open | None:
        """A tool that runs while somebody wants to know."""
        if not isinstance(start, StepStart) or start.kind != "tool":
            return None
        takers = self._hosts.tool_takers
        return _Open(takers) if takers else None

    def current_trace_id(self) -> str:
        """None of its own."""
        return ""

    def current_traceparent(self) -> str:
        """None of its own."""
        return ""

    def flush(self, timeout_s: float) -> bool:
        """Hand over what waits; a host that takes nothing keeps nobody."""
        deadline = time.monotonic() + timeout_s
        takers = self._hosts.tool_takers
        handed_over = [t.flush(deadline - time.monotonic()) or bool(t.problem) for t in takers]
        return all(handed_over)

    def shutdown(self, timeout_s: float) -> list[str]:
        """Hand over what waits; what was lost."""
        deadline = time.monotonic() + timeout_s
        takers = self._hosts.tool_takers
        for taker in takers:
            taker.rest(left_until(deadline))
        lost = [(taker.undelivered, taker.endpoint) for taker in takers]
        return [f"{number:,} tool events ({endpoint})" for number, endpoint in lost if number]
