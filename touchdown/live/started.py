"""Model calls as they begin, written down at once: what is missing at the end was cut off."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from touchdown.records import CallStart, ContextShape, Kept, ModelCall, Start, Usage

UNSEEN = "the end of the call was not seen: its process was killed, or ran on"


class StartedCalls:
    """A sink that appends each start of a call to a file, in the caller's thread: one small write."""

    def __init__(self, path: Path) -> None:
        self._encode = msgspec.json.Encoder().encode
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0)
        self._descriptor = os.open(path, flags, 0o600)

    def open(self, start: Start) -> None:
        """Write the start of a call; nothing is held."""
        if isinstance(start, CallStart):
            os.write(self._descriptor, self._encode(start) + b"\n")

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
        """The file stays open: a call that begins at the very end is one that may be cut off."""
        return []


def read_starts(path: Path) -> Iterator[CallStart]:
    """The starts in a file; a line that was cut off is passed over."""
    for line in path.read_bytes().splitlines():
        try:
            yield msgspec.json.decode(line, type=CallStart)
        except msgspec.MsgspecError:
            continue


def unfinished(
    starts: Iterable[CallStart], records: Iterable[Kept], now_ns: int
) -> list[ModelCall]:
    """The calls that began and have no record: of unknown usage, so that no total passes for complete."""
    ended = {record.id for record in records if isinstance(record, ModelCall)}
    return [
        ModelCall(
            id=start.id,
            task_id=start.task_id,
            agent_id=start.agent_id,
            api="",
            operation=start.operation,
            provider=start.provider,
            vendor=start.provider,
            sent_at_ns=start.sent_at_ns,
            duration_ns=max(0, now_ns - start.sent_at_ns),
            usage=Usage(problems=(UNSEEN,)),
            context=ContextShape(opaque=UNSEEN),
            host=start.host,
            port=start.port,
            model=start.model,
            status="cancelled",
            conversation=start.conversation,
        )
        for start in starts
        if start.id not in ended
    ]
