"""Tool events for NVIDIA Dynamo's request trace: pushed over ZeroMQ where a host's user asked for it.

Read at Dynamo 1.6.1 (schema ``dynamo.request.trace.v1``). Frames are the topic, a sequence (8 bytes,
big-endian) and a row in msgpack. Names, times and the outcome of each execution are told, no content.
Dynamo drops what it cannot read without a word, and answers nothing.
"""

import importlib
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Mapping
from typing import Any

import msgspec

from touchdown.records import ToolCall
from touchdown.runtime.guard import failed
from touchdown.runtime.loading import loading

TOPIC = b"agent-tool-events"
SCHEMA = "dynamo.request.trace.v1"
SEQUENCE_BYTES = 8

MOST_WAITING = 1_000
MOST_SESSIONS = 10_000
WAIT_S = 0.5
PATIENCE_MS = 1_000
LINGER_MS = 500
"""What ZeroMQ still has when the thread ends is sent within this time, or lost."""

NOT_INSTALLED = "tool events need pyzmq: install touchdown-agents[engines]"
NOBODY = "nobody takes its tool events"

STATUS = {"ok": "succeeded", "cancelled": "cancelled", "closed_early": "cancelled"}


def row_of(tool: ToolCall) -> Mapping[str, object] | None:
    """The row of one execution; ``None`` for one that never ran, or of which only the result was seen."""
    if tool.duration_ns is None or tool.status == "not_started":
        return None
    ended_ns = tool.started_at_ns + tool.duration_ns
    status = "error" if tool.failed else STATUS.get(tool.status, "error")
    told: dict[str, object] = {
        "tool_call_id": tool.call_id or tool.id,
        "tool_class": tool.name,
        "started_at_unix_ms": tool.started_at_ns // 1_000_000,
        "ended_at_unix_ms": ended_ns // 1_000_000,
        "duration_ms": tool.duration_ns / 1e6,
        "status": status,
    }
    if tool.error_type:
        told["error_type"] = tool.error_type
    row: dict[str, object] = {
        "schema": SCHEMA,
        "event_type": "tool_error" if status == "error" else "tool_end",
        "event_time_unix_ms": ended_ns // 1_000_000,
        "session_id": tool.agent_id,
        "tool": told,
    }
    if tool.agent_id != tool.task_id:
        row["parent_session_id"] = tool.task_id
    return row


class ToolEvents:
    """Those of the agents that call one host. ``knows`` and ``put`` are quick and never raise or wait."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.problem = ""
        self.after_fork()

    def after_fork(self) -> None:
        """The thread and its socket are the parent's; so are its sessions."""
        self._lock = threading.Lock()
        self._signal = threading.Event()
        self._waiting: deque[bytes] = deque(maxlen=MOST_WAITING)
        self._sessions: OrderedDict[str, None] = OrderedDict()
        self._thread: threading.Thread | None = None
        self._ended = self._resting = False
        self._number = 0
        self.lost = 0

    def knows(self, session: str) -> None:
        """This agent calls the host."""
        with self._lock:
            self._sessions[session] = None
            if len(self._sessions) > MOST_SESSIONS:
                self._sessions.popitem(last=False)

    def put(self, tool: ToolCall) -> None:
        """Push what is told of this execution, where its agent calls the host."""
        row = row_of(tool)
        with self._lock:
            if row is None or tool.agent_id not in self._sessions or self._ended:
                return
            self.lost += len(self._waiting) == MOST_WAITING
            self._waiting.append(msgspec.msgpack.encode(row))
            self._resting = False
            self._signal.set()
            if self._thread is None:
                self._thread = self._start()

    def _start(self) -> threading.Thread | None:
        thread = threading.Thread(target=self._push, name="touchdown-tools", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            return None  # no more threads, e.g. at the interpreter's end
        return thread

    def flush(self, timeout_s: float) -> bool:
        """Wait until all was handed over; whether it was in time."""
        deadline = time.monotonic() + timeout_s
        while self._waiting and not self.problem and time.monotonic() < deadline:
            time.sleep(0.01)
        return not self._waiting

    @property
    def undelivered(self) -> int:
        """How many were lost or wait still."""
        return self.lost + len(self._waiting)

    def rest(self, timeout_s: float) -> None:
        """Hand over what waits and let go of the socket, until the next event."""
        self._resting = True
        self._signal.set()
        thread = self._thread
        if thread is not None:
            thread.join(timeout_s)

    def stop(self) -> None:
        """Push no more."""
        self._ended = True
        self._signal.set()

    # -- its thread -------------------------------------------------------------------------------

    def _push(self) -> None:
        try:
            with loading():
                zmq = importlib.import_module("zmq")
        except ImportError:
            self.problem = NOT_INSTALLED
            return
        try:
            with zmq.Context() as context, context.socket(zmq.PUSH) as socket:
                socket.linger, socket.sndtimeo = LINGER_MS, PATIENCE_MS
                socket.immediate = 1  # else rows for nobody would count as sent
                socket.connect(self.endpoint)
                while self._waiting or not self._is_over():
                    self._send(zmq, socket)
        except Exception as error:
            self.problem = f"{self.endpoint}: {error}"
            failed("engines.tool_events")

    def _is_over(self) -> bool:
        with self._lock:
            over = (self._ended or self._resting) and not self._waiting
            if over:
                self._thread = None
            return over

    def _send(self, zmq: Any, socket: Any) -> None:
        if not self._waiting:
            self._signal.wait(WAIT_S)
            self._signal.clear()
            return
        number = (self._number + 1).to_bytes(SEQUENCE_BYTES, "big")
        try:
            socket.send_multipart([TOPIC, number, self._waiting[0]])
        except zmq.Again:
            self.problem = NOBODY
            self.lost += len(self._waiting)
            self._waiting.clear()
            return
        self._number += 1
        self.problem = ""
        with self._lock:
            if self._waiting:
                self._waiting.popleft()
