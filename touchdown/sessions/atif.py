"""ATIF, the trajectory format of the Harbor framework: steps with metrics, one JSON document each.

Source: https://harborframework.com/docs/trajectory-format and copies of its models
(``src/harbor/models/trajectories``, ATIF-v1.4 to v1.7), read 2026-11.
"""

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path

from touchdown.clients.fields import count, dollars, get, items, text
from touchdown.records import Segment, Usage
from touchdown.sessions import segments
from touchdown.sessions.counts import usage_of
from touchdown.sessions.history import digest
from touchdown.sessions.lines import read_document
from touchdown.sessions.recording import Call, Recording
from touchdown.sessions.sellers import seller_of
from touchdown.sessions.source import NO_CALLS, Found, Head, Problems, Reported, Session, Source
from touchdown.sessions.times import NO_TIMES, Clock, written_ns

_VERSION = re.compile(rb'"schema_version"\s*:\s*"ATIF-v')
_STARTED = re.compile(rb'"timestamp"\s*:\s*"([^"]+)"')

NOT_COUNTED = Usage(problems=("the step carries no metrics",))
SEVERAL = "some steps stand for several model calls: their tokens are told as one"
ELSEWHERE = "some of its sub-agents lie in files of their own"


class AtifReader:
    """Reads trajectories, with the sub-agents that are embedded in them."""

    name = "atif"
    title = "ATIF trajectories (Harbor)"

    def recognise(self, head: Head) -> Found | None:
        """By the version of the format that it names."""
        if not head.data.lstrip().startswith(b"{") or not _VERSION.search(head.data):
            return None
        started = _STARTED.search(head.data)
        return Found(started=started[1].decode("utf-8", "replace") if started else "")

    def read(self, source: Source, problems: Problems) -> Iterator[Session]:
        """The session of each file."""
        for path in source.paths:
            document = read_document(path, problems)
            if document is not None:
                yield _session(path, document, problems)


def _session(path: str, document: dict[str, object], problems: Problems) -> Session:
    agent = document.get("agent")
    stem = Path(path).stem
    main = text(document, "trajectory_id") or text(document, "session_id") or stem
    recording = Recording(main, hides=not items(get(agent, "tool_definitions")))
    clock = Clock(written_ns(path))
    trajectory = _Trajectory(recording, document, main, clock)
    trajectory.read()
    if not recording.calls:
        problems.add(path, NO_CALLS)
    name = f"{text(agent, 'name') or 'agent'} {main[:24]}"
    return Session(
        id=main,
        source=AtifReader.name,
        path=path,
        records=list(recording.records(name)),
        name=name,
        reported=_reported(document, trajectory),
        notes=(*trajectory.notes, *(() if clock.told else (NO_TIMES,))),
    )


class _Trajectory:
    """One agent's steps, and those of the agents it began."""

    def __init__(
        self, recording: Recording, document: Mapping[str, object], agent_id: str, clock: Clock
    ) -> None:
        self.notes: dict[str, None] = {}
        self.usd: Decimal | None = None
        self.without_usd = 0
        """How many of its model calls tell no cost."""
        self.models: set[str] = set()
        self.has_sub_agents = False
        self._recording = recording
        self._document = document
        self._id = agent_id
        self._clock = clock
        self._history = recording.history(agent_id)
        self._model = text(document.get("agent"), "model_name")

    def read(self) -> None:
        """Take every step in, then the embedded trajectories."""
        for tool in items(get(self._document.get("agent"), "tool_definitions")):
            told = segments.as_json(tool)
            self._history.append(Segment("tools", len(told), digest("tools", told)))
        for step in items(self._document.get("steps")):
            if isinstance(step, dict):
                self._step(step)
        for place, inner in enumerate(items(self._document.get("subagent_trajectories"))):
            if isinstance(inner, dict):
                self._embedded(inner, place)

    def _embedded(self, inner: dict[str, object], place: int) -> None:
        agent = text(inner, "trajectory_id") or text(inner, "session_id") or f"{self._id}/{place}"
        self.has_sub_agents = True
        self._recording.agents.spawned(agent, self._id, text(inner.get("agent"), "name"))
        sub = _Trajectory(self._recording, inner, agent, self._clock)
        sub.read()
        self.notes |= sub.notes
        self.models |= sub.models
        self.without_usd += sub.without_usd
        if sub.usd is not None:
            self.usd = (self.usd or 0) + sub.usd

    def _step(self, step: Mapping[str, object]) -> None:
        at_ns = self._clock.read(step.get("timestamp"))
        self._recording.seen(self._id, at_ns)
        source = text(step, "source")
        call: Call | None = None
        if source == "agent" and step.get("is_copied_context") is not True:
            if count(step, "llm_call_count") != 0:
                call = self._call(step, at_ns)
        elif source == "user" and self._id == self._recording.session:
            self._recording.turns.begin(at_ns)
        if words := text(step, "reasoning_content"):
            self._history.append(segments.said("thinking", words, "assistant"))
        for segment in segments.message(step.get("message"), source):
            self._history.append(segment)
        names = {text(tool, "tool_call_id"): text(tool, "function_name") for tool in _tools(step)}
        for tool in _tools(step):
            self._asked(tool, call, at_ns)
        for result in items(get(step.get("observation"), "results")):
            self._returned(result, names, at_ns)

    def _call(self, step: Mapping[str, object], at_ns: int) -> Call:
        call = self._recording.begin(self._id, at_ns)
        name = text(step, "model_name") or self._model
        call.provider, call.model = seller_of(name)
        metrics = step.get("metrics")
        call.usage = _usage(metrics) if isinstance(metrics, dict) else NOT_COUNTED
        call.text_chars = len(segments.words_of(step.get("message")))
        call.reasoning_chars = len(text(step, "reasoning_content"))
        self.models.add(call.model)
        if (count(step, "llm_call_count") or 0) > 1:
            self.notes[SEVERAL] = None
        usd = dollars(get(metrics, "cost_usd"))
        if usd is None:
            self.without_usd += 1
        else:
            self.usd = (self.usd or 0) + usd
        return call

    def _asked(self, tool: object, call: Call | None, at_ns: int) -> None:
        call_id, name = text(tool, "tool_call_id"), text(tool, "function_name")
        arguments = segments.as_json(get(tool, "arguments"))
        if call is not None and call_id:
            self._recording.asked(call, call_id, name, arguments, at_ns)
        self._history.append(segments.asked(call_id, name, arguments))

    def _returned(self, result: object, names: Mapping[str, str], at_ns: int) -> None:
        call_id = text(result, "source_call_id")
        output = segments.words_of(get(result, "content"))
        if call_id:
            self._recording.answered(call_id, output, at_ns)
        self._history.append(segments.returned(call_id, names.get(call_id, ""), output))
        if any(
            text(ref, "trajectory_path") for ref in items(get(result, "subagent_trajectory_ref"))
        ):
            self.has_sub_agents = True
            self.notes[ELSEWHERE] = None


def _tools(step: Mapping[str, object]) -> list[object]:
    return items(step.get("tool_calls"))


def _usage(metrics: Mapping[str, object]) -> Usage:
    """Metrics of one step: cached tokens inside the prompt's, reasoning inside the completion's."""
    extra = metrics.get("extra")
    return usage_of(
        count(metrics, "prompt_tokens"),
        count(metrics, "completion_tokens"),
        read=count(metrics, "cached_tokens"),
        written=count(extra, "cache_creation_input_tokens"),
        reasoning=count(extra, "reasoning_tokens"),
        lives=get(extra, "cache_creation"),
    )


def _reported(document: Mapping[str, object], read: _Trajectory) -> Reported | None:
    """The trajectory's own total, sub-agents included; else what its steps say, added up."""
    final = document.get("final_metrics")
    usd = dollars(get(final, "total_cost_usd"))
    tokens: dict[str, int] = {}
    parts = [count(final, f"total_{kind}_tokens") for kind in ("prompt", "completion")]
    if len(read.models) == 1 and not read.has_sub_agents and None not in parts:
        tokens = {next(iter(read.models)): sum(part or 0 for part in parts)}
    if usd is not None:
        return Reported(usd, tokens=tokens, said_by="final_metrics.total_cost_usd")
    if read.usd is not None:
        said_by = "metrics.cost_usd"
        return Reported(read.usd, tokens=tokens, said_by=said_by, without=read.without_usd)
    return None
