"""Rollouts: the file of a thread and those of its sub-agents, read as one session."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePath

from touchdown.clients.fields import get, text
from touchdown.sessions.codex.counters import Counted
from touchdown.sessions.codex.thread import Thread
from touchdown.sessions.lines import read_objects
from touchdown.sessions.recording import Recording
from touchdown.sessions.source import NO_CALLS, Found, Head, Problems, Session, Source
from touchdown.sessions.times import NO_TIMES, Clock, written_ns

LINES = frozenset({"session_meta", "turn_context", "response_item", "event_msg", "compacted"})
"""Kinds of lines that tell a rollout. Source: openai/codex ``codex-rs/protocol/src/protocol.rs``, 2026-08."""


class CodexReader:
    """Reads ``~/.codex/sessions``. Tokens come from running counters, which repeat and are copied."""

    name = "codex"
    title = "Codex rollouts"

    def recognise(self, head: Head) -> Found | None:
        """By lines of a known kind with a payload."""
        lines = [line for line in head.records if _is_line(line)]
        if not lines and not _begins_long(head.data):
            return None
        meta = next((line for line in lines if line["type"] == "session_meta"), None)
        payload = get(meta, "payload")
        parent = _parent(payload)
        return Found(
            group=text(payload, "id"),
            started=next((at for line in lines if (at := text(line, "timestamp"))), ""),
            copy=bool(text(payload, "forked_from_id")) and not parent,
            side=bool(parent),
            within=parent,
        )

    def read(self, source: Source, problems: Problems) -> Iterator[Session]:
        """The one session of these files: a thread, and the threads that it began."""
        main = source.group or Path(source.paths[0]).stem
        recording = Recording(main, hides=True)
        counted: set[Counted] = set()
        project, told = "", False
        for path in _largest_of_each(source.paths):
            clock = Clock(written_ns(path))
            thread: Thread | None = None
            for line in read_objects(path, problems):
                if thread is None:
                    agent = _note_agent(line, recording)
                    thread = Thread(recording, agent, clock, counted)
                thread.take(line)
            if thread is not None:
                project = project or thread.cwd
            told = told or clock.told
        if not recording.calls:
            problems.add(source.paths[0], NO_CALLS)
        name = f"{PurePath(project).name} {main[:8]}".strip()
        yield Session(
            id=main,
            source=self.name,
            path=source.paths[0],
            records=list(recording.records(name, project)),
            name=name,
            project=project,
            notes=() if told else (NO_TIMES,),
        )


def _is_line(record: Mapping[str, object]) -> bool:
    return text(record, "type") in LINES and isinstance(record.get("payload"), dict)


def _begins_long(data: bytes) -> bool:
    """Whether the first line is the beginning of a rollout and longer than the head."""
    return b"\n" not in data and b'"session_meta"' in data[:200] and b'"payload"' in data[:200]


def _parent(meta: object) -> str:
    """The thread that began this one as its sub-agent; empty for one that a user began."""
    sub = get(get(meta, "source"), "subagent")
    if sub is None and text(meta, "thread_source") != "subagent":
        return ""
    names = (
        text(get(sub, "thread_spawn"), "parent_thread_id"),
        text(meta, "parent_thread_id"),
        text(meta, "forked_from_id"),
        text(meta, "session_id"),
    )
    return next((name for name in names if name and name != text(meta, "id")), "")


def _note_agent(line: Mapping[str, object], recording: Recording) -> str:
    """The agent whose file begins with this line, made known with its name and its parent."""
    meta = line.get("payload") if text(line, "type") == "session_meta" else None
    agent = text(meta, "id") or recording.session
    if agent != recording.session:
        sub = get(get(meta, "source"), "subagent")
        spawn = get(sub, "thread_spawn")
        names = (
            text(meta, "agent_nickname") or text(spawn, "agent_nickname"),
            text(meta, "agent_role") or text(spawn, "agent_role"),
            PurePath(text(spawn, "agent_path")).name,
            sub if isinstance(sub, str) else text(sub, "other"),
        )
        name = next((name for name in names if name), "")
        recording.agents.spawned(agent, _parent(meta), name)
    return agent


def _largest_of_each(paths: tuple[str, ...]) -> list[str]:
    """Of a file and its copy in the archive, which bear one name, the one that holds more."""
    chosen: dict[str, str] = {}
    for path in paths:
        name = os.path.basename(path)
        if name not in chosen or _size(path) > _size(chosen[name]):
            chosen[name] = path
    return list(chosen.values())


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0
