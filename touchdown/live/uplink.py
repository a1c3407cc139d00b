"""The line to the process above: what happens here is told there as it happens, or put in a file for it."""

import contextlib
import os
import secrets
import socket
import threading
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import msgspec

from touchdown.live.journal import FORMAT
from touchdown.live.peers import is_ours
from touchdown.records import CallStart, Kept, Start, TaskOutcome, TaskRecord
from touchdown.runtime.guard import warn_once
from touchdown.runtime.identity import now_ns

SEND_S = 2.0
"""How long a line may take that the process above does not read; from then on a file takes them."""

FILES = ".files"
"""The end of a ticket's path where the process above has no socket."""

TOLD = ".told"


class Uplink:
    """A journal that another process reads, and a sink that tells it of calls as they begin.

    Nothing here raises, and nothing waits longer than a moment: a process above that is gone is said once.
    """

    def __init__(self, parent: str, writes: Iterable[str]) -> None:
        self.path = Path(parent)
        self.lost = 0
        self.keeps = True
        self._encode = msgspec.json.Encoder().encode
        self._writes = sorted(writes)
        self._above: dict[str, TaskRecord] = {}
        self._lock = threading.RLock()
        self._begin()

    def _begin(self) -> None:
        self._socket: socket.socket | None = None
        self._file: int | None = None
        self._is_gone = False
        self._name = f"{self.path.stem}-{os.getpid()}-{secrets.token_hex(4)}"

    def know(self, task: TaskRecord) -> None:
        """A task of the process above: what is said of it here is told there, the record stays its own."""
        self._above[task.id] = task

    # -- as a journal ------------------------------------------------------------------------------

    def write(self, record: Kept) -> None:
        """Tell one record."""
        if isinstance(record, TaskRecord) and record.id in self._above:
            self._tell_of_theirs(record)
        else:
            self._tell(type(record).__name__, record)

    def pass_on(self, record: Kept, written: Collection[str]) -> None:
        """Tell what a process below told; its path is on no list of journals."""
        self._tell(type(record).__name__, record)

    def _tell_of_theirs(self, task: TaskRecord) -> None:
        before, self._above[task.id] = self._above[task.id], task
        said = (task.outcome, task.outcome_reason, task.score)
        if said != (before.outcome, before.outcome_reason, before.score):
            decided = None if task.outcome == "unknown" else task.outcome
            outcome = TaskOutcome(task.id, now_ns(), decided, task.outcome_reason, task.score)
            self._tell("TaskOutcome", outcome)
        if task.refused_calls > before.refused_calls:
            more = task.refused_calls - before.refused_calls
            self._tell("Refused", {"task_id": task.id, "calls": more})

    def after_fork(self) -> None:
        """In a forked child: a line of its own."""
        self._lock = threading.RLock()
        self._let_go()
        self._begin()

    def close(self) -> None:
        """End the line."""
        with self._lock:
            self._let_go()
            self._is_gone = True

    # -- as a sink ---------------------------------------------------------------------------------

    def open(self, start: Start) -> None:
        """Tell that a call began, at once; nothing is held."""
        if isinstance(start, CallStart):
            self._tell("CallStart", start)

    def current_trace_id(self) -> str:
        """None: this is not about spans."""
        return ""

    def current_traceparent(self) -> str:
        """None either."""
        return ""

    def flush(self, timeout_s: float) -> bool:
        """Nothing waits."""
        return True

    def shutdown(self, timeout_s: float) -> list[str]:
        """The line stays open: a call that begins at the very end is one that may be cut off."""
        return []

    # -- the line ----------------------------------------------------------------------------------

    def _tell(self, kind: str, record: Any) -> None:
        try:
            line = self._encode({"kind": kind, "record": record}) + b"\n"
        except (TypeError, ValueError) as error:  # e.g. a tag of the host's own type
            self.lost += 1
            warn_once("uplink:record", "touchdown: a record is not told above (%s)", error)
            return
        with self._lock:
            self._send(line)

    def _send(self, line: bytes) -> None:
        if self._is_gone:
            return
        if self._socket is None and self._file is None:
            self._open()
        if self._socket is not None:
            try:
                self._socket.sendall(line)
                return
            except TimeoutError:
                self._to_file("it does not read them")
            except OSError:
                self._gone()
        if self._file is not None:
            self._append(line)

    def _hello(self) -> bytes:
        about = {"format": FORMAT, "name": self._name, "pid": os.getpid(), "writes": self._writes}
        return self._encode({"hello": about}) + b"\n"

    def _open(self) -> None:
        if self.path.suffix == FILES:
            self._to_file("")
            return
        line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            line.settimeout(SEND_S)
            line.connect(str(self.path))
            if not is_ours(line):
                raise PermissionError("another user listens there")
            line.sendall(self._hello())
        except (TimeoutError, BlockingIOError):
            line.close()
            self._to_file("it does not answer")
        except OSError:
            line.close()
            self._gone()
        else:
            self._socket = line

    def _to_file(self, why: str) -> None:
        """The file is there before the socket is closed: who reads it knows that this goes on."""
        if why:
            warn_once("uplink:file", "touchdown: records go to the process above by file: %s", why)
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0)
            self._file = os.open(self.path.parent / (self._name + TOLD), flags, 0o600)
        except OSError:
            self._gone()
            return
        self._append(self._hello())
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _append(self, line: bytes) -> None:
        try:
            while line and self._file is not None:
                line = line[os.write(self._file, line) :]
        except OSError:
            self._gone()

    def _gone(self) -> None:
        self._let_go()
        self._is_gone = True
        warn_once(
            "uplink:gone",
            "touchdown: the process that started this one takes in no records any more; they count here",
        )

    def _let_go(self) -> None:
        with contextlib.suppress(OSError):
            if self._socket is not None:
                self._socket.close()
            if self._file is not None:
                os.close(self._file)
        self._socket = self._file = None
