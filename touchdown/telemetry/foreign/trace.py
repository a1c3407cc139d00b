"""The spans of one trace together, into records: one task, its agents, tools and model calls."""

import secrets
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal

from msgspec.structs import replace

from touchdown.context.tracker import make_segment
from touchdown.records import AgentRun, ModelCall, Record, Segment, TaskRecord, ToolCall
from touchdown.telemetry.foreign.counting import counted_calls, counted_tools
from touchdown.telemetry.foreign.places import Place, Places
from touchdown.telemetry.foreign.reading import CONTENT_EVENTS, Read
from touchdown.telemetry.foreign.shaping import shaped
from touchdown.telemetry.span import SpanView


class Trace:
    """Collects spans in any order, then tells their records. Content is digested at once and let go of.

    The root is the task, and an agent at the root is the task's own. Where touchdown wrote spans of the
    same trace, what lies inside those belongs to their task and agent.
    """

    def __init__(self) -> None:
        self._key = secrets.token_bytes(16)
        self._places = Places()
        self._segments: dict[Segment, Segment] = {}
        self._content: dict[str, Place] = {}

    def note_own(self, span: SpanView, record: Record) -> None:
        """A span that touchdown wrote, and its record."""
        self._places.put(Place(Read(_bare(span)), own=record))

    def note(self, read: Read) -> None:
        """A span of another's making."""
        bare = _bare(read.span)
        told = replace(read, span=bare, request=None) if read.dialect else Read(bare)
        place = Place(told)
        if read.request is not None:
            made = (make_segment(block, self._key) for block in read.request.blocks)
            place.segments = tuple(self._segments.setdefault(one, one) for one in made)
            place.opaque, place.caching = read.request.opaque, read.request.caching
        if read.span.name in CONTENT_EVENTS:
            self._content[place.id] = place
        else:
            self._places.put(place)

    @property
    def reported_usd(self) -> Decimal | None:
        """What the instrumentations say the calls cost; ``None`` where they do not say it of each."""
        told = [place.read.reported_usd for place in counted_calls(self._places)]
        return sum(map(Decimal, told), Decimal(0)) if told and all(told) else None

    def records(self) -> Iterator[Record]:
        """The records, those of touchdown's own spans left out."""
        self._join_content()
        calls = {place.id: place for place in counted_calls(self._places)}
        root = self._places.root()
        agents = (p for p in self._places if p.role == "agent" and p.own is None and p is not root)
        found = [
            record
            for place in (*calls.values(), *counted_tools(self._places), *agents)
            if (record := self._placed(place, root)) is not None
        ]
        own = {place.own.task_id for place in self._places if place.own is not None}
        for task_id in sorted({record.task_id for record in found} - own):
            yield self._task(task_id)
        yield from (record for record in found if not isinstance(record, ModelCall))
        placed = [record for record in found if isinstance(record, ModelCall)]
        yield from _agents_by_attribute(placed, calls)
        yield from shaped(placed, calls)

    def _join_content(self) -> None:
        """Content that came in a log record beside its span."""
        for place in self._places:
            beside = self._content.get(place.id)
            if beside is not None and not place.segments:
                place.segments, place.opaque = beside.segments, beside.opaque

    def _placed(self, place: Place, root: Place | None) -> ModelCall | ToolCall | AgentRun | None:
        """Its record under the task and the agent of the nearest span around it that has one."""
        record = place.read.record
        task_id = agent_id = ""
        for above in self._places.above(place):
            own = above.own
            if own is not None:
                task_id = own.task_id
                around = own.id if isinstance(own, (AgentRun, TaskRecord)) else own.agent_id
                agent_id = agent_id or around
                break
            if above.role == "agent" and above is not root:
                agent_id = agent_id or above.id
        task_id = task_id or place.span.trace_id
        agent_id = place.read.agent_id or agent_id or task_id
        if isinstance(record, AgentRun):
            return replace(record, task_id=task_id, parent_id=agent_id)
        if record is None:
            return None
        return replace(record, task_id=task_id, agent_id=agent_id)

    def _task(self, task_id: str) -> TaskRecord:
        root = self._places.root()
        assert root is not None
        began = min(_began(place) for place in self._places)
        conversations = (place.read.conversation for place in self._places)
        return TaskRecord(
            id=task_id,
            name=_name(root),
            started_at_ns=began,
            duration_ns=max(0, max(place.span.ended_ns for place in self._places) - began),
            conversation=next(filter(None, conversations), ""),
            trace_id=root.span.trace_id,
            span_id=root.id,
        )


def _bare(span: SpanView) -> SpanView:
    """The span without what it carries: a trace holds many."""
    return SpanView(
        span.name,
        span.trace_id,
        span.span_id,
        span.parent_id,
        span.began_ns,
        span.ended_ns,
        status=span.status,
        scope=span.scope,
    )


def _name(root: Place) -> str:
    """What people call the task: its agent, its only call, or what the host named the span."""
    record = root.read.record
    if isinstance(record, AgentRun):
        return record.name
    return f"{record.operation} {record.model}" if isinstance(record, ModelCall) else root.span.name


def _began(place: Place) -> int:
    call = place.call
    return place.span.began_ns if call is None else min(call.sent_at_ns, place.span.began_ns)


def _agents_by_attribute(
    calls: Iterable[ModelCall], places: Mapping[str, Place]
) -> Iterator[AgentRun]:
    """Agents that have no span of their own and are known by their calls."""
    groups: dict[str, list[ModelCall]] = defaultdict(list)
    for call in calls:
        if places[call.id].read.agent_id:
            groups[call.agent_id].append(call)
    for agent_id, made in groups.items():
        began = min(call.sent_at_ns for call in made)
        read = places[made[0].id].read
        yield AgentRun(
            id=agent_id,
            task_id=made[0].task_id,
            parent_id=read.parent_agent_id or made[0].task_id,
            name=read.agent_name or agent_id,
            started_at_ns=began,
            duration_ns=max(call.ended_at_ns for call in made) - began,
            trace_id=made[0].trace_id,
        )
