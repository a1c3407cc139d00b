"""The runtime: what every observation needs, made once by ``instrument()``."""

import contextlib
import hashlib
import secrets
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from touchdown.context.tracker import ContextTracker
from touchdown.records import AgentRun, CallVerdict, Record, Start, TaskRecord
from touchdown.runtime.admission import Gate
from touchdown.runtime.capturing import Chosen
from touchdown.runtime.carried import NOTHING, Carried, carried_trace
from touchdown.runtime.collecting import Collecting
from touchdown.runtime.delivery import Delivery
from touchdown.runtime.ending import left_until
from touchdown.runtime.guard import Guard, failed, warn
from touchdown.runtime.handing import Family
from touchdown.runtime.implicit import ImplicitTasks
from touchdown.runtime.joined import Joined
from touchdown.runtime.loops import watch_loop
from touchdown.runtime.options import Options
from touchdown.runtime.place import Place, TaskState, standing_place
from touchdown.runtime.receipt import Receipt
from touchdown.runtime.serving import ServingHosts
from touchdown.runtime.sinks import Accountant, Opened, Sink, flush_all, tend_all
from touchdown.runtime.trackers import Trackers

if TYPE_CHECKING:
    from touchdown.accounting.account import TaskAccount

REFUSED_S = 1.0
IDLE, HEARING = Guard("implicit.close_idle"), Guard("collect")

receipt_of: "Callable[[TaskAccount], Receipt]"
"""How an account is shown; set by the wiring, since reports lie above."""


class Runtime:
    """Sinks, delivery, the open tasks outside ``task()``, and the context of each agent."""

    def __init__(
        self,
        accountant: Accountant,
        sinks: list[Sink],
        options: Options | None = None,
        joined: Joined | None = None,
    ) -> None:
        self.accountant = accountant
        self.sinks = sinks
        self.options = options or Options()
        self._joined = joined
        self._told: set[str] = set()
        self.implicit = ImplicitTasks(self.deliver_record, self.options.digest_key)
        self.delivery = Delivery(tend=self._tend)
        self._trackers = Trackers()
        self._scope_key = self.options.digest_key or secrets.token_bytes(16)
        self.closed = False
        self.family: Family | None = None
        """The processes below and above; set by the wiring."""
        self.gate: Gate | None = None
        """Asked before each call that has a budget; set by the wiring."""
        self.serving: ServingHosts | None = None  # hosts named as self-hosted; set by the wiring
        self.collector: Collecting | None = None  # ``instrument(collect=True)``; set by the wiring

    # -- where the caller stands ------------------------------------------------------------

    def place(self, trace_id: str = "") -> Place:
        """The current task and agent; outside any ``task()`` the run's, the local trace, else the process.

        ``trace_id`` is the local trace where it is not the current one.
        """
        here = standing_place()
        if here is not None:
            return here
        if self._joined is not None:
            return self._joined.place(self.deliver_record)
        task = self.implicit.of(trace_id or self._trace_id() or carried_trace())
        return Place(task, task.id)

    def join(self, joined: Joined) -> None:
        """From here on this process goes on with the task of another."""
        self._joined = joined

    def hand_over(self) -> Carried:
        """What work takes along that the caller hands to another process."""
        here = standing_place()
        if here is None and self._joined is not None:
            here = self._joined.place(self.deliver_record)
        return NOTHING if here is None else Carried(here)

    def traceparent(self) -> str:
        """The span that is current where the caller stands, or an empty string."""
        for sink in self.sinks:
            try:
                if found := sink.current_traceparent():
                    return found
            except Exception:
                failed("sink.current_traceparent")
        return ""

    def _trace_id(self) -> str:
        trace_id = ""
        for sink in self.sinks:
            try:
                trace_id = trace_id or sink.current_trace_id()
            except Exception:
                failed("sink.current_trace_id")
        return trace_id

    def take_along(self) -> Carried:
        """What work takes along that the caller hands to another thread."""
        here = standing_place()
        if here is not None:
            return Carried(here)
        trace_id = self._trace_id() or carried_trace()
        return Carried(None, trace_id) if trace_id else NOTHING

    @property
    def root(self) -> TaskState | None:
        """The task of the ``touchdown run`` above this process: tasks without a parent are its children."""
        return None if self._joined is None else self._joined.state

    # -- sinks ---------------------------------------------------------------------------------

    def open(self, start: Start) -> list[Opened]:
        """Tell every sink that something began; what one raises is noted, the others are told."""
        opened: list[Opened] = []
        for sink in self.sinks:
            try:
                handle = sink.open(start)
            except Exception:
                failed("sink.open")
                continue
            if handle is not None:
                opened.append(handle)
        return opened

    def settle(self, record: Record, opened: list[Opened]) -> CallVerdict | None:
        """Fold a finished record and let every sink write it; behind the queue."""
        verdict = None
        try:
            verdict = self.accountant.fold(record)
        except Exception:
            # At the interpreter's end nothing loads any more, and nobody asks: the journal has it.
            if not sys.is_finalizing():
                failed("accountant.fold")
            self.note_dropped(record.task_id)
        self.delivery.counted = True
        for handle in opened:
            try:
                handle.close(record, verdict)
            except Exception:
                failed("sink.close")
        if isinstance(record, TaskRecord) and record.duration_ns is not None:
            self._trackers.forget(record.id)
        elif isinstance(record, AgentRun):
            self._trackers.forget(record.task_id, record.id)
        return verdict

    def _tend(self) -> None:
        self.implicit.close_idle()
        self.catch_up()
        tend_all(self.sinks)

    def note_dropped(self, task_id: str) -> None:
        """A record of this task was lost."""
        with contextlib.suppress(Exception):
            self.accountant.note_dropped(task_id)

    def began(self, task: TaskState) -> None:
        """A call or step of this task begins."""
        watch_loop(task)
        if task.record.implicit:
            self.implicit.began(task)

    def ended(self, task: TaskState) -> None:
        """It ended."""
        if task.record.implicit:
            self.implicit.ended(task)

    # -- records ------------------------------------------------------------------------------

    def deliver_record(self, record: Record, opened: list[Opened] | None = None) -> None:
        """Queue a record that is finished already."""
        self.delivery.put(_Finished(self, record, opened or []))

    def note_refused(self, task: TaskState) -> None:
        """A budget did not let a call of this task be sent. Told at once, then at most once a second."""
        now_s = time.monotonic()
        with task.lock:
            task.change(refused_calls=task.record.refused_calls + 1)
            if now_s - task.refused_s < REFUSED_S:
                return
            task.refused_s = now_s
        self.deliver_record(task.record)

    def tracker(self, task: TaskState, agent_id: str) -> ContextTracker:
        """The context of one agent; behind the queue only."""
        return self._trackers.of(task, agent_id)

    def scope(self, base_url: str, credential: str) -> str:
        """Whose prefix cache a call uses: a keyed digest of base URL and credential."""
        data = f"{base_url}\n{credential}".encode("utf-8", "surrogatepass")
        digest = hashlib.blake2b(data, digest_size=8, key=self._scope_key).hexdigest()
        return sys.intern(digest)  # each call's record has it

    def account(self, task: TaskRecord) -> "TaskAccount":
        """The account of a task with everything folded that has ended so far."""
        self.drain()
        return self.accountant.account(task)

    def drain(self) -> None:
        """Fold everything that has ended so far, here and in the processes below."""
        self.catch_up()
        self.delivery.drain()
        if self.collector is not None:
            with HEARING:
                self.collector.drain()
            self.delivery.drain()

    def catch_up(self) -> None:
        """Take in what the processes below have told."""
        if self.family is not None:
            self.family.catch_up()

    # -- ends -----------------------------------------------------------------------------------

    def flush(self, timeout_s: float = 5.0) -> bool:
        """Deliver what is pending and let the sinks send what they hold."""
        with IDLE:
            self.implicit.close_idle()
        self.catch_up()
        drained = self.delivery.settle(timeout_s)
        return flush_all(self.sinks, timeout_s) and drained

    def close(self, timeout_s: float = 2.0) -> None:
        """End the implicit tasks, deliver everything, let the sinks go."""
        self.closed = True
        deadline = time.monotonic() + timeout_s
        with IDLE:
            self.implicit.close_idle(all_of_them=True)
        if self._joined is not None and (ended := self._joined.ended()) is not None:
            self.deliver_record(ended)
        if self.family is not None:
            self.family.close()
        unheard: list[str] = []
        self.delivery.settle(left_until(deadline))
        with HEARING:
            if self.serving is not None:
                self.serving.hear(left_until(deadline))
            if self.collector is not None:
                unheard = self.collector.close(left_until(deadline))
        late, full = self.delivery.close(left_until(deadline)), self.delivery.dropped
        lost = [f"{late:,} records (not read within {timeout_s:g} s)"] if late else []
        lost += [f"{full:,} records (the queue was full)"] if full else []
        for sink in self.sinks:
            try:
                lost += sink.shutdown(left_until(deadline))
            except Exception:
                failed("sink.shutdown")
        self._tell_lost([*lost, *unheard, *self.accountant.unwritten()])

    def _tell_lost(self, lost: list[str]) -> None:
        news = [part for part in lost if part not in self._told]
        self._told.update(news)
        if news:
            warn("touchdown: lost at the end: %s", "; ".join(news))

    def after_fork(self) -> None:
        """In a child: fresh locks; the parent keeps and ends its own tasks and calls."""
        self.implicit.forget()
        self._trackers = Trackers()
        self.accountant.after_fork()
        for held in (self.gate, self._joined, self.family, self.collector):
            if held is not None:
                held.after_fork()


class _Finished:
    """A finished record on its way to the sinks."""

    __slots__ = ("_opened", "_record", "_runtime")

    def __init__(self, runtime: Runtime, record: Record, opened: list[Opened]) -> None:
        self._runtime, self._record, self._opened = runtime, record, opened

    def deliver(self) -> None:
        self._runtime.settle(self._record, self._opened)

    def drop(self) -> None:
        self._runtime.note_dropped(self._record.task_id)


_chosen: Chosen[Runtime] = Chosen()
active, base = _chosen.active, _chosen.base
activate, capture = _chosen.activate, _chosen.capture
