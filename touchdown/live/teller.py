"""One process below: its lines, read into records, and the calls that it began and did not end."""

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct

from touchdown.live.journal import FORMAT, KINDS
from touchdown.live.started import unfinished
from touchdown.records import CallStart, Kept, ModelCall
from touchdown.runtime.guard import warn_once
from touchdown.runtime.identity import now_ns
from touchdown.runtime.private_folder import is_alive


class Told(Struct, frozen=True):
    """A record of a process below, or calls that a budget refused. ``written``: journals that hold it."""

    record: Kept | None
    written: frozenset[str] = frozenset()
    task_id: str = ""
    refused: int = 0


class Teller:
    """Reads what one process tells, piece by piece."""

    def __init__(self) -> None:
        self.name = ""
        self.read_bytes = 0
        """How far its file is read."""
        self.ended = False
        self._pid = 0
        self._is_known = False
        self._written: frozenset[str] = frozenset()
        self._rest = b""
        self._started: dict[str, CallStart] = {}

    def take(self, data: bytes) -> Iterator[Told]:
        """What whole lines tell; a line that is not whole yet waits."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            try:
                found = self._read(msgspec.json.decode(line))
            except (msgspec.MsgspecError, KeyError, TypeError, AttributeError, ValueError) as error:
                warn_once(
                    "teller:line", "touchdown: a process below told what is no record (%s)", error
                )
                continue
            if found is not None:
                yield found

    def _read(self, told: dict[str, Any]) -> Told | None:
        if "hello" in told:
            self._greet(told["hello"])
            return None
        if not self._is_known:
            return None
        kind, record = told["kind"], told["record"]
        if kind == "CallStart":
            start = msgspec.convert(record, CallStart, strict=False)
            self._started[start.id] = start
            return None
        if kind == "Refused":
            return Told(None, task_id=str(record["task_id"]), refused=int(record["calls"]))
        found: Kept = msgspec.convert(record, KINDS[kind], strict=False)
        if isinstance(found, ModelCall):
            self._started.pop(found.id, None)
        return Told(found, self._written)

    def _greet(self, about: dict[str, Any]) -> None:
        self._is_known = about["format"] == FORMAT
        self.name, self._pid = str(about["name"]), int(about["pid"])
        self._written = frozenset(str(path) for path in about["writes"])
        if not self._is_known:
            warn_once(
                "teller:version",
                "touchdown: a process below has another version (%s, not %s); it counts by itself",
                about["format"],
                FORMAT,
            )

    def line_ended(self) -> None:
        """The socket is at its end; half a line is told again, in the file, or was cut off."""
        self._rest = b""

    def is_alive(self) -> bool:
        """Whether the process may still tell something."""
        return not self._pid or is_alive(self._pid)

    def end(self) -> list[Told]:
        """The process ended: what it had begun is of unknown usage."""
        self.ended = True
        cut_off, self._started = unfinished(self._started.values(), (), now_ns()), {}
        return [Told(call) for call in cut_off]
