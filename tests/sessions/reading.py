"""Reading sources and folding them, as tests ask for it."""

from dataclasses import dataclass
from pathlib import Path

from tests.accounting.build import FixedPrices
from touchdown.accounting.account import TaskAccount
from touchdown.accounting.ledger import Ledger, refold
from touchdown.prices.rates import Prices
from touchdown.records import AgentRun, ModelCall, Record, Segment, TaskRecord, ToolCall
from touchdown.sessions.discovery import find_sources
from touchdown.sessions.readers import BY_NAME
from touchdown.sessions.source import Problems, Session


@dataclass
class Read:
    """One session with its records by kind."""

    session: Session
    records: list[Record]

    @property
    def calls(self) -> list[ModelCall]:
        found = [record for record in self.records if isinstance(record, ModelCall)]
        return sorted(found, key=lambda call: (call.sent_at_ns, call.id))

    @property
    def tools(self) -> list[ToolCall]:
        return [record for record in self.records if isinstance(record, ToolCall)]

    @property
    def agents(self) -> list[AgentRun]:
        return [record for record in self.records if isinstance(record, AgentRun)]

    @property
    def tasks(self) -> list[TaskRecord]:
        return [record for record in self.records if isinstance(record, TaskRecord)]

    def context(self, place: int) -> list[Segment]:
        """The whole context of one of the calls, in order of time."""
        by_id = {call.id: call for call in self.calls}
        chain = [self.calls[place]]
        while (before := chain[-1].context.predecessor) is not None:
            chain.append(by_id[before])
        segments: list[Segment] = []
        for link in reversed(chain):
            segments = [*segments[: link.context.shared], *link.context.new]
        return segments

    def kinds(self, place: int) -> list[str]:
        """What the pieces of that context are."""
        return [segment.kind for segment in self.context(place)]

    @property
    def counted(self) -> list[tuple[int | None, ...]]:
        """Of each call: uncached, read, output, reasoning."""
        used = [call.usage for call in self.calls]
        return [(u.uncached, u.cache_read, u.output, u.reasoning) for u in used]

    def ledger(self, prices: Prices | None = None) -> Ledger:
        return refold(self.records, prices or FixedPrices())

    def account(self, prices: Prices | None = None) -> TaskAccount:
        return self.ledger(prices).account()


def read_all(*paths: Path) -> tuple[list[Read], list[str]]:
    """Every session in these paths, and the problems met."""
    problems = Problems()
    found = []
    for source in find_sources([str(path) for path in paths], problems):
        for session in BY_NAME[source.reader].read(source, problems):
            found.append(Read(session, list(session.records)))
    return found, [str(problem) for problem in problems]


def read_one(*paths: Path) -> Read:
    """The one session in these paths, read without a problem."""
    (session,), problems = read_all(*paths)
    assert problems == []
    return session
