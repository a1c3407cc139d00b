"""TensorRT-LLM's ``/perf_metrics``: records of requests that ended, each handed out once, to whoever asks.

Source: ``tensorrt_llm/serve/openai_server.py`` and ``perf_metrics.py`` at its main branch of 2026. A record
names its request by a number of the server's own; its moments are of the server's steady clock, which
``/steady_clock_offset`` tells.
"""

import json
import threading
import time
import weakref
from collections import deque
from collections.abc import Iterator, Mapping

from msgspec import Struct

from touchdown.engines.engine import as_number, field_of, inferred
from touchdown.engines.fetching import TIMEOUT_S, NoPage, fetch_text
from touchdown.engines.named import Named
from touchdown.engines.tensorrt_llm import TensorRtLlm
from touchdown.records import AnswerView, EngineReport, EngineTiming
from touchdown.records.engine import JoinedBy, bare_id
from touchdown.runtime import core
from touchdown.runtime.reported import Reported
from touchdown.runtime.serving import Underway

PATH, CLOCK = "/perf_metrics", "/steady_clock_offset"
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
MOST_KEPT = 512
"""Calls without a record, and records without a call, are remembered up to this many."""

SLACK_NS = 5_000_000
"""So much more than the clock's own uncertainty may a record lie outside its call."""

CLOCK_TRIES, SURE_NS = 3, 2_000_000
"""So often the clock is asked each time, until it is known as surely as this."""

REST_NS = 1_000_000_000
"""A record is there once the answer is written: so long after a call's end no other one is still to come."""

KEEP_NS = 60_000_000_000
"""So long after a call's end its record is waited for."""

NOT_A_LIST = f"{PATH} shows no records"
NO_CLOCK = "the server does not tell its clock, so that its records are joined by their ids alone"


Joined = tuple[core.Runtime | None, EngineReport]
"""Where a call was made, and what the server says of it."""


class _Ended(Struct, frozen=True):
    """A call whose record is waited for. Units: nanoseconds of our steady clock."""

    task_id: str
    call_id: str
    ids: frozenset[str]
    sent_ns: int
    ended_ns: int
    runtime: "weakref.ref[core.Runtime] | None"


class _Clock(Struct, frozen=True):
    """How far the server's steady clock is ahead of ours, and how sure that is. Units: nanoseconds."""

    ahead_ns: int = 0
    unsure_ns: int = 0


class _Record(Struct, frozen=True):
    """One record. Units: ``began_s`` and ``ended_s`` seconds of the server's steady clock."""

    ids: frozenset[str]
    began_s: float | None
    ended_s: float | None
    timing: EngineTiming

    def fits(self, call: _Ended, clock: _Clock) -> bool:
        """Whether it lies in the call."""
        if self.began_s is None or self.ended_s is None:
            return False
        began, ended = (round(s * 1e9) - clock.ahead_ns for s in (self.began_s, self.ended_s))
        slack = clock.unsure_ns + SLACK_NS
        return call.sent_ns - slack <= began and ended <= call.ended_ns + slack


class PerfMetrics:
    """The records of one server. ``ended`` is quick; ``look`` waits for the network, in the background."""

    def __init__(self, named: Named) -> None:
        self._named = named
        self._clock: _Clock | None = None
        self.after_fork()

    def after_fork(self) -> None:
        """What the parent's calls were is the parent's."""
        self._lock = threading.Lock()
        self._calls: deque[_Ended] = deque(maxlen=MOST_KEPT)
        self._records: deque[_Record] = deque(maxlen=MOST_KEPT)
        self.problem = ""
        """What keeps records from being read or joined, in words."""
        self._runtime: weakref.ref[core.Runtime] | None = None
        self.joined = self.lost = 0
        """Records that were found to be of a call; those among them whose task was no longer held."""

    def sent(self) -> None:
        """A call goes to the server, from what is active now."""
        runtime = core.active()
        self._runtime = None if runtime is None else weakref.ref(runtime)

    def ended(self, call: Underway, answer: AnswerView) -> None:
        """A call to this server was answered."""
        sent, ended = call.clocks.first_sent_ns, call.clocks.ended_ns
        if sent is None or ended is None:
            return
        ids = frozenset(filter(None, (call.start.id, bare_id(answer.response_id))))
        with self._lock:
            self._calls.append(
                _Ended(call.start.task_id, call.start.id, ids, sent, ended, self._runtime)
            )

    def look(self) -> None:
        """Read what is there, where a call waits for it. Never raises."""
        asked_ns = time.monotonic_ns()
        if self._calls and self._read(TIMEOUT_S):
            for _ in range(CLOCK_TRIES if self._records else 0):
                if self._clock is None or self._clock.unsure_ns > SURE_NS:
                    self._ask_clock(TIMEOUT_S)
            self._join(asked_ns - REST_NS)
            self._give_up(asked_ns - KEEP_NS)

    def look_once_more(self, ends: float) -> None:
        """The same at the process's end, within the time that is left until then. Never raises."""
        left = ends - time.monotonic()
        if left > 0 and self._calls and self._read(left):
            left = ends - time.monotonic()
            if left > 0 and self._records and self._clock is None:
                self._ask_clock(left)
            self._join(time.monotonic_ns())

    def _read(self, timeout_s: float) -> bool:
        """Take what is handed out; whether that could be read."""
        self.problem = ""
        try:
            told = json.loads(fetch_text(self._named.url, PATH, timeout_s))
        except NoPage as error:
            self.problem = str(error)
            return False
        except ValueError:
            told = None
        if not isinstance(told, list):
            self.problem = NOT_A_LIST
            return False
        with self._lock:
            self._records.extend(read_record(one) for one in told if isinstance(one, Mapping))
        return True

    def _ask_clock(self, timeout_s: float) -> None:
        """Ask what time it is there; the surest answer is kept."""
        before = time.monotonic_ns()
        try:
            told = json.loads(fetch_text(self._named.url, CLOCK, timeout_s))
        except (NoPage, ValueError):
            told = None
        after = time.monotonic_ns()
        received, sent = (
            as_number(field_of(told, f"{name}_ts")) for name in ("receive", "transmit")
        )
        if received is not None and sent is not None:
            there = round((received + sent) / 2 * 1e9)
            took = max(after - before - round((sent - received) * 1e9), 0)
            asked = _Clock(there - (before + after) // 2, took // 2)
            if self._clock is None or asked.unsure_ns < self._clock.unsure_ns:
                self._clock = asked
        elif self._named.host in LOOPBACK:
            self._clock = _Clock()
        else:
            self.problem = NO_CLOCK

    def _join(self, until_ns: int) -> None:
        with self._lock:
            found = [*self._by_id(), *self._by_window(until_ns)]
        for runtime, report in found:
            self._tell(runtime, report)

    def _by_id(self) -> Iterator[Joined]:
        for call in list(self._calls):
            named = [record for record in self._records if record.ids & call.ids]
            if len(named) == 1:
                yield self._take(call, named[0], "request_id")

    def _by_window(self, until_ns: int) -> Iterator[Joined]:
        """Those that lie in one call alone, which holds no other; what is in doubt waits."""
        clock = self._clock
        if clock is None:
            return
        pairs = [(call, r) for r in self._records for call in self._calls if r.fits(call, clock)]
        for call, record in pairs:
            rivals = [one for one in pairs if one[0] is call or one[1] is record]
            if len(rivals) == 1 and call.ended_ns <= until_ns:
                yield self._take(call, record, "window")

    def _take(self, call: _Ended, record: _Record, how: JoinedBy) -> Joined:
        self._calls.remove(call)
        self._records.remove(record)
        self.joined += 1
        timing = inferred(record.timing) if how == "window" else record.timing
        runtime = None if call.runtime is None else call.runtime()
        return runtime, EngineReport(call.task_id, call.call_id, timing, how)

    def _give_up(self, before_ns: int) -> None:
        """Whoever else reads records has those of calls that ended so long ago, or there are none."""
        with self._lock:
            kept = [call for call in self._calls if call.ended_ns >= before_ns]
            self._calls = deque(kept, MOST_KEPT)

    def _tell(self, runtime: core.Runtime | None, report: EngineReport) -> None:
        if runtime is None:
            self._lose()
        else:
            runtime.delivery.put(Reported(runtime, report, self._lose))

    def _lose(self) -> None:
        self.lost += 1


def read_record(record: Mapping[str, object]) -> _Record:
    """One record, of one server or of a context and a generation server behind a proxy."""
    context, generation = (field_of(record, f"{part}_perf_metrics") for part in ("ctx", "gen"))
    told = [one for one in (record, context, generation) if isinstance(one, Mapping)]
    ids = (bare_id(str(one["request_id"])) for one in told if one.get("request_id") is not None)
    moments = [field_of(field_of(one, "perf_metrics"), "timing_metrics") for one in told]
    began = [as_number(record.get("disagg_server_arrival_time"))]
    began += [
        as_number(field_of(m, n)) for m in moments for n in ("server_arrival_time", "arrival_time")
    ]
    ended = [as_number(field_of(m, "last_token_time")) for m in moments]
    timing = TensorRtLlm().read_perf_metrics(record)
    return _Record(
        frozenset(ids),
        min(filter(None, began), default=None),
        max(filter(None, ended), default=None),
        timing,
    )
