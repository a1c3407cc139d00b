"""Made-up sessions for property tests: agents that append, edit, fail, retry, spawn and switch models."""

from dataclasses import dataclass, field
from decimal import Decimal

from hypothesis import strategies as st
from msgspec.structs import replace

from tests.accounting.build import GPT, HAIKU, OPUS, SECOND, SYSTEM, TOOLS, asks, result, seg
from touchdown.records import (
    AgentRun,
    Attempt,
    ContextShape,
    ModelCall,
    Output,
    Record,
    Segment,
    ServerStep,
    TaskRecord,
    ToolCall,
    Usage,
)

STEPS = (
    "append", "append", "append", "edit", "tools", "cut", "model", "parameter", "again", "spawn",
    "tool", "failed_tool", "wait", "compact", "summarise", "look", "look", "long_tool", "side_call",
)  # fmt: skip
STATUSES = ("ok", "ok", "ok", "ok", "error", "cancelled", "closed_early", "not_started")
MODELS = (OPUS, HAIKU, GPT, "no-cache", "free", "unheard-of")


@dataclass
class Agent:
    """One agent as it goes: its context, and what was told of it last."""

    id: str
    segments: list[Segment]
    model: str = OPUS
    parameters: dict[str, str] = field(default_factory=dict)
    told: list[Segment] = field(default_factory=list)
    last_call: str | None = None
    asked: list[str] = field(default_factory=list)


@dataclass
class Session:
    """A session as it is drawn: agents, the clock, and the records so far."""

    draw: st.DrawFn
    agents: list[Agent] = field(
        default_factory=lambda: [Agent("agent-0", [TOOLS, SYSTEM, seg("goal")])]
    )
    records: list[Record] = field(default_factory=list)
    now_ns: int = 0
    made: int = 0

    def name(self, kind: str) -> str:
        self.made += 1
        return f"{kind}-{self.made:03}"

    def number(self, least: int, most: int) -> int:
        return self.draw(st.integers(least, most))

    def chance(self, percent: int) -> bool:
        return self.number(1, 100) <= percent

    def step(self) -> None:
        agent = self.draw(st.sampled_from(self.agents))
        self._change(agent, self.draw(st.sampled_from(STEPS)))
        self._call(agent)

    def _change(self, agent: Agent, step: str) -> None:
        if step == "model":
            agent.model = self.draw(st.sampled_from(MODELS))
        elif step == "parameter":
            agent.parameters = {"tool_choice": self.name("choice")}
        elif step == "spawn":
            self._spawn(agent)
        elif step in ("tool", "failed_tool"):
            self._tool(agent, failed=step == "failed_tool")
        elif step == "look":
            self._look(agent)
        elif step == "long_tool":
            call_id = self.name("call")
            agent.segments.append(result(call_id, "cat", self.number(20_000, 90_000)))
        elif step == "side_call":
            self.agents.append(Agent(f"agent-{len(self.agents)}", [SYSTEM, seg(self.name("ask"))]))
        elif step == "summarise":
            self._summarise(agent)
        elif step == "wait":
            self.now_ns += self.number(1, 8000) * SECOND
        else:
            self._rewrite(agent.segments, step)

    def _rewrite(self, segments: list[Segment], step: str) -> None:
        at = self.number(0, len(segments) - 1)
        if step == "append":
            segments.append(seg(self.name("said"), self.number(0, 8000)))
        elif step == "edit":
            segments[at] = replace(segments[at], digest=self.name("edit"))
        elif step == "tools":
            segments[0] = seg(self.name("tools"), 4000, "tools")
        elif step == "cut":
            del segments[at + 1 :]
        elif step == "compact":
            segments[2:] = [seg(self.name("summary"), 800, "summary"), *segments[-2:]]

    def _look(self, agent: Agent) -> None:
        """A read-only tool, often with the same arguments and the same result as before."""
        number = self.number(0, 1)
        call_id = agent.asked.pop(0) if agent.asked else self.name("call")
        digest = f"seen {self.number(0, 1) if self.chance(20) else 0}"
        self.records.append(
            ToolCall(
                self.name("tool"), "task", agent.id, "look", self.now_ns, duration_ns=SECOND,
                call_id=call_id, output_chars=400, result_digest=digest,
                argument_digest=f"arguments {number}", read_only=True,
            )
        )  # fmt: skip
        agent.segments.append(result(call_id, "look", 400, False, digest))

    def _summarise(self, agent: Agent) -> None:
        """The host asks for a summary and puts it in the place of the history."""
        agent.segments.append(seg(self.name("sum up"), 100))
        self._call(agent)
        summary = seg(self.name("summary"), self.number(80, 4000), answer_of=agent.last_call or "")
        agent.segments[2:] = [summary, *agent.segments[-2:-1]]

    def _spawn(self, parent: Agent) -> None:
        shared = self.number(1, len(parent.segments))
        name = f"agent-{len(self.agents)}"
        self.agents.append(Agent(name, [*parent.segments[:shared], seg(self.name("brief"))]))
        self.records.append(
            AgentRun(name, "task", parent.id, f"helper {name}", self.now_ns, 10 * SECOND)
        )

    def _tool(self, agent: Agent, failed: bool) -> None:
        call_id = agent.asked.pop(0) if agent.asked else self.name("call")
        chars = self.number(0, 9000)
        if self.chance(60):
            known = self.chance(50)
            self.records.append(
                ToolCall(
                    self.name("tool"),
                    "task",
                    agent.id,
                    "run",
                    self.now_ns,
                    call_id=call_id if known else None,
                    output_chars=chars,
                    result_digest="" if known else f"out {call_id}",
                    failed=failed,
                )
            )
            failed = False
        agent.segments.append(result(call_id, "run", chars, failed, f"out {call_id}"))

    def _shape(self, agent: Agent) -> ContextShape:
        shared = 0
        for told, segment in zip(agent.told, agent.segments, strict=False):
            if told != segment:
                break
            shared += 1
        keyframe = agent.last_call is None or self.chance(10)
        predecessor = "lost" if self.chance(2) else agent.last_call
        shape = ContextShape(
            predecessor=None if keyframe else predecessor,
            shared=0 if keyframe else shared,
            new=tuple(agent.segments if keyframe else agent.segments[shared:]),
            parameters=dict(agent.parameters),
            opaque="server state" if self.chance(3) else None,
            caching=self.draw(st.sampled_from(("explicit", "automatic", "off", "implicit", None))),
        )
        agent.told = list(agent.segments)
        return shape

    def _usage(self, agent: Agent) -> Usage:
        if self.chance(5):
            return Usage(problems=("usage not sent",))
        total = sum(segment.chars for segment in agent.segments) // 4 + self.number(-50, 50)
        total = max(total, 0)
        read = self.draw(st.sampled_from((0, total // 2, total * 9 // 10)))
        written = self.number(0, total - read) if self.chance(60) else 0
        long = self.number(0, written)
        output = self.number(0, 500)
        anthropic = agent.model in (OPUS, HAIKU)
        return Usage(
            uncached=total - read - (written if anthropic else 0),
            cache_read=None if self.chance(5) else read,
            cache_write={"5m": written - long, "1h": long} if anthropic else None,
            output=None if self.chance(5) else output,
            reasoning=self.number(0, output) if self.chance(30) else None,
            completeness=self.draw(st.sampled_from(("full", "full", "lower_bound"))),
            steps=self._steps() if anthropic and self.chance(8) else (),
        )

    def _steps(self) -> tuple[ServerStep, ...]:
        kind, model = self.draw(st.sampled_from((("compaction", ""), ("advisor_message", HAIKU))))
        counts = Usage(self.number(0, 900), 0, {"5m": self.number(0, 9000)}, self.number(0, 300))
        return (ServerStep(kind, replace(counts, completeness="full"), model),)

    def _output(self, agent: Agent) -> Output:
        if self.chance(4):
            return Output(summary_chars=900)
        if not self.chance(60):
            return Output(text_chars=self.number(0, 500), reasoning_chars=self.number(0, 500))
        names = [self.name("call") for _ in range(self.number(1, 3))]
        agent.asked += names
        return asks(*((name, "run") for name in names), text=self.number(0, 200))

    def _call(self, agent: Agent) -> None:
        name = self.name("call")
        shape, used = self._shape(agent), self._usage(agent)
        lasts = self.number(0, 20) * SECOND
        reported = Decimal(self.number(0, 10**9)).scaleb(-10) if self.chance(10) else None
        self.records.append(
            ModelCall(
                id=name,
                task_id="task",
                agent_id=agent.id,
                api="messages",
                operation="chat",
                provider="anthropic" if agent.model in (OPUS, HAIKU) else "openai",
                vendor="anthropic",
                sent_at_ns=self.now_ns,
                duration_ns=lasts,
                usage=used,
                context=shape,
                model=agent.model,
                output=self._output(agent),
                status=self.draw(st.sampled_from(STATUSES)),
                attempts=(Attempt(None, 0.5),) if self.chance(5) else (),
                reported_usd=reported,
            )
        )
        agent.last_call = name
        self.now_ns += self.number(0, 30) * SECOND


@st.composite
def sessions(draw: st.DrawFn) -> list[Record]:
    """The records of one task, in the order of their start."""
    session = Session(draw)
    for _ in range(draw(st.integers(1, 14))):
        session.step()
    opened = TaskRecord("task", "goal", 0)
    return [opened, *session.records, replace(opened, duration_ns=session.now_ns)]
