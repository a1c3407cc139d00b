"""SWE-agent's trajectories (``.traj``): what was sent and answered in each step, tokens only in total.

Source: SWE-agent/SWE-agent ``sweagent/types.py``, ``sweagent/agent/agents.py`` (``get_trajectory_data``) and
``sweagent/agent/models.py`` (``InstanceStats``), and trajectories of its repository, read 2026-11.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from touchdown.clients.fields import count, dollars, either, get, items, text
from touchdown.records import Segment, Usage
from touchdown.sessions import segments
from touchdown.sessions.lines import read_document
from touchdown.sessions.recording import Call, Recording
from touchdown.sessions.sellers import seller_of
from touchdown.sessions.source import NO_CALLS, Found, Head, Problems, Reported, Session, Source
from touchdown.sessions.times import NO_TIMES, written_ns

_BEGINS = re.compile(
    rb'^\s*\{\s*(?:"environment"\s*:\s*"[^"]*"\s*,\s*)?"(?:trajectory|history)"\s*:\s*\['
)
_HOLDS = (b'"message_type"', b'"observation"', b'"agent"')

NO_TOKENS = "the trajectory tells no tokens by step"
NOT_COUNTED = Usage(problems=(NO_TOKENS,))


class SweAgentReader:
    """Reads ``.traj`` files. Usage by step is unknown; the total of the file is shown beside."""

    name = "swe-agent"
    title = "SWE-agent trajectories"

    def recognise(self, head: Head) -> Found | None:
        """By how it begins, and the fields of its steps."""
        known = _BEGINS.match(head.data) and any(field in head.data for field in _HOLDS)
        return Found() if known else None

    def read(self, source: Source, problems: Problems) -> Iterator[Session]:
        """The session of each file."""
        for path in source.paths:
            document = read_document(path, problems)
            if document is not None:
                yield _session(path, document, problems)


def _session(path: str, document: dict[str, object], problems: Problems) -> Session:
    config = _decoded(document.get("replay_config"))
    name = text(get(config, "problem_statement"), "id") or instance_of(path)
    run = _Run(name, text(get(get(config, "agent"), "model"), "name"), written_ns(path))
    attempts = [part for part in items(document.get("attempts")) if isinstance(part, dict)]
    for part in attempts or [document]:
        run.attempt(part)
    if not run.recording.calls:
        problems.add(path, NO_CALLS)
    return Session(
        id=name,
        source=SweAgentReader.name,
        path=path,
        records=list(run.recording.records(name)),
        name=name,
        reported=_reported(get(document.get("info"), "model_stats"), run.model),
        notes=(NO_TIMES,),
    )


def instance_of(path: str) -> str:
    """The id of the task that a file of this name holds."""
    return Path(path).stem.removesuffix(".traj")


class _Run:
    """The steps of one run, on a clock that only knows how long each action took."""

    def __init__(self, name: str, model: str, started_ns: int) -> None:
        self.recording = Recording(name, hides=True)
        self.provider, self.model = seller_of(model)
        self._now_ns = started_ns
        self._history = self.recording.history(name)

    def attempt(self, part: Mapping[str, object]) -> None:
        """One attempt at the task: of its steps where they hold what was sent, else of its history."""
        steps = [step for step in items(part.get("trajectory")) if isinstance(step, dict)]
        history = [item for item in items(part.get("history")) if isinstance(item, dict)]
        self._history.cut(0)
        if history and not any(_query(step) for step in steps):
            self._talk(history, [_seconds(step.get("execution_time")) for step in steps])
            return
        for step in steps:
            self._step(step)

    def _step(self, step: Mapping[str, object]) -> None:
        if query := _query(step):
            self._history.become([part for item in query for part in self._message(item)])
        call = self._call()
        answer = text(step, "response") or text(step, "thought")
        action = text(step, "action")
        call_id, name, arguments = _requested(step, call, action)
        self.recording.asked(call, call_id, name, arguments, self._now_ns)
        call.text_chars = len(answer)
        took_ns = round(_seconds(step.get("execution_time")) * 1e9)
        self._now_ns += took_ns
        output = text(step, "observation")
        self.recording.answered(call_id, output, self._now_ns, duration_ns=took_ns or None)
        if not query:
            self._history.append(segments.said("assistant", answer, "assistant"))
            self._history.append(segments.returned(call_id, name, output))

    def _talk(self, history: Sequence[dict[str, object]], times: Sequence[float]) -> None:
        took = iter(times)
        call: Call | None = None
        for item in history:
            role = text(item, "role")
            if role == "assistant" and item.get("is_demo") is not True:
                call = self._call()
                call.text_chars = len(segments.words_of(item.get("content")))
                call_id, name, arguments = _requested(item, call, text(item, "action"))
                self.recording.asked(call, call_id, name, arguments, self._now_ns)
                self._now_ns += round(next(took, 0.0) * 1e9)
            elif call is not None and call.requests:
                asked = next(iter(call.requests))
                words = segments.words_of(item.get("content"))
                self.recording.answered(asked, words, self._now_ns)
                call = None
            for segment in self._message(item):
                self._history.append(segment)

    def _call(self) -> Call:
        self._now_ns += 1000
        call = self.recording.begin(self.recording.session, self._now_ns)
        call.provider, call.model, call.usage = self.provider, self.model, NOT_COUNTED
        return call

    def _message(self, item: Mapping[str, object]) -> Iterator[Segment]:
        """A message of the history or of a query."""
        asked = [name for name in items(item.get("tool_call_ids")) if isinstance(name, str)]
        if text(item, "role") == "tool" and asked:
            words = segments.words_of(item.get("content"))
            name = self.recording.tool_names.get(asked[0], "")
            yield segments.returned(asked[0], name, words)
            return
        yield from segments.message(item.get("content"), text(item, "role"))
        for tool in items(item.get("tool_calls")):
            function = get(tool, "function")
            arguments = segments.words_of(get(function, "arguments"))
            yield segments.asked(text(tool, "id"), text(function, "name"), arguments)


def _query(step: Mapping[str, object]) -> list[dict[str, object]]:
    """What was sent in a step, where its writer kept it."""
    given = either(step, "query", "messages")
    return [item for item in items(given) if isinstance(item, dict) and text(item, "role")]


def _requested(step: Mapping[str, object], call: Call, action: str) -> tuple[str, str, str]:
    """The id, name and arguments of the one action of a step; one written as text is named by its command."""
    tool = next(iter(items(step.get("tool_calls"))), None)
    function = get(tool, "function")
    if text(function, "name"):
        arguments = segments.words_of(get(function, "arguments"))
        return text(tool, "id") or f"{call.id}/action", text(function, "name"), arguments
    return f"{call.id}/action", next(iter(action.split()), "action"), action


def _seconds(value: object) -> float:
    """A number of seconds; 0 for anything else, or none that can be."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return 0.0
    return float(value) if 0 <= value < 2**31 else 0.0


def _reported(stats: object, model: str) -> Reported | None:
    usd = dollars(get(stats, "instance_cost"))
    if not usd:
        return None  # a model whose price it does not know costs 0 to it
    sent, received = count(stats, "tokens_sent"), count(stats, "tokens_received")
    tokens = {model: sent + received} if sent is not None and received is not None else {}
    return Reported(usd, tokens=tokens, said_by="model_stats.instance_cost")


def _decoded(config: object) -> object:
    """The configuration of the run, which stands in the file as JSON in a string."""
    if not isinstance(config, str):
        return config
    try:
        return msgspec.json.decode(config)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
