"""One named host: what is sent to it, what is read from its answers, metrics, events and records."""

import threading
from collections.abc import Mapping

from msgspec.structs import replace

from touchdown.engines.beside import Prefills
from touchdown.engines.engine import Figures, Told
from touchdown.engines.exposition import RESTARTED, Counted, Exposition, counted
from touchdown.engines.kv.evicted import with_evicted
from touchdown.engines.kv.feeds import KvFeeds
from touchdown.engines.looking import Look, look
from touchdown.engines.named import Named
from touchdown.engines.perf_metrics import PerfMetrics
from touchdown.engines.registry import engine_of
from touchdown.engines.tensorrt_llm import TensorRtLlm
from touchdown.engines.tool_events import ToolEvents
from touchdown.engines.watching import Watch
from touchdown.records import AnswerView, CallStart, EngineTiming
from touchdown.runtime.serving import Underway

NOT_LOOKED = "its metrics were not read yet"
NO_USAGE = "the answer reports no cached tokens"


class EngineHost:
    """One named host. ``touchdown.engine`` hands it out; print it to see what is known of it."""

    def __init__(self, named: Named, watch: Watch) -> None:
        self._named, self._watch = named, watch
        self._engine = engine_of(named.kind)
        self._page: Exposition | None = None
        self._counted: dict[str, float] = {}
        self._lost: dict[str, str] = {}
        self._several = False
        self._lock = threading.Lock()
        self._prefills = Prefills()
        self._feed = KvFeeds(named.kv_events) if named.kv_events else None
        self.tool_events = ToolEvents(named.tool_events) if named.tool_events else None
        self._perf = PerfMetrics(named) if named.perf_metrics else None
        self._problem = NOT_LOOKED

    @property
    def url(self) -> str:
        """Its address."""
        return self._named.url

    @property
    def engine(self) -> str:
        """Id of the engine behind it; empty while it is not recognised."""
        return self._engine.id if self._engine is not None else ""

    @property
    def problem(self) -> str:
        """What keeps its metrics from being read, in words; empty when they are."""
        return self._problem

    @property
    def counted(self) -> Counted:
        """What its counters say of the time that touchdown has watched it, of all its requests together."""
        with self._lock:
            return Counted(dict(self._counted), dict(self._lost))

    @property
    def events_problem(self) -> str:
        """What keeps events and records from being read or pushed; empty where nothing does."""
        asked = (self._feed, self.tool_events, self._perf)
        return "; ".join(one.problem for one in asked if one is not None and one.problem)

    def __str__(self) -> str:
        """Its address, engine and problems on one line."""
        title = self._engine.title if self._engine is not None else "not recognised"
        problems = "; ".join(filter(None, (self._problem, self.events_problem)))
        return f"{self.url}: {title}" + (f" ({problems})" if problems else "")

    def wake(self) -> None:
        """It is called now, or will be: look at its metrics soon, and listen to its cache events."""
        self._watch.wake(self)
        if self._feed is not None:
            self._feed.wake()

    # -- what the capture side asks -------------------------------------------------------------

    def fields(
        self, start: CallStart, api: str, body: Mapping[str, object]
    ) -> Mapping[str, object]:
        """Fields of the request that ask the engine to say more."""
        session = start.agent_id if self._feed is not None else ""
        return {} if self._engine is None else self._engine.fields(api, body, session)

    def headers(
        self, start: CallStart, request_id: str, trace_id: str, span_id: str
    ) -> Mapping[str, str]:
        """The one header set that every engine finds something in."""
        self.wake()
        sent = {
            "x-request-id": request_id,
            "x-session-id": start.agent_id,
            "x-dynamo-session-id": start.agent_id,
        }
        if start.agent_id != start.task_id:
            sent["x-dynamo-parent-session-id"] = start.task_id
        if span_id:
            sent["traceparent"] = f"00-{trace_id}-{span_id}-01"
        return sent

    def sent(self, call: Underway) -> None:
        """An attempt of this call goes to the host now."""
        self._prefills.sent(call)
        if self._perf is not None:
            self._perf.sent()
        if self.tool_events is not None:
            self.tool_events.knows(call.start.agent_id)

    def timing(self, answer: AnswerView, call: Underway) -> EngineTiming:
        """What the engine says of the request that was answered like this, and what others took of it."""
        self._watch.wake(self)
        told = self._told(answer)
        if (perf := self._records) is not None:
            perf.ended(call, answer)
        if self._feed is not None:
            told = with_evicted(self._feed, call, told, self._prefills.company(call))
        return self._prefills.beside(call, told)

    def _told(self, answer: AnswerView) -> EngineTiming:
        engine, page = self._engine, self._page
        block = engine.block_tokens(page) if engine is not None and page is not None else None
        if engine is None:
            found = Figures("")
            found.usage(answer.usage, NO_USAGE)
            return found.done(self._problem)
        return engine.read(Told(answer.engine_parts, answer.usage, block))

    # -- how long it is named ---------------------------------------------------------------------

    def is_named_as(self, named: Named) -> bool:
        """Whether naming it like this changes nothing."""
        return replace(self._named, place=named.place) == named

    def named_again(self, named: Named) -> Named:
        """The name with the events of the former one, where it names none of its own."""
        own = self._named
        return replace(
            named,
            kv_events=named.kv_events or own.kv_events,
            tool_events=named.tool_events or own.tool_events,
        )

    def let_go(self) -> None:
        """It is named no more: no event is heard or pushed from here on."""
        for one in (self._feed, self.tool_events):
            if one is not None:
                one.stop()

    def after_fork(self) -> None:
        """In a forked child: locks may be held by the parent's threads, and sockets are the parent's."""
        self._lock = threading.Lock()
        for one in (self._prefills, self._feed, self.tool_events, self._perf):
            if one is not None:
                one.after_fork()

    @property
    def _records(self) -> PerfMetrics | None:
        return self._perf if self.engine == TensorRtLlm().id else None

    def hear(self, ends: float) -> None:
        """The process ends then: read the records of calls that ended, if any wait for theirs."""
        if (perf := self._records) is not None:
            perf.look_once_more(ends)

    # -- its metrics ------------------------------------------------------------------------------

    def look(self) -> None:
        """Read its metrics and records now, and wait for them: at most a few seconds."""
        self.note(look(self._named, self._engine))
        if (perf := self._records) is not None:
            perf.look()

    def note(self, seen: Look) -> None:
        """Take in what a look at its metrics found."""
        with self._lock:
            self._recognise(seen)
            if seen.page is not None and self._engine is not None:
                if self._page is not None:
                    self._add(counted(self._page, seen.page, self._engine.counters))
                self._page = seen.page
                if self._feed is not None:
                    self._feed.spread(seen.page.ranks(*self._engine.ranks))

    def _recognise(self, seen: Look) -> None:
        if self._several:
            return
        known = self._engine
        if known is not None and seen.engine is not None and seen.engine.id != known.id:
            self._several, self._engine, self._page = True, None, None
            self._problem = (
                f"two engines answer at one address: {known.title} and {seen.engine.title}"
            )
            return
        self._problem = seen.problem
        self._engine = seen.engine or known

    def _add(self, since: Counted) -> None:
        for figure, grown in since.figures.items():
            if self._lost.get(figure) != RESTARTED:
                self._lost.pop(figure, None)
                self._counted[figure] = self._counted.get(figure, 0.0) + grown
        for figure, reason in since.not_observable.items():
            if self._lost.get(figure) != RESTARTED:
                self._lost[figure] = reason
                self._counted.pop(figure, None)
