"""Gemini CLI's chats: a JSON document of older builds, or lines that add to and replace each other.

Source: google-gemini/gemini-cli ``packages/core/src/services/chatRecordingService.ts`` and
``chatRecordingTypes.ts``, stored versions of 2026.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path, PurePath

from touchdown.clients.fields import count, get, items, length, text
from touchdown.records import Segment, Usage
from touchdown.sessions import segments
from touchdown.sessions.counts import usage_of
from touchdown.sessions.files import BUFFER_BYTES, opened
from touchdown.sessions.lines import read_document, read_objects
from touchdown.sessions.recording import Call, Recording
from touchdown.sessions.source import NO_CALLS, Found, Head, Problems, Session, Source
from touchdown.sessions.times import NO_TIMES, Clock, read_time, written_ns

PROVIDER = "gcp.gemini"
"""Which of Google's services a chat ran on is not written down; their list prices are the same."""

READ_ONLY = frozenset(
    {"glob", "google_web_search", "list_directory", "read_file", "read_many_files"}
    | {"grep_search", "search_file_content", "web_fetch"}
)
"""Built-in tools that change nothing. Source: gemini-cli ``docs/tools``, 2026."""

NOT_COUNTED = Usage(problems=("the chat holds no tokens for this answer",))

_DOCUMENT = re.compile(rb'^\s*\{\s*"sessionId"\s*:\s*"([^"]+)"\s*,\s*"projectHash"\s*:')
_STARTED = re.compile(rb'"startTime"\s*:\s*"([^"]+)"')
_SUB_AGENT = re.compile(rb'"kind"\s*:\s*"subagent"')
_HEADER_BYTES = 4096


class GeminiReader:
    """Reads ``~/.gemini/tmp/*/chats``. A sub-agent's chat lies in a folder that bears its parent's id."""

    name = "gemini"
    title = "Gemini CLI chats"

    def recognise(self, head: Head) -> Found | None:
        """By how it begins: a session's id and a project's hash."""
        start = head.data[:_HEADER_BYTES]
        known = _DOCUMENT.match(start)
        if known is None:
            return None
        started = _STARTED.search(start)
        parent = Path(head.path).parent.name if _SUB_AGENT.search(start) else ""
        return Found(
            group=known[1].decode("utf-8", "replace"),
            started=started[1].decode("utf-8", "replace") if started else "",
            side=bool(parent),
            within=parent,
        )

    def read(self, source: Source, problems: Problems) -> Iterator[Session]:
        """The one session of these files: a chat, and those of its sub-agents."""
        recording = Recording(source.group, hides=True)
        chats: dict[str, _Chat] = {}
        told = False
        for path in source.paths:
            clock = Clock(written_ns(path))
            chat: _Chat | None = None
            for record in _records(path, problems):
                name = text(record, "sessionId") if chat is None else ""
                chat = chats.get(name) or chat or _Chat(recording, name or source.group)
                chats[chat.id] = chat
                chat.take(record, clock)
            told = told or clock.told
        if not recording.calls:
            problems.add(source.paths[0], NO_CALLS)
        main = next(iter(chats.values()), None)
        project = main.project if main else ""
        name = main.summary if main else ""
        name = (
            name or f"{PurePath(project).name if '/' in project else 'gemini'} {source.group[:8]}"
        )
        yield Session(
            id=source.group,
            source=self.name,
            path=source.paths[0],
            records=list(recording.records(name, project)),
            name=name,
            project=project,
            notes=() if told else (NO_TIMES,),
        )


def _records(path: str, problems: Problems) -> Iterator[dict[str, object]]:
    """The records of a file: its lines, or its one document taken apart."""
    try:
        with opened(path) as file:
            first = file.readline(BUFFER_BYTES)
    except OSError as error:
        problems.refused(path, error)
        return
    if first.rstrip().endswith(b"}") and b'"messages"' not in first:
        yield from read_objects(path, problems)
        return
    document = read_document(path, problems) or {}
    messages = items(document.pop("messages", None))
    if document:
        yield document
    yield from (message for message in messages if isinstance(message, dict))


class _Chat:
    """One agent's chat. A message that comes again replaces its earlier form; a call stays counted."""

    def __init__(self, recording: Recording, agent_id: str) -> None:
        self.id = agent_id
        self.project = ""
        self.summary = ""
        self._recording = recording
        self._history = recording.history(agent_id)
        self._live: dict[str, list[Segment]] = {}
        self._calls: dict[str, Call] = {}
        self._known: set[str] = set()
        self._read_ns: int | None = None

    def take(self, record: Mapping[str, object], clock: Clock) -> None:
        """Take one record in: a message, a change of what is said of the chat, or a step back."""
        changed = record.get("$set")
        if isinstance(record.get("$rewindTo"), str):
            self._rewind(text(record, "$rewindTo"))
        elif isinstance(changed, dict):
            self._describe(changed)
            if isinstance(changed.get("messages"), list):
                self._replace(items(changed["messages"]), clock)
        elif text(record, "id") and text(record, "type"):
            self._message(record, clock)
        else:
            self._describe(record)

    def _describe(self, record: Mapping[str, object]) -> None:
        self.summary = text(record, "summary") or self.summary
        folders = [part for part in items(record.get("directories")) if isinstance(part, str)]
        self.project = next(iter(folders), "") or self.project or text(record, "projectHash")

    def _rewind(self, name: str) -> None:
        names = list(self._live)
        keep = names.index(name) if name in self._live else 0
        self._live = {known: self._live[known] for known in names[:keep]}

    def _replace(self, messages: Iterable[object], clock: Clock) -> None:
        """The history was rewritten: compressed, its first message then new and a summary, or masked."""
        before, self._live = self._live, {}
        for place, record in enumerate(messages):
            if not isinstance(record, dict) or not text(record, "id"):
                continue
            new = place == 0 and bool(before) and text(record, "id") not in self._known
            self._message(record, clock, summary=new)

    def _message(
        self, record: Mapping[str, object], clock: Clock, *, summary: bool = False
    ) -> None:
        name, kind = text(record, "id"), text(record, "type")
        if kind not in ("user", "gemini"):
            return  # told to the user, not to the model
        new = name not in self._known
        self._known.add(name)
        at_ns = clock.read(record.get("timestamp")) if new else clock.now_ns
        self._recording.seen(self.id, at_ns)
        if kind == "user":
            parts = list(segments.message(record.get("content"), "user"))
            if summary:
                words = segments.words_of(record.get("content"))
                parts = [segments.said("summary", words)]
            elif new and self.id == self._recording.session:
                self._recording.turns.begin(at_ns)
        else:
            parts = self._answer(record, at_ns, new)
        self._live[name] = parts
        self._read_ns = max(self._read_ns or at_ns, at_ns)

    def _answer(self, record: Mapping[str, object], at_ns: int, new: bool) -> list[Segment]:
        name = text(record, "id")
        tokens, model = record.get("tokens"), text(record, "model")
        if new and (tokens or model):
            self._history.become(list(chain.from_iterable(self._live.values())))
            sent_ns = min(at_ns if self._read_ns is None else self._read_ns, at_ns)
            call = self._recording.begin(self.id, sent_ns, name)
            call.api, call.provider, call.usage = "generate_content", PROVIDER, NOT_COUNTED
            call.ended_at_ns = at_ns
            # A resumed or migrated chat keeps the ids of its messages.
            call.response_id = name
            self._calls[name] = call
        known = self._calls.get(name)
        if known is not None:
            known.model = model or known.model
            known.text_chars = len(segments.words_of(record.get("content")))
            known.reasoning_chars = sum(
                length(get(thought, "description")) for thought in items(record.get("thoughts"))
            )
            if isinstance(tokens, dict):
                known.usage = _usage(tokens)
        parts = list(segments.message(record.get("content"), "assistant"))
        for tool in items(record.get("toolCalls")):
            parts += self._tool(tool, known, at_ns)
        return parts

    def _tool(self, tool: object, call: Call | None, at_ns: int) -> list[Segment]:
        call_id, name = text(tool, "id"), text(tool, "name")
        arguments = segments.as_json(get(tool, "args"))
        output = "".join(_outputs(get(tool, "result")))
        failed = text(tool, "status") == "error"
        ended_ns = read_time(get(tool, "timestamp")) or at_ns
        if call is not None and call_id:
            self._recording.asked(call, call_id, name, arguments, at_ns)
            read_only = name in READ_ONLY
            self._recording.answered(call_id, output, ended_ns, failed=failed, read_only=read_only)
        if agent := text(tool, "agentId"):
            self._recording.agents.spawned(agent, self.id, name)
        self._read_ns = max(self._read_ns or ended_ns, ended_ns)
        return [
            segments.asked(call_id, name, arguments),
            segments.returned(call_id, name, output, failed),
        ]


def _usage(tokens: Mapping[str, object]) -> Usage:
    """The API's counts: cached tokens inside the input, thoughts and tool prompts beside.

    Source: https://ai.google.dev/api/generate-content#UsageMetadata, 2026-11.
    """
    given, output = count(tokens, "input"), count(tokens, "output")
    thoughts, tool = count(tokens, "thoughts"), count(tokens, "tool")
    return usage_of(
        None if given is None else given + (tool or 0),
        None if output is None else output + (thoughts or 0),
        read=count(tokens, "cached"),
        reasoning=thoughts,
    )


def _outputs(result: object) -> Iterator[str]:
    """What the parts of a result say: a function's answer or error, else text."""
    for part in [result] if isinstance(result, (str, dict)) else items(result):
        answer = get(get(part, "functionResponse"), "response")
        if isinstance(answer, dict):
            only = answer.get("output", answer.get("error")) if len(answer) == 1 else None
            yield only if isinstance(only, str) else segments.as_json(answer)
        else:
            yield segments.words_of(part if isinstance(part, str) else [part])
