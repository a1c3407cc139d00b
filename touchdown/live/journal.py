"""The journal: every record as one JSON line, so that a ledger can be folded again."""

import os
import threading
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from touchdown.records import (
    AgentRun,
    EngineReport,
    Kept,
    ModelCall,
    TaskOutcome,
    TaskRecord,
    ToolCall,
)
from touchdown.runtime.guard import warn_once

FORMAT = "touchdown.journal/1"
HEAD = msgspec.json.encode({"journal": FORMAT}) + b"\n"
"""The first line; also written behind a line that was cut, so that this one can be told."""

MOST_BYTES = 4 * 1024**3
"""A journal that is this large does not grow any more; ``TOUCHDOWN_JOURNAL_MAX_BYTES`` sets another size."""

KINDS: dict[str, type[Any]] = {
    kind.__name__: kind
    for kind in (ModelCall, ToolCall, AgentRun, TaskRecord, TaskOutcome, EngineReport)
}


class JournalError(ValueError):
    """A journal that cannot be read, in one line: the file, the line, what to do."""


class Journal:
    """Appends records to a file. A disk that refuses is said once; the host goes on."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.file = os.path.abspath(path)
        """Its path as other processes know it."""
        self.lost = 0
        self.keeps = True
        self._most_bytes = _most_bytes()
        self._encode = msgspec.json.Encoder().encode
        self._lock = threading.Lock()
        self._is_cut = False
        self._descriptor = self._open()

    def _open(self) -> int | None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0)
            descriptor = os.open(self.path, flags, 0o600)
            size = os.fstat(descriptor).st_size
            if size:
                os.lseek(descriptor, -1, os.SEEK_END)
                self._is_cut = os.read(descriptor, 1) != b"\n"
        except OSError as error:
            self._refused(error)
            return None
        if size == 0:
            self._append(descriptor, HEAD)
        return descriptor

    def write(self, record: Kept) -> None:
        """Append one record; each line is one write, so that processes can share a file."""
        with self._lock:
            if self._descriptor is None:
                self.lost += 1
                return
            try:
                line = self._encode({"kind": type(record).__name__, "record": record})
            except (TypeError, ValueError) as error:  # e.g. a tag of the host's own type
                self.lost += 1
                self._refused(error)
                return
            self._append(self._descriptor, line + b"\n")

    def pass_on(self, record: Kept, written: Collection[str]) -> None:
        """Append what another process told, unless it writes to this file or folder itself."""
        if self.file not in written and os.path.dirname(self.file) not in written:
            self.write(record)

    def _append(self, descriptor: int, line: bytes) -> None:
        data = b"\n" + HEAD + line if self._is_cut else line
        try:
            # Behind an append the position is the file's end, other processes' lines counted in.
            if os.lseek(descriptor, 0, os.SEEK_CUR) + len(data) > self._most_bytes:
                raise OSError(f"it would be larger than {self._most_bytes:,} bytes")
            while data:
                data = data[os.write(descriptor, data) :]
                self._is_cut = bool(data)
        except OSError as error:
            self.lost += 1
            self._refused(error)

    def _refused(self, error: Exception) -> None:
        warn_once(
            f"journal:{self.path}",
            "touchdown: the journal %s cannot be written (%s); accounts go on without it",
            self.path,
            getattr(error, "strerror", None) or error,
        )

    def after_fork(self) -> None:
        """In a forked child: it writes to the same file, and the parent's thread may hold the lock."""
        self._lock = threading.Lock()

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._descriptor is not None:
                os.close(self._descriptor)
                self._descriptor = None


def _most_bytes() -> int:
    try:
        return int(os.environ.get("TOUCHDOWN_JOURNAL_MAX_BYTES", "") or MOST_BYTES)
    except ValueError:
        warn_once(
            "journal:bytes",
            "touchdown: TOUCHDOWN_JOURNAL_MAX_BYTES is no number; a journal may grow to %s bytes",
            f"{MOST_BYTES:,}",
        )
        return MOST_BYTES


def unwritable(path: str | os.PathLike[str]) -> str | None:
    """Why no journal can be kept at this path, found out without writing; ``None`` when one can."""
    path = Path(path)
    try:
        if path.is_dir():
            return "it is a folder"
        if not path.exists():
            folder = next(folder for folder in path.absolute().parents if folder.exists())
            if not folder.is_dir():
                return f"{folder} is not a folder"
            return None if os.access(folder, os.W_OK | os.X_OK) else f"{folder} cannot be written"
        if not os.access(path, os.W_OK):
            return "it cannot be written"
        return _why_foreign(path)
    except (OSError, ValueError) as error:
        return getattr(error, "strerror", None) or str(error)


def _why_foreign(path: Path) -> str | None:
    """A file that is something else must not grow by our lines."""
    if not path.is_file() or not path.stat().st_size:
        return None
    with open(path, "rb") as lines:
        first = lines.readline(1_000)
    return (
        None if f'"{FORMAT}"'.encode() in first else f"it is a file of another kind than {FORMAT}"
    )


def read_journal(path: str | os.PathLike[str]) -> Iterator[Kept]:
    """The records of a journal, in the order they were written; what a crash cut off is passed over.

    Errors: :class:`JournalError` names the file and line of anything else that cannot be read.
    """

    def refuse(number: int, error: JournalError) -> None:
        mend = "remove the line to read the rest"
        raise JournalError(f"{path}:{number}: {error}; {mend}") from error

    with open(path, "rb") as file:
        yield from decode_lines(enumerate(file, 1), refuse)


def decode_lines(
    lines: Iterable[tuple[int, bytes]], refuse: Callable[[int, JournalError], None]
) -> Iterator[Kept]:
    """The records of a journal's numbered lines. A line that cannot be read is handed to ``refuse``."""
    following = iter(lines)
    number, line = next(following, (0, b""))
    for next_number, next_line in following:
        if next_line != HEAD or _is_json(line):
            yield from _decoded(number, line, refuse)
        number, line = next_number, next_line
    if line.endswith(b"\n"):
        yield from _decoded(number, line, refuse)


def _is_json(line: bytes) -> bool:
    try:
        msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _decoded(
    number: int, line: bytes, refuse: Callable[[int, JournalError], None]
) -> Iterator[Kept]:
    try:
        record = _decode_line(line)
    except JournalError as error:
        refuse(number, error)
        return
    if record is not None:
        yield record


def _decode_line(line: bytes) -> Kept | None:
    """The record on a line; ``None`` for the line that names the format."""
    try:
        fields = msgspec.json.decode(line)
        if "journal" in fields:
            if fields["journal"] != FORMAT:
                raise JournalError(f"journal format {fields['journal']!r}; this reads {FORMAT}")
            return None
        record: Kept = msgspec.convert(fields["record"], KINDS[fields["kind"]], strict=False)
        return record
    except (msgspec.MsgspecError, KeyError, TypeError, UnicodeDecodeError, RecursionError) as error:
        raise JournalError(f"not a line of a journal ({error})") from error
