"""A session gathered line by line: its threads, answers, tools and turns."""

from collections.abc import Iterator
from pathlib import PurePath

from msgspec import Struct, field

from touchdown.records import Attempt, Record, Segment, TaskRecord
from touchdown.sessions.agents import Agents
from touchdown.sessions.claude_code.answer import Answer, attempt_of, failed_answer
from touchdown.sessions.claude_code.content import Content, read_content, segments_of
from touchdown.sessions.claude_code.line import Line
from touchdown.sessions.claude_code.thread import Node, Thread
from touchdown.sessions.claude_code.tools import Tools
from touchdown.sessions.history import digest, unseen_chars
from touchdown.sessions.turns import Turns, reads_results

SYNTHETIC = "<synthetic>"
NO_PROMPT = ("<local-command", "<bash-", "[Request interrupted")
"""How messages of the user's side begin that nobody typed for a model."""

IN_THE_TREE = frozenset({"user", "assistant", "system", "attachment", "progress"})


class _Speaker(Struct, eq=False):
    """One agent: its thread and what is not yet part of an answer."""

    id: str
    thread: Thread = field(default_factory=Thread)
    attempts: list[Attempt] = field(default_factory=list)
    model: str = ""


class Transcript:
    """Takes lines in, in the order of the files, and gives the records of one session."""

    def __init__(self, session: str, written_ns: int) -> None:
        """``written_ns`` stands in for the time of lines that carry none."""
        self.session = session
        self.title = ""
        self.project = ""
        self.taken = 0
        self.without_time = 0
        self.costs: dict[str, float] = {}
        self.agents = Agents(session)
        self._tools = Tools()
        self._turns = Turns(session)
        self._speakers: dict[str, _Speaker] = {}
        self._main: _Speaker | None = None
        self._side_lines: dict[str, str] = {}
        self._answers: dict[str, Answer] = {}
        self._now_ns = written_ns
        self._last_ns = 0
        self._first_ns: int | None = None

    @property
    def answers(self) -> int:
        """How many model calls were found."""
        return len(self._answers)

    def note_spawn(self, agent: str, call_id: str) -> None:
        """A tool call that was read before began this agent, whether its result came back or not."""
        self.agents.spawned(agent, *self._tools.spawned_by(call_id))

    def take(self, line: Line, agent: str | None = None) -> None:
        """Take one line in. ``agent`` names the side agent that a stream says wrote it."""
        self.title = line.own_title or line.title or self.title or line.summary or ""
        if not self.project:
            self.project = line.cwd or ""
        if line.type not in IN_THE_TREE:
            return
        at_ns = self._time(line)
        main = self._main
        speaker = main if main and agent is None and not line.side else self._speaker(line, agent)
        if line.uuid and speaker.thread.knows(line.uuid):
            return
        self.agents.seen(speaker.id, at_ns)
        node = Node(line.uuid or "", line.parent or None, at_ns, root=line.parent is None)
        if line.type == "assistant":
            self._assistant(line, speaker, node)
        elif line.type == "user":
            self._user(line, speaker, node)
        else:
            self._other(line, speaker, node)

    def _time(self, line: Line) -> int:
        at_ns = line.at_ns
        self.taken += 1
        if at_ns is None:
            self.without_time += 1
            at_ns = self._now_ns + 1000
        self._now_ns = at_ns
        if self._first_ns is None or at_ns < self._first_ns:
            self._first_ns = at_ns
        if at_ns > self._last_ns:
            self._last_ns = at_ns
        return at_ns

    def _speaker(self, line: Line, agent: str | None) -> _Speaker:
        if agent is None and line.side:
            parent = line.parent or ""
            agent = line.agent or self._side_lines.get(parent) or line.uuid or "side"
            self._side_lines[line.uuid or ""] = agent
        name = agent or self.session
        speaker = self._speakers.get(name)
        if speaker is None:
            speaker = self._speakers[name] = _Speaker(name)
            if name == self.session:
                self._main = speaker
            if agent is not None:
                self.note_spawn(agent, agent)
        return speaker

    def _assistant(self, line: Line, speaker: _Speaker, node: Node) -> None:
        message = line.message
        if message is None:
            return
        content = read_content(message.content)
        thread = speaker.thread
        thread.place(node)
        if line.api_error or message.model == SYNTHETIC:
            if line.api_error:
                self._failed(line, speaker, node, content.said)
            thread.append(node)
            return
        node.response = message.id or line.uuid or f"{speaker.id}:{node.at_ns}"
        answer = self._answers.get(node.response)
        if answer is None:
            answer = self._begin(node.response, speaker, node, message.model or "")
        if answer.agent_id == speaker.id:
            # A side thread may replay lines of its parent: they are read there and were paid here.
            answer.note_usage(message, node.at_ns)
            answer.note_content(content)
            self._tools.requested(content, speaker.id, node.at_ns)
            if line.cost_usd is not None:
                self.costs[answer.id] = line.cost_usd
        node.segments = segments_of(content, "assistant", self._tools.names)
        thread.append(node)

    def _begin(self, name: str, speaker: _Speaker, node: Node, model: str) -> Answer:
        speaker.model = model
        sent_ns = min(_or(speaker.thread.tip_ns, node.at_ns), node.at_ns)
        shape = speaker.thread.shape(name)
        answer = Answer(name, speaker.id, model, sent_ns, shape, attempts=tuple(speaker.attempts))
        speaker.attempts.clear()
        self._answers[name] = answer
        return answer

    def _failed(self, line: Line, speaker: _Speaker, node: Node, said: str) -> None:
        sent_ns = min(_or(speaker.thread.tip_ns, node.at_ns), node.at_ns)
        failed = failed_answer(line, said, speaker.id, speaker.model, sent_ns)
        failed.attempts = tuple(speaker.attempts)
        speaker.attempts.clear()
        self._answers.setdefault(failed.id, failed)

    def _user(self, line: Line, speaker: _Speaker, node: Node) -> None:
        content = read_content(line.message.content) if line.message else Content()
        answers = "tool_result" in [part.type for part in content.parts]
        typed = not answers and not line.meta and not line.summary_of_history
        node.prompt = typed and not content.said.startswith(NO_PROMPT)
        if node.prompt and speaker.id == self.session:
            self._turns.begin(node.at_ns, line.prompt)
        node.segments = segments_of(
            content, "user", self._tools.names, "summary" if line.summary_of_history else None
        )
        if answers:
            pairs = zip(content.parts, node.segments, strict=True)
            results = [pair for pair in pairs if pair[0].type == "tool_result"]
            self._tools.answered(results, line, speaker.id, node.at_ns, self.agents)
        speaker.thread.place(node)
        speaker.thread.append(node)

    def _other(self, line: Line, speaker: _Speaker, node: Node) -> None:
        if line.type == "attachment":
            raw = bytes(line.attachment)
            node.segments = [Segment("other", len(raw), digest("other", raw), "user")]
        elif line.subtype == "api_error":
            speaker.attempts.append(attempt_of(line))
        node.root = line.subtype == "compact_boundary" or (node.root and line.type != "progress")
        speaker.thread.place(node)
        speaker.thread.append(node)

    def records(self) -> Iterator[Record]:
        """Everything gathered, as live capture would have told it."""
        folder = PurePath(self.project).name
        name = self.title or f"{folder} {self.session[:8]}".strip()
        started = self._first_ns or 0
        sizes = self._unseen()
        for answer in sorted(self._answers.values(), key=lambda answer: answer.sent_at_ns):
            task = self._turns.use(answer.sent_at_ns, answer.last_ns)
            reads = answer.error_type is None and reads_results(answer.shape)
            awaited = self._turns.awaited(answer.agent_id, task, reads)
            yield answer.record(task, self.session, sizes.get(answer.agent_id, 0), awaited)
        yield from self._tools.records(self._turns)
        yield from self.agents.records(self._turns)
        yield from self._turns.records(name)
        yield TaskRecord(
            id=self.session,
            name=name,
            started_at_ns=started,
            duration_ns=max(self._last_ns - started, 0),
            tags={"project": self.project} if self.project else {},
            conversation=self.session,
        )

    def _unseen(self) -> dict[str, int]:
        """Agent to the size of what it reads and nobody wrote down, by its first answer with usage."""
        sizes: dict[str, int] = {}
        for answer in self._answers.values():
            if answer.agent_id not in sizes and answer.error_type is None:
                usage, _ = answer.usage()
                if usage.input_tokens is not None:
                    size = unseen_chars(usage.input_tokens, answer.shape.chars)
                    sizes[answer.agent_id] = size
        return sizes


def _or(value: int | None, otherwise: int) -> int:
    return otherwise if value is None else value
