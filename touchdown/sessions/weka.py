"""Sessions of the kv-cache-tester corpus (WEKA): one JSON document each, prompts as ids of 64-token blocks.

Source: https://github.com/callanjfox/kv-cache-tester, its traces as of 2026-11. Seen in the files: times are
seconds; those of a sub-agent's requests count from its own start; ``t`` of a sub-agent is when it ended,
since those begun together then start at one moment, ``duration_ms`` before.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from touchdown.records import AgentRun, Record, TaskRecord
from touchdown.sessions.block_calls import BlockCalls, BlockPrompt
from touchdown.sessions.cache_policy import Prefixes, policy_note
from touchdown.sessions.files import opened
from touchdown.sessions.lines import MOST_BYTES, read_lines
from touchdown.sessions.source import Found, Head, Problems, Session, Source
from touchdown.sessions.times import MILLISECOND_NS, SECOND_NS, as_ns, written_ns
from touchdown.sessions.turns import Turns

UNNAMED = "sub-agent"
RELATIVE_TIMES = "its times count from 0: the file's own date stands in for its beginning"
NO_REQUESTS = "a trace without a request"
_MARKS = (re.compile(rb'"block_size"\s*:\s*\d'), re.compile(rb'"requests"\s*:\s*\['))


class _Request(msgspec.Struct, gc=False):
    """A request, or a sub-agent with requests of its own."""

    t: float = 0.0
    type: str = "n"
    model: str = ""
    input_tokens: int = msgspec.field(default=0, name="in")
    output_tokens: int = msgspec.field(default=0, name="out")
    blocks: list[int | str] = msgspec.field(default_factory=list, name="hash_ids")
    input_types: list[str] = msgspec.field(default_factory=list)
    stop: str | None = None
    api_time: float = 0.0
    ttft: float | None = None
    agent_id: str = ""
    subagent_type: str = ""
    duration_ms: float = 0.0
    requests: "list[_Request]" = msgspec.field(default_factory=list)
    tool_tokens: int = 0
    system_tokens: int = 0


class _Trace(msgspec.Struct, gc=False):
    block_size: int
    requests: list[_Request]
    id: str = ""
    tool_tokens: int = 0
    system_tokens: int = 0


_decode = msgspec.json.Decoder(_Trace).decode


class WekaReader:
    """Reads one trace of a file, or one on each line. Sub-agents are agents of the same task."""

    name = "weka"
    title = "kv-cache-tester (WEKA) traces"

    def recognise(self, head: Head) -> Found | None:
        """By the fields of the document: most are longer than the head."""
        known = head.data.lstrip().startswith(b"{") and all(m.search(head.data) for m in _MARKS)
        return Found() if known else None

    def read(self, source: Source, problems: Problems) -> Iterator[Session]:
        """The sessions of each file."""
        for path in source.paths:
            for trace in _traces(path, problems):
                gathered = _Gathered(trace, path, source)
                if not gathered.prompts:
                    problems.add(path, NO_REQUESTS)
                    continue
                yield gathered.session(path)


def _traces(path: str, problems: Problems) -> Iterator[_Trace]:
    """The documents of a file: the whole of it, else its lines."""
    try:
        with opened(path) as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        problems.refused(path, error)
        return
    if len(data) <= MOST_BYTES:
        try:
            yield _decode(data)
            return
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            if data.count(b"\n") <= 1:
                problems.add(path, f"no whole trace ({error})", "it is left out")
                return
    del data
    for number, line in read_lines(path, problems):
        try:
            yield _decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            problems.add(path, f"no whole trace ({error})", "it is left out", number)


class _Speaker(Struct, frozen=True):
    """Whose requests these are. Units: tokens of what stands first in its prompts."""

    id: str
    tools: int
    system: int


@dataclass(slots=True)
class _Gathered:
    """The requests of one trace with absolute times, whoever sent them."""

    trace: _Trace
    path: str
    source: Source
    id: str = ""
    prompts: list[BlockPrompt] = field(default_factory=list)
    runs: list[AgentRun] = field(default_factory=list)
    turns: Turns = field(init=False)

    def __post_init__(self) -> None:
        trace = self.trace
        self.id = trace.id or Path(self.path).stem
        self.turns = Turns(self.id)
        main = _Speaker(self.id, trace.tool_tokens, trace.system_tokens)
        self._take(trace.requests, main, written_ns(self.path))
        self.prompts.sort(key=lambda prompt: prompt.sent_ns)

    def _take(self, requests: list[_Request], speaker: _Speaker, start_ns: int) -> None:
        for request in requests:
            at_ns = start_ns + (as_ns(request.t, SECOND_NS) or 0)
            if request.type == "subagent":
                self._spawn(request, speaker, at_ns - _lasted_ns(request))
            else:
                if speaker.id == self.id and "tool_result" not in request.input_types:
                    self.turns.begin(at_ns)
                self.prompts.append(self._prompt(request, speaker, at_ns))

    def _spawn(self, request: _Request, parent: _Speaker, start_ns: int) -> None:
        name = f"{self.id}/{request.agent_id or len(self.runs) + 1}"
        run = AgentRun(
            id=name,
            task_id=self.id,
            parent_id=parent.id,
            name=request.subagent_type or UNNAMED,
            started_at_ns=start_ns,
            duration_ns=max(_lasted_ns(request), 0),
        )
        self.runs.append(run)
        child = _Speaker(name, request.tool_tokens, request.system_tokens)
        self._take(request.requests, child, start_ns)

    def _prompt(self, request: _Request, speaker: _Speaker, at_ns: int) -> BlockPrompt:
        first_ns = None if request.ttft is None else as_ns(request.ttft, SECOND_NS)
        return BlockPrompt(
            id=f"{self.id}:{len(self.prompts) + 1}",
            agent_id=speaker.id,
            model=request.model,
            sent_ns=at_ns,
            duration_ns=max(as_ns(request.api_time, SECOND_NS) or 0, 0),
            blocks=request.blocks,
            block_tokens=self.trace.block_size,
            input_tokens=max(request.input_tokens, 0),
            output_tokens=max(request.output_tokens, 0),
            tools=speaker.tools,
            system=speaker.system,
            first_chunk_ns=None if first_ns is None else max(first_ns, 0),
            finish_reason=request.stop or "",
            reads_results="tool_result" in request.input_types,
        )

    def session(self, path: str) -> Session:
        """The session of this trace."""
        policy = self.source.cache_policy
        return Session(
            id=self.id,
            source=WekaReader.name,
            path=path,
            records=self._records(),
            name=self.id,
            notes=(policy_note(policy), RELATIVE_TIMES),
        )

    def _records(self) -> Iterator[Record]:
        calls = BlockCalls(self.id, self.source.cache_policy, Prefixes())
        first, last = self.prompts[0].sent_ns, 0
        for prompt in self.prompts:
            ended_ns = prompt.sent_ns + prompt.duration_ns
            last = max(last, ended_ns)
            call = calls.call(prompt, self.turns.use(prompt.sent_ns, ended_ns))
            awaited = self.turns.awaited(call.agent_id, call.task_id, prompt.reads_results)
            yield replace(call, awaited=awaited) if awaited else call
        for run in self.runs:
            ended_ns = run.started_at_ns + run.duration_ns
            yield replace(run, task_id=self.turns.use(run.started_at_ns, ended_ns))
        yield from self.turns.records(self.id)
        yield TaskRecord(self.id, self.id, first, last - first, conversation=self.id)


def _lasted_ns(request: _Request) -> int:
    return as_ns(request.duration_ms, MILLISECOND_NS) or 0
