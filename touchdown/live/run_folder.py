"""The folder that the processes of one ``touchdown run`` share while it lasts: its task, their records.

Little is loaded to read and write it, for the command that starts a program has no time to lose.
"""

import contextlib
import json
import os
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from touchdown.records import TaskRecord

if TYPE_CHECKING:
    from touchdown.prices.override import Override

VARIABLE = "TOUCHDOWN_RUN"
"""Names the folder to every process below; a folder that is gone means that the run is over."""


class Run(msgspec.Struct, frozen=True):
    """What a process must know to join. ``journal`` is the user's own file, beside those in the folder."""

    task_id: str
    name: str
    started_at_ns: int
    digest_key: str
    journal: str = ""
    traceparent: str = ""
    stream_usage: bool = False

    @property
    def task(self) -> TaskRecord:
        """The root task as it was opened."""
        _, trace_id, span_id, _ = (self.traceparent or "---").split("-")
        return TaskRecord(
            self.task_id, self.name, self.started_at_ns, trace_id=trace_id, span_id=span_id
        )


class Note(msgspec.Struct, frozen=True):
    """What one Python process told when it started, or when it was to be instrumented.

    ``state`` is ``entered``, ``armed``, ``off`` (``TOUCHDOWN_DISABLED``) or ``failed``, with the reason.
    """

    state: str
    python: str
    reason: str = ""


class RunFolder(msgspec.Struct, frozen=True):
    """A private folder; every file in it is written by one process or in whole lines."""

    path: Path

    @classmethod
    def current(cls) -> "RunFolder | None":
        """That of the run which this process is part of."""
        named = os.environ.get(VARIABLE)
        folder = cls(Path(named)) if named else None
        return folder if folder is not None and folder._run_file.is_file() else None

    @property
    def _run_file(self) -> Path:
        return self.path / "run.json"

    def write(self, run: Run, watched: Iterable[str]) -> None:
        """Begin: what to join, and the modules whose import is the moment to do so."""
        self._run_file.write_text(json.dumps(msgspec.structs.asdict(run)), encoding="utf-8")
        (self.path / "watched").write_text("\n".join(watched), encoding="utf-8")

    def read(self) -> Run | None:
        """What to join; ``None`` when the run is over."""
        try:
            return Run(**json.loads(self._run_file.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def is_first(self) -> bool:
        """Whether this process was the first one to ask."""
        name = self.path / "first"
        try:
            with open(name, "x", encoding="ascii") as claimed:
                claimed.write(str(os.getpid()))
            return True
        except FileExistsError:
            with contextlib.suppress(OSError):
                return name.read_text(encoding="ascii") == str(os.getpid())
        except OSError:
            pass
        return False

    def new_journal(self) -> Path:
        """A journal for one process: one that is killed may tear its last line, never another's."""
        return self.path / f"{os.getpid()}-{secrets.token_hex(4)}.jsonl"

    def journals(self) -> list[Path]:
        """The journals written so far."""
        return sorted(self.path.glob("*.jsonl"))

    def new_starts(self) -> Path:
        """Where one process writes the model calls that it begins."""
        return self.path / f"{os.getpid()}-{secrets.token_hex(4)}.started"

    def starts(self) -> list[Path]:
        """The files of begun calls."""
        return sorted(self.path.glob("*.started"))

    def keep_prices(self, prices: Iterable["Override"]) -> None:
        """Hand the prices that a program gave in code to whoever folds its records again."""
        with contextlib.suppress(OSError, msgspec.MsgspecError, TypeError):
            target = self.path / f"{os.getpid()}-{secrets.token_hex(4)}.prices"
            target.write_bytes(msgspec.json.encode(list(prices)))

    def prices(self) -> Iterator["Override"]:
        """The prices that programs gave."""
        from touchdown.prices.override import Override

        for path in sorted(self.path.glob("*.prices")):
            with contextlib.suppress(OSError, ValueError, TypeError):
                yield from [Override(**given) for given in json.loads(path.read_bytes())]

    def notes(self) -> list[Note]:
        """What the Python processes told, in order."""
        try:
            lines = (self.path / "notes").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return []
        return [Note(*line.split("\t", 2)) for line in lines.splitlines() if "\t" in line]
