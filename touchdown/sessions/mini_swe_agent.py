"""mini-swe-agent's trajectories: its messages, with the provider's answers as litellm handed them over.

Source: mini-swe-agent 2.4.6 ``agents/default.py``, ``models/litellm_model.py``, ``litellm_response_model.py``
and ``models/utils/actions_toolcall.py``; litellm 1.110 ``AnthropicConfig.calculate_usage``; read 2026-11.
"""

import re
from collections.abc import Iterator, Mapping

from touchdown.clients.fields import count, dollars, either, get, items, text, whole
from touchdown.clients.openai.usage import reported_cost
from touchdown.records import Segment, Usage
from touchdown.sessions import segments
from touchdown.sessions.counts import usage_of
from touchdown.sessions.lines import read_document
from touchdown.sessions.recording import Call, Recording
from touchdown.sessions.responses import segments_of
from touchdown.sessions.sellers import seller_of
from touchdown.sessions.source import NO_CALLS, Found, Head, Problems, Reported, Session, Source
from touchdown.sessions.swe_agent import instance_of
from touchdown.sessions.times import NO_TIMES, Clock, read_time, written_ns

_FORMAT = re.compile(rb'"trajectory_format"\s*:\s*"mini-swe-agent|"mini_version"\s*:\s*"')

NOT_COUNTED = Usage(problems=("the trajectory does not hold the provider's answer",))
ACTION = "bash"
"""The one tool of the agent; an action that was written as text is a call of it, too."""


NOT_RUN = "action was not executed"
"""Said of an action behind the one that ended the run, and of that one itself."""


class MiniSweAgentReader:
    """Reads ``.traj.json`` files."""

    name = "mini-swe-agent"
    title = "mini-swe-agent trajectories"

    def recognise(self, head: Head) -> Found | None:
        """By the format or the version of the agent that it names."""
        known = head.data.lstrip().startswith(b"{") and _FORMAT.search(head.data)
        return Found() if known else None

    def read(self, source: Source, problems: Problems) -> Iterator[Session]:
        """The session of each file."""
        for path in source.paths:
            document = read_document(path, problems)
            if document is not None:
                yield _session(path, document, problems)


def _session(path: str, document: dict[str, object], problems: Problems) -> Session:
    name = text(document, "instance_id") or instance_of(path)
    info = document.get("info")
    model = text(get(get(info, "config"), "model"), "model_name")
    clock = Clock(written_ns(path))
    run = _Run(name, model, clock)
    for message in items(document.get("messages")):
        if isinstance(message, dict):
            run.take(message)
    if not run.recording.calls:
        problems.add(path, NO_CALLS)
    usd = dollars(get(get(info, "model_stats"), "instance_cost"))
    return Session(
        id=name,
        source=MiniSweAgentReader.name,
        path=path,
        records=list(run.recording.records(name)),
        name=name,
        # A model whose price litellm does not know costs 0 to it.
        reported=Reported(usd, said_by="model_stats.instance_cost") if usd else None,
        notes=() if clock.told else (NO_TIMES,),
    )


class _Run:
    """The messages of one run in turn."""

    def __init__(self, name: str, model: str, clock: Clock) -> None:
        self.recording = Recording(name, hides=True)
        self._provider, self._model = seller_of(model)
        self._clock = clock
        self._history = self.recording.history(name)
        self._read_ns: int | None = None
        self._asked: list[str] = []
        """Actions whose results have not come yet."""

    def take(self, message: Mapping[str, object]) -> None:
        """Take one message in."""
        role, extra = text(message, "role"), message.get("extra")
        if role == "exit":
            return
        answer = message if text(message, "object") == "response" else get(extra, "response")
        at_ns = self._time(extra, answer)
        if role == "assistant" or isinstance(answer, dict):
            call = self._call(answer, at_ns)
            if role in ("assistant", ""):
                self._answered(call, message, at_ns)
        elif role == "tool" or text(message, "type") == "function_call_output" or self._asked:
            self._returned(message, at_ns)
            return
        for segment in self._message(message):
            self._history.append(segment)
        self._read_ns = at_ns

    def _time(self, extra: object, answer: object) -> int:
        """When a message was made; its answer's own time is in whole seconds."""
        told = get(extra, "timestamp")
        if read_time(told) is None:
            told = either(answer, "created", "created_at")
        return self._clock.now_ns if read_time(told) is None else self._clock.read(told)

    def _call(self, answer: object, at_ns: int) -> Call:
        sent_ns = at_ns if self._read_ns is None else min(self._read_ns, at_ns)
        call = self.recording.begin(self.recording.session, sent_ns)
        call.ended_at_ns = at_ns
        call.provider = self._provider
        call.model = text(answer, "model") or self._model
        call.response_id = text(answer, "id")
        used = get(answer, "usage")
        call.usage = _usage(used) if isinstance(used, dict) else NOT_COUNTED
        call.reported_usd = reported_cost(used)
        return call

    def _answered(self, call: Call, message: Mapping[str, object], at_ns: int) -> None:
        if text(message, "object") == "response":
            call.api = "responses"
        call.text_chars = sum(
            part.chars for part in self._message(message) if part.kind == "assistant"
        )
        self._asked = []
        for call_id, name, arguments in _requests(message, call):
            self.recording.asked(call, call_id, name, arguments, at_ns)
            self._asked.append(call_id)

    def _returned(self, message: Mapping[str, object], at_ns: int) -> None:
        """What came of an action. That it could not be run is a failure; its exit code is none."""
        words = segments.words_of(either(message, "content", "output"))
        named = text(message, "tool_call_id") or text(message, "call_id")
        call_id = named or (self._asked[0] if self._asked else "")
        alone = len(self._asked) == 1
        self._asked = [name for name in self._asked if name != call_id]
        trouble = text(message.get("extra"), "exception_info")
        failed = trouble not in ("", NOT_RUN)
        took_ns = at_ns - (self._read_ns or at_ns) if alone else None
        self.recording.answered(
            call_id, words, at_ns, failed=failed, duration_ns=took_ns if took_ns else None
        )
        name = self.recording.tool_names.get(call_id, "")
        self._history.append(segments.returned(call_id, name, words, failed))
        self._read_ns = at_ns

    def _message(self, message: Mapping[str, object]) -> Iterator[Segment]:
        if text(message, "object") == "response":
            for item in items(message.get("output")):
                if isinstance(item, dict):
                    yield from segments_of(item, self.recording.tool_names)
            return
        role = text(message, "role")
        if thought := text(message, "reasoning_content"):
            yield segments.said("thinking", thought, role)
        yield from segments.message(message.get("content"), role)
        for tool in items(message.get("tool_calls")):
            function = get(tool, "function")
            arguments = segments.words_of(get(function, "arguments"))
            yield segments.asked(text(tool, "id"), text(function, "name"), arguments)


def _requests(message: Mapping[str, object], call: Call) -> Iterator[tuple[str, str, str]]:
    """The id, name and arguments of each action of an answer."""
    functions = [
        (text(tool, "id"), get(tool, "function")) for tool in items(message.get("tool_calls"))
    ]
    functions += [
        (text(item, "call_id"), item)
        for item in items(message.get("output"))
        if text(item, "type") == "function_call"
    ]
    for call_id, function in functions:
        yield call_id, text(function, "name"), segments.words_of(get(function, "arguments"))
    if not functions:
        for place, action in enumerate(items(get(message.get("extra"), "actions"))):
            yield f"{call.id}/{place}", ACTION, text(action, "command")


def _usage(used: Mapping[str, object]) -> Usage:
    """litellm's counts: what was read from and written to a cache is inside the prompt's tokens."""
    details = either(used, "prompt_tokens_details", "input_tokens_details")
    made = either(used, "completion_tokens_details", "output_tokens_details")
    read = count(details, "cached_tokens")
    # Only for models whose provider tells of writes is this more than 0.
    written = count(used, "cache_creation_input_tokens") or count(details, "cache_write_tokens")
    return usage_of(
        whole(either(used, "prompt_tokens", "input_tokens")),
        whole(either(used, "completion_tokens", "output_tokens")),
        read=count(used, "cache_read_input_tokens") if read is None else read,
        written=written or None,
        reasoning=count(made, "reasoning_tokens"),
        lives=get(details, "cache_creation_token_details"),
    )
