"""Transcripts in the projects folder: a session's file and the files of its sub-agents."""

import os
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path

import msgspec

from touchdown.clients.fields import text
from touchdown.sessions.claude_code.line import Line, decode_line
from touchdown.sessions.claude_code.transcript import Transcript
from touchdown.sessions.lines import read_lines, tell_undecoded
from touchdown.sessions.source import (
    HEAD_BYTES,
    NO_CALLS,
    Found,
    Head,
    Problems,
    Reported,
    Session,
    Source,
)
from touchdown.sessions.times import NO_TIMES, written_ns

MOST_SIDECAR_BYTES = 64 * 1024

_SESSION = re.compile(rb'(?<!\\)"sessionId"\s*:\s*"([^"\\]+)"')
_SIDE = re.compile(rb'(?<!\\)"isSidechain"\s*:\s*true')
_BEGINS = re.compile(rb'\s*\{\s*"parentUuid"\s*:\s*(?:null|"[^"]*"),\s*"isSidechain"\s*:')


class ClaudeCodeReader:
    """Reads ``~/.claude/projects``. The format is the vendor's own and read tolerantly."""

    name = "claude-code"
    title = "Claude Code transcripts"

    def recognise(self, head: Head) -> Found | None:
        """By lines with a session id and a message, whatever the file's name."""
        known = filter(_is_line, head.each())
        first = next(known, None)
        if first is None:
            return _begun(head.data)
        # Every line is decoded only where one further down may say something else than the first.
        stem = Path(head.path).stem
        forked = b"forkedFrom" in head.data
        session, started = text(first, "sessionId"), text(first, "timestamp")
        elsewhere = session != stem and os.fsencode(stem) in head.data
        if not (session and started) or forked or elsewhere:
            lines = [first, *known]
            sessions = [name for record in lines if (name := text(record, "sessionId"))]
            session = stem if stem in sessions else next(iter(sessions), "")
            started = next((at for record in lines if (at := text(record, "timestamp"))), "")
            forked = any("forkedFrom" in record for record in lines)
        return Found(session, started, copy=forked, side=first.get("isSidechain") is True)

    def read(self, source: Source, problems: Problems) -> Iterator[Session]:
        """The one session of these files."""
        name = source.group or Path(source.paths[0]).stem
        transcript = Transcript(name, written_ns(source.paths[0]))
        for path in source.paths:
            for line in read_transcript(path, problems):
                transcript.take(line)
                if line.side and line.agent:
                    _note_sidecar(path, line.agent, transcript)
        if not transcript.answers:
            problems.add(source.paths[0], NO_CALLS)
        yield Session(
            id=name,
            source=self.name,
            path=source.paths[0],
            records=list(transcript.records()),
            name=transcript.title,
            project=transcript.project,
            reported=_reported(transcript),
            notes=(NO_TIMES,) if transcript.without_time == transcript.taken else (),
        )


def read_transcript(path: str, problems: Problems) -> Iterator[Line]:
    """The lines of a file. One that cannot be decoded is told and left out."""
    for number, data in read_lines(path, problems):
        try:
            yield decode_line(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            tell_undecoded(path, problems, number, data, error)


def _is_line(record: Mapping[str, object]) -> bool:
    if text(record, "sessionId") and text(record, "type"):
        return True
    message = record.get("message")
    usage = message.get("usage") if isinstance(message, dict) else None
    return isinstance(usage, dict) and "timestamp" in record and "session_id" not in record


def _begun(head: bytes) -> Found | None:
    """What the beginning of a first line tells that is longer than the head."""
    if b'"parentUuid"' not in head:
        return None
    session = _SESSION.search(head)
    if session is not None:
        return Found(session[1].decode("utf-8", "replace"), side=bool(_SIDE.search(head)))
    return Found() if len(head) > HEAD_BYTES and _BEGINS.match(head) else None


def _note_sidecar(path: str, agent: str, transcript: Transcript) -> None:
    """What the small file beside a sub-agent's says: its kind, and who began it."""
    if transcript.agents.has_sidecar(agent):
        return
    try:
        session = path.removesuffix(".gz").removesuffix(".jsonl")
        with open(f"{session}.meta.json", "rb") as file:
            value = msgspec.json.decode(file.read(MOST_SIDECAR_BYTES))
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        value = None
    transcript.agents.note_sidecar(agent, text(value, "agentType") or text(value, "description"))
    if call := text(value, "toolUseId"):
        transcript.note_spawn(agent, call)


def _reported(transcript: Transcript) -> Reported | None:
    costs = transcript.costs
    if not costs:
        return None
    usd = sum((Decimal(str(usd)) for usd in costs.values()), Decimal(0))
    return Reported(usd, said_by="costUSD", without=transcript.answers - len(costs))
