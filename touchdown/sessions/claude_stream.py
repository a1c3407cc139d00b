"""The output of ``claude -p --output-format stream-json``: messages in order, and the agent's own totals."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from touchdown.clients.fields import dollars, text
from touchdown.sessions.claude_code.line import Line, Message
from touchdown.sessions.claude_code.projects import read_transcript
from touchdown.sessions.claude_code.transcript import Transcript
from touchdown.sessions.source import NO_CALLS, Found, Head, Problems, Reported, Session, Source
from touchdown.sessions.times import NO_TIMES, written_ns

KINDS = frozenset({"system", "assistant", "user", "result", "stream_event"})


class ClaudeStreamReader:
    """Reads what ``claude -p`` printed. One file may hold several sessions, one after the other."""

    name = "claude-stream"
    title = "output of claude -p as stream-json"

    def recognise(self, head: Head) -> Found | None:
        """By lines with a ``session_id`` and one of the kinds."""
        for record in head.records:
            if text(record, "session_id") and text(record, "type") in KINDS:
                at = next((t for r in head.records if (t := text(r, "timestamp"))), "")
                return Found(started=at)
        return None

    def read(self, source: Source, problems: Problems) -> Iterator[Session]:
        """A session each time the id changes."""
        for path in source.paths:
            stream: _Stream | None = None
            for line in read_transcript(path, problems):
                name = line.session_id or (stream.id if stream else Path(path).stem)
                if stream is not None and name != stream.id:
                    yield stream.session(path, problems)
                    stream = None
                stream = stream or _Stream(name, path)
                stream.take(line)
            if stream is not None:
                yield stream.session(path, problems)


class _Stream:
    """One session of a stream."""

    def __init__(self, name: str, path: str) -> None:
        self.id = name
        self._transcript = Transcript(name, written_ns(path))
        self._lines = 0
        self._usd: float | None = None
        self._models: bytes = b"null"
        self._open: dict[str | None, Line] = {}

    def take(self, line: Line) -> None:
        """Take one line in. Lines of a stream stand in no tree: each follows the one before."""
        self._lines += 1
        if line.type == "result":
            # Totals run on over the turns of one process: the last ones hold.
            self._usd = line.total_cost_usd if line.total_cost_usd is not None else self._usd
            self._models = (
                bytes(line.model_usage) if bytes(line.model_usage) != b"null" else self._models
            )
        elif line.type == "stream_event":
            self._event(line)
        else:
            line.parent = msgspec.UNSET
            agent = line.parent_tool_use_id
            if line.type == "assistant":
                self._open[agent] = line
            self._transcript.take(line, agent)

    def _event(self, line: Line) -> None:
        """A partial message: the delta at its end carries the final usage, which full ones lack."""
        if b"message_delta" not in bytes(line.event):
            return
        started = self._open.get(line.parent_tool_use_id)
        event = _decoded(line.event)
        delta = event.get("delta")
        if started is None or started.message is None or not isinstance(event.get("usage"), dict):
            return
        usage = {**_decoded(started.message.usage), **event["usage"]}
        final = Message(
            id=started.message.id,
            model=started.message.model,
            usage=msgspec.Raw(msgspec.json.encode(usage)),
            stop_reason=text(delta, "stop_reason") or None,
        )
        self._transcript.take(
            Line(type="assistant", message=final, timestamp=line.timestamp), line.parent_tool_use_id
        )

    def session(self, path: str, problems: Problems) -> Session:
        """What was gathered."""
        transcript = self._transcript
        if not transcript.answers:
            problems.add(path, NO_CALLS)
        return Session(
            id=self.id,
            source=ClaudeStreamReader.name,
            path=path,
            records=list(transcript.records()),
            name=transcript.title,
            project=transcript.project,
            reported=self._reported(),
            notes=(NO_TIMES,) if transcript.without_time == transcript.taken else (),
        )

    def _reported(self) -> Reported | None:
        usd = dollars(self._usd)
        used = _decoded(self._models)
        if usd is None and not used:
            return None
        by_model = {name: cost for name in used if (cost := dollars(_field(used[name], "costUSD")))}
        tokens = {name: _tokens(used[name]) for name in used}
        if usd is None:
            usd = sum(by_model.values(), Decimal(0))
        return Reported(usd, by_model, tokens, "total_cost_usd")


def _tokens(used: object) -> int:
    names = ("inputTokens", "outputTokens", "cacheReadInputTokens", "cacheCreationInputTokens")
    counts = (_field(used, name) for name in names)
    return sum(count for count in counts if isinstance(count, int))


def _field(used: object, name: str) -> object:
    return used.get(name) if isinstance(used, Mapping) else None


def _decoded(data: bytes | msgspec.Raw) -> dict[str, Any]:
    try:
        value = msgspec.json.decode(bytes(data))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
