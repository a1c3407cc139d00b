"""The processes below this one, which tell it what they do, and the one above, which is told."""

import os
import threading
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from touchdown.live.accountant import LiveAccountant
from touchdown.live.handed import OUTSIDE, Handed, content_told, hand, handed_at, keep_options
from touchdown.live.reception import Reception
from touchdown.live.teller import Told
from touchdown.live.uplink import Uplink
from touchdown.records import TaskRecord
from touchdown.runtime.budget import COUNTING, Budget
from touchdown.runtime.carried import Carried
from touchdown.runtime.core import Runtime
from touchdown.runtime.guard import guarded, warn_once
from touchdown.runtime.handing import Above, Ticket
from touchdown.runtime.identity import clock, go_by, now_ns
from touchdown.runtime.joined import Joined
from touchdown.runtime.place import Place, TaskState
from touchdown.runtime.private_folder import hold

MOST_TASKS = 1_000
"""Tasks of the process above that jobs here went on with, and that are remembered."""

PASSED_ON = (
    "journal",
    "clients",
    "integrations",
    "stream_usage",
    "cache_diagnostics",
    "propagate_to",
    "prices",
    "policies",
)
"""Options of ``instrument()`` that hold in processes of ``multiprocessing``, too."""


class ProcessFamily:
    """Implements ``runtime.handing.Family``. Nothing is opened before a process is started."""

    def __init__(
        self,
        runtime: Runtime,
        accountant: LiveAccountant,
        options: Mapping[str, Any],
        folder: Path | None,
    ) -> None:
        self._runtime, self._accountant = runtime, accountant
        self._options = {name: options[name] for name in PASSED_ON if options.get(name) is not None}
        self._run_folder = folder
        self._uplink: Uplink | None = None
        self._known: OrderedDict[str, TaskState] = OrderedDict()
        """Tasks of the process above."""
        self._is_closed = False
        self._begin()

    def _begin(self) -> None:
        self._lock = threading.RLock()
        self._reception: Reception | None = None
        self._handed: dict[str, TaskState] = {}
        self._inside = False

    # -- the processes below -------------------------------------------------------------------------

    @guarded("family.ticket")
    def ticket(self, carried: Carried, traceparent: str = "") -> Ticket | None:
        """For a process that is started here; opens what it will tell."""
        with self._lock:
            if self._is_closed:
                return None
            reception = self._open()
            here = carried.place
            if here is None:
                self._hand(reception, OUTSIDE, None)
                return Ticket(reception.path, traceparent=traceparent)
            self._hand(reception, here.task.id, here.task)
        traceparent = traceparent or _traceparent(here)
        place = here.task.id, here.agent_id, here.agent_name
        return Ticket(reception.path, *place, traceparent, here.tool_id)

    def _open(self) -> Reception:
        if self._reception is None:
            self._reception = Reception(self._run_folder, self._receive)
            content = content_told(self._runtime.options.content)
            options = {**self._options, **content}
            keep_options(self._reception.folder, self._reception.name, options)
        return self._reception

    def _hand(self, reception: Reception, name: str, task: TaskState | None) -> None:
        if name in self._handed or (task is None and (reception.folder / f"{name}.task").exists()):
            return
        gate = self._runtime.gate
        of_process = COUNTING.share(gate.budgets) if gate is not None else ()
        handed = Handed(of_process=of_process, clock=clock())
        if task is not None:
            for closed in [id for id, state in self._handed.items() if state.closed]:
                del self._handed[closed]
            self._handed[name] = task
            handed = Handed(
                task.record,
                task.root_id,
                task.digest_key.hex(),
                COUNTING.share(task.budgets),
                of_process,
                clock(),
            )
        hand(reception.folder, name, handed)

    def _receive(self, told: Told) -> None:
        self._runtime.delivery.put(_Received(self, told))

    def take_in(self, told: Told) -> None:
        """Fold what a process below told; behind the queue."""
        if told.record is not None:
            self._accountant.receive(told.record, told.written)
            return
        state = self._handed.get(told.task_id) or self._known.get(told.task_id)
        for _ in range(told.refused if state is not None else 0):
            self._runtime.note_refused(state)  # type: ignore[arg-type]

    def drop(self, told: Told) -> None:
        """The queue was full."""
        if told.record is not None:
            self._runtime.note_dropped(told.record.task_id)

    def catch_up(self) -> None:
        """Take in all that the processes below have told so far."""
        if self._reception is not None:
            self._reception.catch_up()

    def close(self) -> None:
        """Take in what there is and end."""
        with self._lock:
            self._is_closed = True
            reception, self._reception = self._reception, None
        if reception is not None:
            reception.close()

    # -- the process above ---------------------------------------------------------------------------

    @guarded("family.join")
    def join(self, ticket: Ticket, *, program: bool) -> None:
        """Go on where the process above handed over; ``program``: as an agent of its own there."""
        before = self._uplink
        if before is not None and (program or str(before.path) == ticket.parent):
            return
        folder = Path(ticket.parent).parent
        handed = handed_at(folder, ticket.task_id or OUTSIDE)
        if handed is None:
            warn_once(
                "family:gone",
                "touchdown: the process that started this one is gone; its own journal and spans have"
                " the ids to join them by",
            )
        else:
            hold(folder)
            if handed.clock is not None:
                go_by(handed.clock)
            self._tell(Uplink(ticket.parent, self._written()))
            if before is not None:
                before.close()  # by the environment this process stood below its parent's own parent
            gate = self._runtime.gate
            if gate is not None:
                gate.add(tuple(Budget.shared(one) for one in handed.of_process))
        if not ticket.task_id:
            return
        place = self._place(ticket, handed)
        here = None if program else place
        joined = Joined(place.task, agent_id=place.agent_id, tool_id=place.tool_id, here=here)
        self._runtime.join(joined)

    def _written(self) -> set[str]:
        """Where this process writes its records itself: its journals, and the folder of the run."""
        written = self._accountant.journal_files
        return written | ({str(self._run_folder)} if self._run_folder is not None else set())

    def _tell(self, uplink: Uplink) -> None:
        self._accountant.tell(uplink, instead_of=self._uplink)
        self._runtime.sinks = [sink for sink in self._runtime.sinks if sink is not self._uplink]
        self._runtime.sinks.append(uplink)
        self._uplink = uplink

    def place(self, ticket: Ticket) -> Place | None:
        """Where a job goes on that was handed to this process."""
        if not ticket.task_id:
            return None
        with self._lock:
            state = self._known.get(ticket.task_id)
            if state is not None:
                self._known.move_to_end(ticket.task_id)
                return _place_in(state, ticket)
            return self._place(ticket, handed_at(Path(ticket.parent).parent, ticket.task_id))

    def _place(self, ticket: Ticket, handed: Handed | None) -> Place:
        state = handed.state() if handed is not None else None
        if state is None:
            state = _bare(ticket)
        self._known[state.id] = state
        if len(self._known) > MOST_TASKS:
            self._known.popitem(last=False)
        if self._uplink is not None:
            self._uplink.know(state.record)
        self._accountant.fold(state.record)
        return _place_in(state, ticket)

    # -- forks -----------------------------------------------------------------------------------------

    def before_fork(self, inside: bool) -> None:
        """The parent listens before its child is there to speak."""
        with self._lock:
            self._inside = inside and not self._is_closed
            if self._inside:
                self._open()

    def after_fork(self) -> None:
        """In the child: where it goes on with the parent's work, the parent is told."""
        inside, reception = self._inside, self._reception
        self._known.update(self._handed)
        self._begin()
        if reception is None:
            return
        path = reception.path
        reception.forget()
        if inside:
            uplink = Uplink(path, self._written())
            for task in self._accountant.open_tasks:
                uplink.know(task)
            before = self._uplink
            self._tell(uplink)
            if before is not None:
                before.close()


def _place_in(state: TaskState, ticket: Ticket) -> Place:
    above = Above.of(ticket.traceparent)
    return Place(state, ticket.agent_id, ticket.agent_name, ticket.tool_id, opened=above)


def _bare(ticket: Ticket) -> TaskState:
    """A task of which nothing but its id is known: its own record, elsewhere, holds over this one."""
    record = TaskRecord(ticket.task_id, "", now_ns())
    above = Above.of(ticket.traceparent)
    if above:
        record = replace(record, trace_id=above[0].trace_id, span_id=above[0].span_id)
    return TaskState(record, ticket.task_id, os.urandom(16))


def _traceparent(here: Place) -> str:
    for held in here.opened:
        if held.span_id:
            return f"00-{held.trace_id}-{held.span_id}-01"
    return ""


class _Received:
    """What a process below told, on its way."""

    __slots__ = ("_family", "_told")

    def __init__(self, family: ProcessFamily, told: Told) -> None:
        self._family, self._told = family, told

    def deliver(self) -> None:
        self._family.take_in(self._told)

    def drop(self) -> None:
        self._family.drop(self._told)
