"""Hosts that the user named as self-hosted, as the capture side knows them: ``touchdown.engine``."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from touchdown.records import AnswerView, CallStart, EngineTiming, ToolCall
from touchdown.runtime.clocks import CallClocks
from touchdown.runtime.guard import guarded
from touchdown.runtime.place import Place

RETRY_HEADER = "x-stainless-retry-count"
"""Header by which both SDKs count the attempts of one call."""


class Underway(Protocol):
    """A call as the host that it goes to may look at it, from its sending on. Units: as its clocks."""

    start: CallStart
    place: Place
    clocks: CallClocks
    first_ns: int | None
    """When its first chunk came; ``None`` before, and for an answer in one piece."""


class ServingHost(Protocol):
    """One named host. Every method is quick; none waits for the network."""

    def fields(
        self, start: CallStart, api: str, body: Mapping[str, object]
    ) -> Mapping[str, object]:
        """Fields of the request that ask the engine to say more."""
        ...

    def headers(
        self, start: CallStart, request_id: str, trace_id: str, span_id: str
    ) -> Mapping[str, str]:
        """Headers by which the engine's own records of this request can be found."""
        ...

    def sent(self, call: Underway) -> None:
        """An attempt of this call goes to the host now."""
        ...

    def timing(self, answer: AnswerView, call: Underway) -> EngineTiming:
        """What the engine says of the request that was answered like this; behind the queue."""
        ...


class ToolTaker(Protocol):
    """Takes what is told of tool executions to one engine. ``put`` is quick; none raises."""

    endpoint: str
    problem: str
    """Why they do not arrive; empty when they do."""

    @property
    def undelivered(self) -> int:
        """Executions that it has not handed over, lost ones included."""
        ...

    def put(self, tool: ToolCall) -> None:
        """Tell of this execution, where its agent calls the host."""
        ...

    def flush(self, timeout_s: float) -> bool:
        """Hand over what waits; true when all of it went."""
        ...

    def rest(self, timeout_s: float) -> None:
        """Hand over what waits, and hold nothing open for more."""
        ...


class ServingHosts(Protocol):
    """All of them."""

    @property
    def tool_takers(self) -> Sequence[ToolTaker]:
        """Those that want to know of tool executions."""
        ...

    def of(self, host: str, port: int | None) -> ServingHost | None:
        """The host that was named; ``None`` for every other one, which is left alone."""
        ...

    def hear(self, timeout_s: float) -> None:
        """The process ends: read what engines hold for calls that ended. Quick where none does."""
        ...


class NamedHosts:
    """The hosts of this process. Empty, and nothing of any engine is loaded, until one is named."""

    def __init__(self) -> None:
        self.source: ServingHosts | None = None
        """Set by ``engines``, which lies above."""

    def of(self, host: str, port: int | None) -> ServingHost | None:
        """The host that was named; ``None`` for every other one."""
        return None if self.source is None else self.source.of(host, port)

    @property
    def tool_takers(self) -> Sequence[ToolTaker]:
        """Those that want to know of tool executions."""
        return () if self.source is None else self.source.tool_takers

    def hear(self, timeout_s: float) -> None:
        """The process ends: read what engines hold for calls that ended."""
        if self.source is not None:
            self.source.hear(timeout_s)


NAMED = NamedHosts()


@guarded("engine.headers")
def add_headers(host: ServingHost, request: object, call: Underway, ids: tuple[str, str]) -> None:
    """Send this host its headers; one that the request has already stays as it is."""
    host.sent(call)
    start = call.start
    sent = request.headers  # type: ignore[attr-defined]
    again = sent.get(RETRY_HEADER, "0")
    # An engine may still have the attempt that failed: no two of its requests have one id.
    request_id = start.id if again == "0" else f"{start.id}.{again}"
    for name, value in host.headers(start, request_id, *ids).items():
        sent.setdefault(name, value)


@guarded("engine.timing")
def timing_of(host: ServingHost | None, answer: AnswerView, call: Underway) -> EngineTiming | None:
    """What the engine says of a request; ``None`` where no engine was named."""
    return None if host is None else host.timing(answer, call)
