"""What a reader of recorded sessions is given and gives: heads of files in, sessions of records out."""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from functools import cached_property
from typing import Protocol

import msgspec
from msgspec import Struct, field

from touchdown.records import Told
from touchdown.sessions.cache_policy import DEFAULT_POLICY, CachePolicy
from touchdown.sessions.files import read_beginning

HEAD_BYTES = 64 * 1024
"""How much of a file is looked at to recognise it."""

LONG_HEAD_BYTES = 4 * 1024 * 1024
"""How much where that was too little: a first line may hold a picture or a pasted document."""

MOST_LINES_OF_A_FILE = 3
"""After so many problems of one file the rest is only counted."""

NO_CALLS = "a session with no model call that carries usage"


class Head:
    """The beginning of a file: all that a reader may look at to say whether it knows the file.

    Units: ``size`` bytes; of a compressed file, one more than ``data`` has where there are more.
    """

    def __init__(self, path: str, data: bytes, size: int) -> None:
        self.path = path
        self.data = data
        self.size = size
        self._decoded: list[Mapping[str, object]] = []

    @property
    def records(self) -> list[Mapping[str, object]]:
        """The JSON objects that stand on whole lines of the head; other lines are passed over."""
        return list(self.each())

    def each(self) -> Iterator[Mapping[str, object]]:
        """The same one by one, each decoded when it is asked for first."""
        yield from self._decoded
        for value in self._left:
            self._decoded.append(value)
            yield value

    @cached_property
    def _left(self) -> Iterator[Mapping[str, object]]:
        lines = self.data.split(b"\n")
        if self.size > len(self.data):
            lines.pop()
        return (value for line in lines if isinstance(value := _decoded(line), dict))

    @cached_property
    def document(self) -> Mapping[str, object]:
        """The file as one JSON object where all of it fits into the head; else empty."""
        value = _decoded(self.data) if self.size <= len(self.data) else None
        return value if isinstance(value, dict) else {}


def _decoded(data: bytes) -> object:
    try:
        return msgspec.json.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


class Found(Struct, frozen=True):
    """A reader knows a file.

    Files with one ``group`` are read together (a session and its sub-agents); without one a file stands
    alone. Sources are read by ``started`` (text that sorts by time), ``copy`` last among equal ones: a
    model call that lies in several is counted in the first.
    """

    group: str = ""
    started: str = ""
    copy: bool = False
    side: bool = False
    """A file that belongs to another of the group and is read after it."""
    within: str = ""
    """The group that this file's group is part of (its parent's): they are read together."""


class Source(Struct, frozen=True):
    """One unit of reading: the files of one session, or one file with any number of sessions."""

    reader: str
    paths: tuple[str, ...]
    size: int
    group: str = ""
    started: str = ""
    copy: bool = False
    cache_policy: CachePolicy = DEFAULT_POLICY
    """What supplies the cache figures where the files have none."""


class Problem(Struct, frozen=True):
    """What could not be read, in one line: the file, the line, what is wrong, what to do."""

    path: str
    what: str
    mend: str = ""
    line: int | None = None

    def __str__(self) -> str:
        place = self.path if self.line is None else f"{self.path}:{self.line}"
        return f"{place}: {self.what}" + (f"; {self.mend}" if self.mend else "")


class Problems:
    """Collects problems. Of one file only the first few are kept, the rest is counted."""

    def __init__(self) -> None:
        self._kept: list[Problem] = []
        self._left_out: dict[str, int] = {}
        self._of_file: dict[str, int] = {}
        self.told = 0
        """How many there were so far."""

    def add(self, path: str, what: str, mend: str = "", line: int | None = None) -> None:
        """One more problem."""
        self.told += 1
        self._of_file[path] = self._of_file.get(path, 0) + 1
        if self._of_file[path] > MOST_LINES_OF_A_FILE:
            self._left_out[path] = self._left_out.get(path, 0) + 1
        else:
            self._kept.append(Problem(path, what, mend, line))

    def refused(self, path: str, error: OSError) -> None:
        """The system does not let the file be read."""
        mend = "check its permissions" if isinstance(error, PermissionError) else ""
        self.add(path, f"cannot be read ({error.strerror or error})", mend)

    def __iter__(self) -> Iterator[Problem]:
        yield from self._kept
        for path, count in self._left_out.items():
            yield Problem(path, f"and {count} more lines with problems")


class Reported(Struct, frozen=True):
    """What a source itself says a session came to: a harness's estimate, for comparison only.

    Units: US dollars; tokens by model in the source's own words.
    """

    usd: Decimal | None = None
    by_model: Mapping[str, Decimal] = field(default_factory=dict)
    tokens: Mapping[str, int] = field(default_factory=dict)
    """Model to all its tokens, input of every class and output."""
    said_by: str = ""
    """The field it stands in, e.g. ``total_cost_usd``."""
    without: int = 0
    """How many of its model calls carry no such figure, where it is one of each call."""


class Session(Struct, frozen=True):
    """One recorded session: records as live capture would have made them, one root task for all, and what
    is known to be missing of them.

    ``records`` is read once. ``name`` and ``project`` are for people; ``notes`` say what the reader had
    to assume for the whole session, one line each.
    """

    id: str
    source: str
    """The reader's name."""
    path: str
    records: Iterable[Told]
    name: str = ""
    project: str = ""
    reported: Reported | None = None
    notes: tuple[str, ...] = ()


class Reader(Protocol):
    """Reads one kind of source. Its file is the only place that knows it, beside its line in ``READERS``."""

    @property
    def name(self) -> str:
        """Its stable name."""
        ...

    @property
    def title(self) -> str:
        """What it reads, in a few words."""
        ...

    def recognise(self, head: Head) -> Found | None:
        """Whether this is such a file, by its content and never by its name."""
        ...

    def read(self, source: Source, problems: Problems) -> Iterator[Session]:
        """The sessions of the source. What cannot be read is told to ``problems``; nothing is raised.

        The id of a model call is unique in its session; ``response_id`` is the provider's own, so that a
        call which lies in several sessions is counted once.
        """
        ...


def read_head(path: str, most: int = HEAD_BYTES) -> Head:
    """The head of a file. Errors: ``OSError``."""
    return Head(path.removesuffix(".gz"), *read_beginning(path, most))
