"""Mooncake traces: one request a line, prompts as ids of blocks, no model and (mostly) no conversation.

Source: https://github.com/kvcache-ai/Mooncake (FAST'25 traces), and the rows that dynamo-data-gen 1.6.2
writes, which add ``session_id``, ``delay`` and other names, as of 2026-11. Times are milliseconds.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec
from msgspec import Struct, field

from touchdown.records import Record, TaskRecord
from touchdown.sessions.block_calls import BlockCalls, BlockPrompt
from touchdown.sessions.cache_policy import Prefixes, policy_note
from touchdown.sessions.lines import read_lines
from touchdown.sessions.source import Found, Head, Problems, Session, Source
from touchdown.sessions.times import MILLISECOND_NS, as_ns, written_ns
from touchdown.sessions.weka import RELATIVE_TIMES

BLOCK_TOKENS = (512, 16, 32, 64, 128, 256, 1024, 2048)
"""Sizes of blocks that traces use, the published one first. No row names it: the one that most rows fit."""
ROWS_TO_SIZE = 1000
NO_AGENTS = "it names no agents: a request goes on with the one whose whole blocks it repeats"


class _Row(msgspec.Struct, gc=False):
    blocks: list[int | str] = msgspec.field(name="hash_ids")
    timestamp: float | None = None
    created_time: float | None = None
    input_length: int | None = None
    input_tokens: int | None = None
    output_length: int | None = None
    output_tokens: int | None = None
    delay: float | None = None
    delay_ms: float | None = None
    session: str | int | None = msgspec.field(default=None, name="session_id")
    model: str | None = None

    @property
    def total(self) -> int:
        """All input tokens."""
        known = self.input_length if self.input_length is not None else self.input_tokens
        return max(known or 0, 0)

    @property
    def output(self) -> int:
        """Output tokens."""
        known = self.output_length if self.output_length is not None else self.output_tokens
        return max(known or 0, 0)

    def at_ns(self, before_ns: int) -> int:
        """When it was sent, from 0 on; a turn without a time of its own follows the one before."""
        at_ms = self.timestamp if self.timestamp is not None else self.created_time
        if at_ms is not None and (at_ns := as_ns(at_ms, MILLISECOND_NS)) is not None:
            return at_ns
        wait_ms = self.delay if self.delay is not None else self.delay_ms
        return before_ns + max(as_ns(wait_ms or 0, MILLISECOND_NS) or 0, 0)


_decode = msgspec.json.Decoder(_Row).decode
_LENGTHS = ("input_length", "input_tokens")


class MooncakeReader:
    """Reads a trace as one session, or as one for each ``session_id``."""

    name = "mooncake"
    title = "Mooncake traces"

    def recognise(self, head: Head) -> Found | None:
        """By rows with block ids and a length; the first row may be longer than the head."""
        if any(_is_row(record) for record in head.records[:1]):
            return Found()
        long_row = (
            not head.records and b'"hash_ids"' in head.data and b'"input_length"' in head.data
        )
        return Found() if long_row and head.data.startswith(b"{") else None

    def read(self, source: Source, problems: Problems) -> Iterator[Session]:
        """Each session once its last row was read, so that only open ones are held."""
        for path in source.paths:
            left, sizes = _count(path)
            size = max(BLOCK_TOKENS, key=lambda tokens: sizes[tokens])
            held: dict[str, _Trace] = {}
            for row in _rows(path, problems):
                name = _session(row, path)
                trace = held.setdefault(name, _Trace(name, size, written_ns(path)))
                trace.take(row)
                left[name] -= 1
                if left[name] == 0:
                    yield held.pop(name).session(path, source)
            # A file that was changed meanwhile may end a session before its counted end.
            yield from (trace.session(path, source) for trace in held.values())


def _is_row(record: Mapping[str, object]) -> bool:
    return isinstance(record.get("hash_ids"), list) and any(name in record for name in _LENGTHS)


def _rows(path: str, problems: Problems) -> Iterator[_Row]:
    for number, line in read_lines(path, problems):
        try:
            yield _decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            what = f"no request ({error})" if line.endswith(b"\n") else "the last line is cut short"
            problems.add(path, what, "it is left out", number)


def _count(path: str) -> tuple[Counter[str], Counter[int]]:
    """How many rows each session has, and how many of the first rows fit each size of block."""
    left: Counter[str] = Counter()
    sizes: Counter[int] = Counter()
    for row in _rows(path, Problems()):
        left[_session(row, path)] += 1
        if left.total() <= ROWS_TO_SIZE and row.blocks:
            whole = ((size, row.total // size, -(-row.total // size)) for size in BLOCK_TOKENS)
            sizes.update(size for size, *counts in whole if len(row.blocks) in counts)
    return left, sizes


def _session(row: _Row, path: str) -> str:
    return Path(path).stem if row.session is None else f"{row.session}"


class _Trace(Struct):
    """The requests of one session."""

    id: str
    block_tokens: int
    start_ns: int
    rows: list[tuple[int, _Row]] = field(default_factory=list)
    _last_ns: int = 0

    def take(self, row: _Row) -> None:
        """One more request."""
        self._last_ns = row.at_ns(self._last_ns)
        self.rows.append((self._last_ns, row))

    def session(self, path: str, source: Source) -> Session:
        """The session of these requests."""
        named = any(row.session is not None for _, row in self.rows)
        notes = (policy_note(source.cache_policy), RELATIVE_TIMES, *(() if named else (NO_AGENTS,)))
        return Session(
            id=self.id,
            source=MooncakeReader.name,
            path=path,
            records=self._records(source, named),
            name=self.id,
            notes=notes,
        )

    def _records(self, source: Source, named: bool) -> Iterator[Record]:
        self.rows.sort(key=lambda row: row[0])
        prefixes = Prefixes()
        agents = _Agents(self.id, self.block_tokens)
        calls = BlockCalls(self.id, source.cache_policy, prefixes)
        for number, (at_ns, row) in enumerate(self.rows, 1):
            agent = self.id if named else agents.of(prefixes.of(row.blocks), row.total)
            prompt = BlockPrompt(
                id=f"{self.id}:{number}",
                agent_id=agent,
                model=row.model or "",
                sent_ns=self.start_ns + at_ns,
                duration_ns=0,
                blocks=row.blocks,
                block_tokens=self.block_tokens,
                input_tokens=row.total,
                output_tokens=row.output,
            )
            yield calls.call(prompt, self.id)
        first, last = self.rows[0][0], self.rows[-1][0]
        yield TaskRecord(self.id, self.id, self.start_ns + first, last - first)


class _Agents:
    """Tells conversations apart: one goes on where a later request repeats all of its whole blocks."""

    def __init__(self, session: str, block_tokens: int) -> None:
        self._session = session
        self._block_tokens = block_tokens
        self._open: defaultdict[int, list[str]] = defaultdict(list)
        self._count = 0

    def of(self, prefixes: list[int], tokens: int) -> str:
        """The agent of a request with these prefixes."""
        name = next((names.pop() for number in reversed(prefixes)
                     if (names := self._open.get(number))), "")  # fmt: skip
        if not name:
            self._count += 1
            name = self._session if self._count == 1 else f"{self._session}/{self._count}"
        whole = min(tokens // self._block_tokens, len(prefixes))
        if whole:
            self._open[prefixes[whole - 1]].append(name)
        return name
