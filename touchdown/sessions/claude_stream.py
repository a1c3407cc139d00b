"""The output of ``claude -p --output-format stream-json``: messages in order, and the agent's own totals."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from touchdown.clients.fields import dollars, text
from touchdown.sessions.claude_code.line import Line, Message
from touchdown.sessions.claude_code.projects import read_transcript
from touchdown.sessions.claude_code.transcript import Transcript
from touchdown.sessions.source import NO_CALLS, Found, Head, Problems, Reported, Session, Source
from touchdown.sessions.times import NO_TIMES, written_ns

_COUNTS = ("inputTokens", "outputTokens", "cacheReadInputTokens", "cacheCreationInputTokens")
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
        self._runs: list[_Totals] = []
        self._open: dict[str | None, Line] = {}

    def take(self, line: Line) -> None:
        """Take one line in. Lines of a stream stand in no tree: each follows the one before."""
        self._lines += 1
        if line.type == "result":
            self._ended(line)
        elif line.type == "stream_event":
            self._event(line)
        else:
            line.parent = msgspec.UNSET
            agent = line.parent_tool_use_id
            if line.type == "assistant":
                self._open[agent] = line
            self._transcript.take(line, agent)

    def _ended(self, line: Line) -> None:
        """Totals run on over the turns of one process: the last ones of each process hold."""
        told = _Totals(dollars(line.total_cost_usd), _decoded(line.model_usage))
        before = self._runs[-1] if self._runs else None
        if before is not None and not told.began_anew(before):
            told = _Totals(
                before.usd if told.usd is None else told.usd, told.models or before.models
            )
            self._runs.pop()
        self._runs.append(told)

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
        by_model: defaultdict[str, Decimal] = defaultdict(Decimal)
        tokens: Counter[str] = Counter()
        usd: list[Decimal] = []
        for run in self._runs:
            costs = {name: cost for name in run.models if (cost := run.cost(name)) is not None}
            for name in run.models:
                tokens[name] += sum(run.tokens(name))
            for name, cost in costs.items():
                by_model[name] += cost
            if run.usd is not None or run.models:
                usd.append(sum(costs.values(), Decimal(0)) if run.usd is None else run.usd)
        if not usd:
            return None
        return Reported(sum(usd, Decimal(0)), by_model, tokens, "total_cost_usd")


class _Totals(NamedTuple):
    """What a ``result`` says of its process so far. Units: US dollars."""

    usd: Decimal | None
    models: Mapping[str, object]

    def cost(self, model: str) -> Decimal | None:
        return dollars(_field(self.models[model], "costUSD"))

    def tokens(self, model: str) -> list[int]:
        """Tokens of one model by kind; none where it is not named."""
        counts = (_field(self.models.get(model), name) for name in _COUNTS)
        return [count if isinstance(count, int) else 0 for count in counts]

    def began_anew(self, before: "_Totals") -> bool:
        """Whether it is of another process than the totals before: a running total never falls."""
        if self.usd is not None and before.usd is not None and self.usd < before.usd:
            return True
        return bool(self.models) and any(
            now < then
            for name in before.models
            for now, then in zip(self.tokens(name), before.tokens(name), strict=True)
        )


def _field(used: object, name: str) -> object:
    return used.get(name) if isinstance(used, Mapping) else None


def _decoded(data: bytes | msgspec.Raw) -> dict[str, Any]:
    try:
        value = msgspec.json.decode(bytes(data))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
