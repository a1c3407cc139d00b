"""Joining: which model call an engine's request is of, in order of trust, whatever came first."""

from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Iterator, Mapping
from typing import TypeVar

from msgspec import Struct

from touchdown.engines.engine import inferred
from touchdown.records import EngineReport, ModelCall
from touchdown.records.engine import JoinedBy
from touchdown.telemetry.serving.calls import Calls, Sought, sought, take_from
from touchdown.telemetry.serving.requests import (
    STEPS,
    EngineRequest,
    Key,
    engine_span,
    ids_of,
    request_of,
)
from touchdown.telemetry.span import SpanView

MOST_CALLS = MOST_REQUESTS = 50_000
MOST_LINKS = 200_000
"""Spans of which the place is kept, and the ids that they name."""
DEEPEST = 32

STEPS_S = 6.0
"""So long a request waits for the spans below it, of which none has come: exporters send every 5 s."""
WAIT_S = 20.0
"""So long a request and a call wait for something better than a time window."""
KEEP_S = 600.0
"""A request that no call was found for is kept for so long."""
TIGHT_NS, SLACK_NS = 5_000_000, 1_000_000_000
"""So far an engine's clock may be from ours for a time window to fit: on one machine, and on two."""

Place = TypeVar("Place")


class _Link(Struct, frozen=True):
    parent: Key
    ids: tuple[str, ...]


class Joiner:
    """Takes spans of engines and model calls in any order; hands out what the engines say of the calls.

    Nothing grows beyond the stated numbers. Not thread-safe.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        """Requests by what became of them: how they were joined, ``failed_attempt``, ``repeated``,
        ``no_call``."""
        self._calls = Calls(MOST_CALLS)
        self._links: OrderedDict[Key, _Link] = OrderedDict()
        self._steps: defaultdict[str, list[tuple[Key, str, float]]] = defaultdict(list)
        self._waiting: OrderedDict[Key, tuple[EngineRequest, float]] = OrderedDict()
        self._in_trace: defaultdict[str, dict[Key, None]] = defaultdict(dict)
        self._by_id: dict[str, Key] = {}
        self._by_tokens: defaultdict[tuple[int, int], dict[Key, None]] = defaultdict(dict)
        self._anchors: dict[str, str] = {}
        self._touched: set[str] = set()
        self._young: deque[EngineRequest] = deque()
        self._young_calls: deque[Sought] = deque()
        self._served: OrderedDict[Key, str] = OrderedDict()

    @property
    def waiting(self) -> int:
        """Requests that no call was found for yet."""
        return len(self._waiting)

    def call(self, call: ModelCall, now_s: float) -> None:
        """A call, which may be one of those that engines served."""
        one = sought(call, now_s)
        self._calls.put(one)
        self._young_calls.append(one)
        self._touched.add(one.trace_id)
        for name in one.ids:
            self._touched.update(filter(None, (self._anchors.get(name),)))
            if name in self._by_id:
                self._touched.add(self._by_id[name][0])

    def span(self, span: SpanView, now_s: float) -> bool:
        """A span; whether it is an engine's own of a request."""
        key = span.trace_id, span.span_id
        ids = ids_of(span.attributes)
        self._links[key] = _Link((span.trace_id, span.parent_id), ids)
        if len(self._links) > MOST_LINKS:
            gone, link = self._links.popitem(last=False)
            self._steps.pop(gone[0], None)
            for name in link.ids:
                self._anchors.pop(name, None)
        for name in ids:
            self._anchors[name] = span.trace_id
        if span.name in STEPS:
            lasted_s = (span.ended_ns - span.began_ns) / 1e9
            self._steps[span.trace_id].append((link_of(span), span.name, lasted_s))
        if span.trace_id in self._in_trace:
            self._touched.add(span.trace_id)
        request = request_of(span)
        if request is None:
            return False
        self._take(request, now_s)
        return True

    def _take(self, request: EngineRequest, now_s: float) -> None:
        if request.key in self._served or request.key in self._waiting:
            self.counts["repeated"] += 1
            return
        self._waiting[request.key] = request, now_s
        self._in_trace[request.key[0]][request.key] = None
        self._touched.add(request.key[0])
        for name in request.ids:
            self._by_id[name] = request.key
        if request.tokens is not None:
            self._by_tokens[request.tokens][request.key] = None
        self._young.append(request)
        if len(self._waiting) > MOST_REQUESTS:
            self._give_up(next(iter(self._waiting)))

    # -- joining -----------------------------------------------------------------------------------

    def joined(self, now_s: float) -> list[EngineReport]:
        """What engines say, as far as it is known by now of which calls; ``now_s`` is ``inf`` at the end."""
        found: list[EngineReport] = []
        touched, self._touched = self._touched, set()
        for trace_id in touched:
            for key in list(self._in_trace.get(trace_id, ())):
                if self._lacks_steps(key, now_s):
                    self._touched.add(trace_id)
                else:
                    found += self._exactly(self._waiting[key][0])
        found += self._by_patience(now_s)
        while self._waiting:
            key, (_, arrived_s) = next(iter(self._waiting.items()))
            if now_s - arrived_s < KEEP_S:
                break
            self._give_up(key)
        return found

    def _lacks_steps(self, key: Key, now_s: float) -> bool:
        """Whether spans below this one may still come, from another process that exports at another time."""
        request, arrived_s = self._waiting[key]
        early = bool(request.engine.steps) and now_s < arrived_s + STEPS_S
        return early and not self._steps_of(key)

    def _exactly(self, request: EngineRequest) -> Iterator[EngineReport]:
        if any(self._calls.failed_attempt(name) for name in request.ids):
            self._drop(request.key)
            self.counts["failed_attempt"] += 1
            return
        links = list(self._above(request.key))
        for link in links:
            call = self._calls.at(link.parent)
            if call is not None:
                yield self._report(request, call, "parent")
                return
        for name in (name for link in links for name in link.ids):
            call = self._calls.named(name)
            if call is not None:
                yield self._report(request, call, "request_id")
                return

    def _above(self, key: Key) -> Iterator[_Link]:
        for _ in range(DEEPEST):
            link = self._links.get(key)
            if link is None:
                return
            yield link
            key = link.parent

    def _by_patience(self, now_s: float) -> Iterator[EngineReport]:
        """What waited long enough for a sure sign goes by its trace, or by time and tokens."""
        due: list[EngineRequest] = []
        while self._young and self._arrived(self._young[0]) + WAIT_S <= now_s:
            due.append(self._young.popleft())
        while self._young_calls and self._young_calls[0].arrived_s + WAIT_S <= now_s:
            due += self._near(self._young_calls.popleft())
        for request in due:
            if request.key not in self._waiting:
                continue
            trace = list(self._calls.of_trace(request.key[0]))
            call = _alone(request, trace, self._others(self._in_trace, request.key[0]))
            if call is not None:
                sure = len(trace) == 1 or request.tokens == call.tokens is not None
                yield self._report(request, call, "trace" if sure else "window")
                continue
            tokens = request.tokens
            if tokens is not None:
                same = list(self._calls.with_tokens(tokens))
                call = _alone(request, same, self._others(self._by_tokens, tokens))
                if call is not None:
                    yield self._report(request, call, "window")

    def _others(self, shelf: Mapping[Place, dict[Key, None]], place: Place) -> list[EngineRequest]:
        return [self._waiting[key][0] for key in shelf.get(place, ())]

    def _arrived(self, request: EngineRequest) -> float:
        waiting = self._waiting.get(request.key)
        return -WAIT_S if waiting is None else waiting[1]

    def _near(self, call: Sought) -> Iterator[EngineRequest]:
        keys = {*self._in_trace.get(call.trace_id, ())}
        if call.tokens is not None:
            keys.update(self._by_tokens.get(call.tokens, ()))
        return (self._waiting[key][0] for key in sorted(keys))

    # -- what became of a request -------------------------------------------------------------------

    def _report(self, request: EngineRequest, call: Sought, how: JoinedBy) -> EngineReport:
        self._drop(request.key)
        self._served[request.key] = call.id
        if len(self._served) > MOST_REQUESTS:
            self._served.popitem(last=False)
        self.counts[how] += 1
        timing = request.engine.read_request(engine_span(request.span, self._steps_of(request.key)))
        if how == "window":
            timing = inferred(timing)
        return EngineReport(call.task_id, call.id, timing, how, request.routed, request.key[1])

    def _steps_of(self, key: Key) -> dict[str, float]:
        found: dict[str, float] = {}
        for parent, name, lasted_s in self._steps.get(key[0], ()):
            if parent == key or any(link.parent == key for link in self._above(parent)):
                found[name] = found.get(name, 0.0) + lasted_s
        return found

    def _give_up(self, key: Key) -> None:
        self._drop(key)
        self.counts["no_call"] += 1

    def _drop(self, key: Key) -> None:
        request, _ = self._waiting.pop(key)
        take_from(self._in_trace, key[0], key)
        if request.tokens is not None:
            take_from(self._by_tokens, request.tokens, key)
        for name in request.ids:
            if self._by_id.get(name) == key:
                del self._by_id[name]


def link_of(span: SpanView) -> Key:
    """Where the span around this one is."""
    return span.trace_id, span.parent_id


def _alone(
    request: EngineRequest, calls: list[Sought], others: list[EngineRequest]
) -> Sought | None:
    """The one call that the request lies in, if no other request of its engine lies in that.

    An engine's clock may be another than ours: only where it lies in none is it looked at more widely.
    """
    for slack_ns in (TIGHT_NS, SLACK_NS):
        found = [call for call in calls if _fits(request, call, slack_ns)]
        if len(found) > 1:
            return None
        if found:
            rivals = (one for one in others if one.key != request.key)
            same = (one for one in rivals if one.engine.id == request.engine.id)
            return None if any(_fits(one, found[0], slack_ns) for one in same) else found[0]
    return None


def _fits(request: EngineRequest, call: Sought, slack_ns: int) -> bool:
    """Whether the request may be of the call, by its time, its tokens and its model."""
    span = request.span
    begins, ends = call.began_ns - slack_ns, call.ended_ns + slack_ns
    same = request.tokens is None or call.tokens is None or request.tokens == call.tokens
    named = not request.model or not call.models or request.model in call.models
    return begins <= span.began_ns and span.ended_ns <= ends and same and named
