"""One thread of Codex, line by line: its requests, what they read, and what is only a copy of another's."""

from collections.abc import Mapping

from touchdown.clients.fields import get, items, text
from touchdown.records import Segment, Usage
from touchdown.sessions import segments
from touchdown.sessions.codex.counters import Counted, read_counted, used_since
from touchdown.sessions.recording import Call, Recording
from touchdown.sessions.responses import (
    REQUESTS,
    RESULTS,
    arguments_of,
    duration_ns,
    failed,
    is_answer,
    output_of,
    reasoning_chars,
    segments_of,
    text_chars,
    tool_of,
)
from touchdown.sessions.times import Clock

PROVIDERS = {"azure": "azure.ai.openai", "": "openai"}
"""Codex's names of providers to the conventions', where they differ; none is its own default."""

READ_ONLY = frozenset({"grep_files", "list_dir", "read_file", "view_image"})
"""Built-in tools that change nothing. Source: openai/codex ``codex-rs/core/src/tools``, 2026-08."""

COPIED_WITHIN_NS = 500_000_000
"""A history is copied in one go; the first longer pause is a model at work."""

NOT_COUNTED = Usage(problems=("no count was written for this request",))


class Thread:
    """Takes the lines of one thread. ``counted`` holds the counters that other threads already told."""

    def __init__(
        self, recording: Recording, agent_id: str, clock: Clock, counted: set[Counted]
    ) -> None:
        self.cwd = ""
        self._id = ""
        self._recording = recording
        self._agent = agent_id
        self._main = agent_id == recording.session
        self._clock = clock
        self._counted = counted
        self._history = recording.history(agent_id)
        self._names: dict[str, str] = {}
        self._model = ""
        self._provider = PROVIDERS[""]
        self._total: Counted | None = None
        self._call: Call | None = None
        self._read_ns = clock.now_ns
        self._prompt: int | None = None
        self._turns: list[int] = []
        """How long the history was before each prompt."""
        self._began_ns: int | None = None
        self._has_copy = False
        self._copying = False

    def take(self, line: Mapping[str, object]) -> None:
        """Take one line in. Kinds that are not known are passed over."""
        payload = line.get("payload")
        if not isinstance(payload, dict):
            return
        before_ns = self._clock.now_ns
        at_ns = self._clock.read(line.get("timestamp"))
        kind = text(line, "type")
        if kind == "session_meta":
            self._meta(payload, at_ns)
        self._note_pause(before_ns, at_ns)
        if not self._copying:
            self._recording.seen(self._agent, at_ns)
        if kind == "turn_context":
            self._model = text(payload, "model") or self._model
            self.cwd = self.cwd or text(payload, "cwd")
            self._read_ns = at_ns
        elif kind == "response_item":
            self._item(payload, at_ns)
        elif kind == "compacted":
            self._compacted(payload)
        elif kind == "event_msg":
            self._event(payload, at_ns)

    def _meta(self, payload: Mapping[str, object], at_ns: int) -> None:
        if self._id and text(payload, "id") != self._id:
            # The thread began with a copy of another's history, whose first line this is.
            self._has_copy = self._copying = True
            return
        self._id = text(payload, "id")
        self._began_ns = at_ns
        self.cwd = self.cwd or text(payload, "cwd")
        name = text(payload, "model_provider").lower()
        self._provider = PROVIDERS.get(name, name)

    def _note_pause(self, before_ns: int, at_ns: int) -> None:
        began = self._began_ns or 0
        if at_ns >= began and at_ns - max(before_ns, began) >= COPIED_WITHIN_NS:
            self._copying = False

    def _item(self, item: Mapping[str, object], at_ns: int) -> None:
        kind, call_id = text(item, "type"), text(item, "call_id")
        if is_answer(item):
            self._prompt = None
            if not self._copying:
                self._answer(item, call_id, at_ns)
            if kind in REQUESTS:
                self._names[call_id] = tool_of(item)
        else:
            self._read_ns = at_ns
            if text(item, "role") == "user":
                self._prompt = len(self._history)
        if kind in RESULTS and not self._copying:
            output = output_of(item)
            self._recording.answered(
                call_id,
                output,
                at_ns,
                failed=failed(item),
                duration_ns=duration_ns(output),
                read_only=self._names.get(call_id) in READ_ONLY,
            )
        for segment in segments_of(item, self._names):
            self._history.append(segment)

    def _answer(self, item: Mapping[str, object], call_id: str, at_ns: int) -> None:
        call = self._call or self._begin()
        call.ended_at_ns = max(call.ended_at_ns, at_ns)
        kind = text(item, "type")
        if kind == "message":
            call.text_chars += text_chars(item)
        elif kind == "reasoning":
            call.reasoning_chars += reasoning_chars(item)
        elif kind in REQUESTS:
            self._recording.asked(call, call_id, tool_of(item), arguments_of(item), at_ns)

    def _begin(self) -> Call:
        call = self._recording.begin(self._agent, self._read_ns)
        call.api = "responses"
        call.provider, call.model, call.usage = self._provider, self._model, NOT_COUNTED
        self._call = call
        return call

    def _event(self, event: Mapping[str, object], at_ns: int) -> None:
        kind = text(event, "type")
        if kind == "token_count":
            self._count(event.get("info"), at_ns)
        elif kind == "user_message":
            self._turns.append(len(self._history) if self._prompt is None else self._prompt)
            if self._main and not self._copying:
                self._recording.turns.begin(at_ns)
        elif kind == "thread_rolled_back":
            self._roll_back(event.get("num_turns"))
        elif kind == "mcp_tool_call_end":
            result = event.get("result")
            if get(result, "Err") is not None or get(get(result, "Ok"), "isError") is True:
                self._recording.failed(text(event, "call_id"))

    def _count(self, info: object, at_ns: int) -> None:
        total = read_counted(get(info, "total_token_usage"))
        if total is not None and total == self._total:
            return  # told again
        used = used_since(self._total, total, read_counted(get(info, "last_token_usage")))
        self._total = total or self._total
        if self._copying or (self._has_copy and total in self._counted):
            self._call = None
            return
        if used is None or not (used.input or used.output):
            return
        call = self._call or self._begin()
        call.usage = used.usage
        call.ended_at_ns = max(call.ended_at_ns, at_ns)
        self._call, self._read_ns = None, at_ns
        if total is not None:
            self._counted.add(total)

    def _compacted(self, payload: Mapping[str, object]) -> None:
        """A summary takes the place of the history; older builds do not say what else was kept."""
        summary = text(payload, "message")
        kept: list[Segment] = []
        given = items(payload.get("replacement_history"))
        for item in given:
            if isinstance(item, dict):
                kept += _marked(item, summary, self._names)
        if not given:
            kept = [part for part in self._history.segments if part.kind in ("system", "user")]
        if summary and not any(part.kind == "summary" for part in kept):
            kept.append(segments.said("summary", summary))
        self._history.become(kept)
        self._turns = [len(kept)] * len(self._turns)

    def _roll_back(self, turns: object) -> None:
        if isinstance(turns, int) and 0 < turns <= len(self._turns):
            self._history.cut(self._turns[-turns])
            del self._turns[-turns:]


def _marked(item: dict[str, object], summary: str, names: Mapping[str, str]) -> list[Segment]:
    """The segments of a kept item; the message that carries the summary is one."""
    content = item.get("content")
    words = "".join(text(part, "text") for part in items(content))
    if summary and summary in words:
        return [segments.said("summary", words, text(item, "role"))]
    return list(segments_of(item, names))
