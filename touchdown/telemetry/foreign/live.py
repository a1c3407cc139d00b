"""Spans of others as they end in this process, and touchdown's own calls beside them: each call once."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace
from opentelemetry.trace import get_current_span

from touchdown.context.blocks import RequestView
from touchdown.records import (
    AgentRun,
    CallStart,
    CallVerdict,
    ModelCall,
    Record,
    Start,
    StepStart,
    TaskRecord,
)
from touchdown.runtime import core
from touchdown.runtime.content import Content
from touchdown.runtime.place import Place
from touchdown.telemetry.recent import Recent
from touchdown.telemetry.span import SpanView, view_of_sdk_span

if TYPE_CHECKING:
    from touchdown.telemetry.foreign.dialect import Role
    from touchdown.telemetry.foreign.reading import Read

_MOST_OPEN = 10_000
_MOST_IDS = 10_000

_inside: ContextVar[str] = ContextVar("touchdown_inside", default="")
"""Inside which of our own calls or tools the caller stands: ``_CALL``, or the tool's name."""
_CALL = "\0call"


class _Open(Struct, eq=False):
    """A span under way."""

    span: Any
    parent_id: str
    place: Place | None
    inside: str
    seen_below: str = ""
    """What was counted below it and is the same: ``_CALL``, or a tool's or agent's name."""


class Beside:
    """A sink that knows of touchdown's own calls, so that what others see of the same calls is left out.

    The same call is recognised by one lying inside the other, in spans or in the caller's context, or by
    the response id. What ends while a call of ours of the same model still runs waits for that.
    """

    watching = False
    """Set once somebody hands us spans; before that nothing is held."""

    def __init__(self) -> None:
        self._open: Recent[_Open] = Recent(_MOST_OPEN)
        self._running: dict[str, CallStart] = {}
        self._ids: Recent[bool] = Recent(_MOST_IDS)
        self._waiting: list[Item] = []

    # -- our own calls ----------------------------------------------------------------------------

    def open(self, start: Start) -> "Own | None":
        """A call or step of ours begins; a span of another's that is current may be of the same."""
        if not Beside.watching or isinstance(start, TaskRecord):
            return None
        mark = _CALL if isinstance(start, CallStart) else start.name
        context = get_current_span().get_span_context()
        if context.is_valid:
            self._mark(f"{context.span_id:016x}", mark)
        if isinstance(start, StepStart) and start.kind == "agent":
            return None
        if isinstance(start, CallStart):
            self._running[start.id] = start
        return Own(self, start.id, mark)

    def ended(self, record: Record) -> None:
        """One of ours was folded; what waited for it goes on."""
        if not isinstance(record, ModelCall):
            return
        self._running.pop(record.id, None)
        self._ids.put(record.response_id, True)
        waiting, self._waiting = self._waiting, []
        for item in waiting:
            item.deliver()

    def current_trace_id(self) -> str:
        """None: the spans' own sink knows it."""
        return ""

    def current_traceparent(self) -> str:
        """None either."""
        return ""

    def flush(self, timeout_s: float) -> bool:
        """Nothing is sent."""
        return True

    def shutdown(self, timeout_s: float) -> list[str]:
        """What still waits is counted: ours has not ended and never will. Nothing is lost."""
        self._running.clear()
        waiting, self._waiting = self._waiting, []
        for item in waiting:
            item.deliver()
        return []

    # -- spans ------------------------------------------------------------------------------------

    def began(self, span: Any, place: Place | None) -> None:
        """A span of this process began, in the caller's thread."""
        parent = span.parent
        parent_id = f"{parent.span_id:016x}" if parent else ""
        self._open.put(_id(span), _Open(span, parent_id, place, _inside.get()))

    def finished(self, runtime: core.Runtime, span: Any, is_ours: bool) -> None:
        """It ended; what it tells, unless touchdown wrote it, is read behind the queue."""
        under_way = self._open.pop(_id(span))
        if is_ours:
            return
        view = view_of_sdk_span(span)
        role = _role_of(view)
        if role in ("none", "opening"):
            return
        place = under_way.place if under_way is not None else None
        if place is None or place.task.closed:
            place = runtime.place(view.trace_id)
        agent = next((a for a in self._above(view.parent_id) if _role(a) == "agent"), None)
        mine = agent is not None and agent.place is (under_way and under_way.place)
        agent_id = _id(agent.span) if agent is not None and mine else place.agent_id
        seen = (under_way.inside, under_way.seen_below) if under_way is not None else ("", "")
        runtime.delivery.put(Item(self, runtime, view, place, agent_id, seen))
        if role == "model" and _CALL not in seen:
            self._mark(view.parent_id, _CALL)

    def counts(self, read: "Read", seen: tuple[str, str]) -> bool:
        """Whether a span tells of something that nobody else told."""
        record = read.record
        if isinstance(record, ModelCall):
            again = bool(record.response_id) and self._ids.get(record.response_id) is not None
            return _CALL not in seen and not again
        return record is not None and record.name not in seen

    def note_counted(self, call: ModelCall) -> None:
        """A call of another's making is in the ledger."""
        if call.response_id:
            self._ids.put(call.response_id, True)

    def must_wait(self, item: "Item", call: ModelCall) -> bool:
        """Whether it may yet turn out to be a call of ours that still runs; it is looked at again then."""
        running = list(self._running.values())
        may_be_ours = bool(call.response_id) and any(
            own.sent_at_ns <= call.ended_at_ns and own.model == call.model for own in running
        )
        if may_be_ours:
            self._waiting.append(item)
        return may_be_ours

    def _above(self, span_id: str) -> Iterator[_Open]:
        seen: set[str] = set()
        while (under_way := self._open.get(span_id)) is not None and span_id not in seen:
            seen.add(span_id)
            yield under_way
            span_id = under_way.parent_id

    def _mark(self, span_id: str, mark: str) -> None:
        """Say to the spans around that what they see is counted, up to the next tool or agent."""
        for under_way in self._above(span_id):
            if mark == _CALL and _role(under_way) in ("tool", "agent"):
                return
            under_way.seen_below = mark
            if mark != _CALL and _role(under_way) != "none":
                return


class Own:
    """What is held of a call or tool of our own: inside it, spans of the same are left out."""

    __slots__ = ("_beside", "_id", "_mark", "span_id", "trace_id")

    def __init__(self, beside: Beside, identity: str, mark: str) -> None:
        self._beside, self._id, self._mark = beside, identity, mark
        self.trace_id = self.span_id = ""

    def activate(self) -> AbstractContextManager[object]:
        """Says to spans that begin inside where they stand."""
        return _Standing(self._mark)

    def show(self, content: Content) -> None:
        """Nothing: this is not about what was said."""

    def close(self, record: Record, verdict: CallVerdict | None) -> None:
        """It was folded."""
        self._beside.ended(record)


class _Standing(AbstractContextManager[object]):
    __slots__ = ("_mark", "_token")

    def __init__(self, mark: str) -> None:
        self._mark = mark
        self._token: Token[str] | None = None

    def __enter__(self) -> None:
        self._token = _inside.set(self._mark)

    def __exit__(self, *_error: object) -> None:
        if self._token is not None:
            try:
                _inside.reset(self._token)
            except (ValueError, RuntimeError):
                return  # left in another context than it was entered in


class Item(Struct, eq=False):
    """A span that ended, on its way to the ledger."""

    beside: Beside
    runtime: core.Runtime
    view: SpanView
    place: Place
    agent_id: str
    seen: tuple[str, str]

    def deliver(self) -> None:
        """Read it, and fold what it tells if nobody else told it."""
        from touchdown.telemetry.foreign.reading import read_span

        read = read_span(self.view)
        record = read.record
        if record is None or not self.beside.counts(read, self.seen):
            return
        if isinstance(record, ModelCall):
            self._count(record, read.request)
        elif isinstance(record, AgentRun):
            self._settle(replace(record, task_id=self.place.task.id, parent_id=self.agent_id))
        else:
            self._settle(replace(record, task_id=self.place.task.id, agent_id=self.agent_id))

    def _count(self, call: ModelCall, request: RequestView | None) -> None:
        if self.beside.must_wait(self, call):
            return
        self.beside.note_counted(call)
        call = replace(call, task_id=self.place.task.id, agent_id=self.agent_id)
        if request is not None:
            tracker = self.runtime.tracker(self.place.task, self.agent_id)
            call = replace(call, context=tracker.shape(call.id, request))
        self._settle(call)

    def _settle(self, record: Record) -> None:
        self.runtime.settle(record, [])

    def drop(self) -> None:
        """The queue was full."""
        self.runtime.note_dropped(self.place.task.id)


def _id(span: Any) -> str:
    return f"{span.get_span_context().span_id:016x}"


def _role(under_way: _Open) -> "Role":
    return _role_of(view_of_sdk_span(under_way.span))


def _role_of(view: SpanView) -> "Role":
    from touchdown.telemetry.foreign.dialects import dialect_of  # loaded by the processor

    dialect = dialect_of(view)
    return dialect.role_of(view) if dialect is not None else "none"
