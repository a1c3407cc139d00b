"""The ledger of one root task and its child tasks: records in, verdicts and accounts out."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from decimal import Context as DecimalContext
from decimal import Decimal, localcontext
from itertools import chain
from typing import TypeVar

from touchdown.accounting.account import TaskAccount
from touchdown.accounting.calls import Calls
from touchdown.accounting.cold import Cold
from touchdown.accounting.completeness import compared, with_gaps, without_engines
from touchdown.accounting.contexts import Contexts
from touchdown.accounting.facts import CallFacts
from touchdown.accounting.fold import Fold, verdict_of
from touchdown.accounting.judging import judged
from touchdown.accounting.looks import WORTH_KEEPING, Look
from touchdown.accounting.policies import NO_POLICIES, Policies
from touchdown.accounting.served import with_reports
from touchdown.accounting.settlement import settle
from touchdown.accounting.statement import Detail, Folded, state_account, state_part, with_children
from touchdown.accounting.time.intervals import Timed, end_of
from touchdown.prices.rates import Prices
from touchdown.records import (
    AgentRun,
    CallVerdict,
    EngineReport,
    Gap,
    Later,
    ModelCall,
    Record,
    Settled,
    TaskOutcome,
    TaskRecord,
    Told,
    ToolCall,
)

R = TypeVar("R", ToolCall, AgentRun, TaskRecord)

EXACT = DecimalContext(prec=120)
"""Nothing here is rounded, and nothing depends on the host's own decimal context."""


class Ledger:
    """A pure function of the set of records it was given, whatever order they came in.

    Calls that arrive in the order they were sent are folded at once, at a cost that grows with what is
    new in them. One that arrives late is folded provisionally, for its verdict, and everything is folded
    again when an account is asked for. Not thread-safe.

    ``packs``: whether calls that nobody looks at are packed, for a ledger that is kept.
    """

    def __init__(
        self, prices: Prices, policies: Policies = NO_POLICIES, *, packs: bool = False
    ) -> None:
        self._prices, self._policies, self._packs = prices, policies, packs
        self._calls = Calls()
        self._tools: dict[str, ToolCall] = {}
        self._runs: dict[str, AgentRun] = {}
        self._tasks: dict[str, TaskRecord] = {}
        self._clashes: set[str] = set()
        self._gaps: set[Gap] = set()
        self._settled: dict[str, Settled] = {}
        self._outcomes: defaultdict[str, set[TaskOutcome]] = defaultdict(set)
        self._reports: defaultdict[str, list[EngineReport]] = defaultdict(list)
        self._last: tuple[int, str] | None = None
        self._stale = False
        self._contexts = Contexts(self._calls)
        self._fold = self._new_fold()
        self._looks: dict[str | None, Look] = {}
        """By the task that was asked for: its last account, while no record comes."""

    def add(self, record: Record) -> CallVerdict | None:
        """Take a record in; the verdict for a model call, provisional until the task is closed.

        A record whose id is known is counted once. Of a task's forms the latest holds.
        """
        if not isinstance(record, ModelCall):
            self._keep(record)
            return None
        with localcontext(EXACT):
            facts = self._take(record)
            return self.verdict(record.id) if facts is None else verdict_of(facts)

    def add_all(self, records: Iterable[Record]) -> None:
        """Take many records in, without a verdict of each."""
        with localcontext(EXACT):
            for record in records:
                if isinstance(record, ModelCall):
                    self._take(record)
                else:
                    self._keep(record)

    def _keep(self, record: ToolCall | AgentRun | TaskRecord) -> None:
        self._looks.clear()
        if isinstance(record, ToolCall):
            _keep(self._tools, record)
        elif isinstance(record, AgentRun):
            _keep(self._runs, record)
        else:
            _keep(self._tasks, record)

    def account(
        self, now_ns: int | None = None, task_id: str | None = None, detail: Detail = "all"
    ) -> TaskAccount:
        """The account of the root task, or of one child task with its own children.

        Units: ``now_ns`` is the current time, for the wall time of a task that is still open.
        """
        look = self._looks.get(task_id)
        found = None if look is None else look.at(now_ns)
        if found is None:
            with localcontext(EXACT):
                found = state_account(self._folded(), now_ns, task_id, detail)
                found = self._qualified(found, task_id)
            if detail == "all" and len(self._calls) + len(self._tools) >= WORTH_KEEPING:
                self._looks[task_id] = Look(found, now_ns, self._last_end_ns())
        return found

    def _last_end_ns(self) -> int:
        records: Iterable[Timed] = chain(
            self._calls.values(), self._tools.values(), self._runs.values(), self._tasks.values()
        )
        return max((end_of(record) or 0 for record in records), default=0)

    def note(self, known: Gap | Settled | Later) -> None:
        """Take in what is known beside the records: what is missing, and what was told of them later."""
        self._looks.clear()
        if isinstance(known, Gap):
            self._gaps.add(known)
        elif isinstance(known, EngineReport):
            self._note_report(known)
        elif isinstance(known, TaskOutcome):
            self._outcomes[known.task_id].add(known)
        else:
            self._settled[known.task_id] = known

    def _note_report(self, report: EngineReport) -> None:
        reports = self._reports[report.call_id]
        if report not in reports:
            reports.append(report)
            self._stale = self._stale or report.call_id in self._calls

    def _qualified(self, account: TaskAccount, task_id: str | None) -> TaskAccount:
        if task_id is None:
            account = with_gaps(account, self._gaps)
            settled = self._settled.get(account.task.id)
            if settled is None:
                return account
            if self._reports:
                settled = without_engines(settled)
            return compared(account, settled, bool(self._gaps))
        within = with_children(task_id, self._tasks)
        return with_gaps(account, (gap for gap in self._gaps if gap.task_id in within))

    def parts(
        self, group: Callable[[ModelCall], str | None], detail: Detail = "all"
    ) -> dict[str, TaskAccount]:
        """The account of each group of calls, in the order of their first calls.

        Causes and claims are those of the whole ledger; every call of a group lies in its account, and a
        call whose group is ``None`` in none. A group named like a task of the ledger bears its record.
        """
        with localcontext(EXACT):
            folded = self._folded()
            groups: dict[str, list[CallFacts]] = {}
            for facts in folded.seen.calls:
                name = group(facts.call)
                if name is not None:
                    groups.setdefault(name, []).append(facts)
            # What is missing may belong to any of them.
            return {
                name: with_gaps(state_part(folded, calls, name, detail), self._gaps)
                for name, calls in groups.items()
            }

    def _new_fold(self) -> Fold:
        cold = Cold(self._contexts) if self._packs else None
        return Fold(self._prices, self._contexts, cold)

    def rest(self) -> None:
        """The task is over, and what was asked for is told: hold it in little room."""
        self._fold.rest()

    def _folded(self) -> Folded:
        if self._stale:
            self._fold_again()
        self._fold.asked()
        seen = settle(
            self._fold, self._tools, self._tasks, self._runs, self._prices, self._policies
        )
        clashes = frozenset(self._clashes)
        tasks = self._tasks
        if self._outcomes:
            tasks = {id: judged(task, self._outcomes.get(id, ())) for id, task in tasks.items()}
        return Folded(seen, self._runs, tasks, clashes, self._prices.version)

    def verdict(self, call_id: str) -> CallVerdict | None:
        """What the ledger now says of one call; ``None`` for a call it does not know."""
        with localcontext(EXACT):
            if self._stale:
                self._fold_again()
            found = (facts for facts in self._fold.calls if facts.key[1] == call_id)
            return next((verdict_of(facts) for facts in found), None)

    @property
    def calls(self) -> int:
        """How many model calls it holds."""
        return len(self._calls)

    @property
    def tasks(self) -> tuple[TaskRecord, ...]:
        """The root task and its child tasks, as far as they are known."""
        return tuple(self._tasks.values())

    @property
    def spent_usd(self) -> Decimal:
        """The known total so far. It does not depend on the order of arrival and costs nothing to ask."""
        return self._fold.spent_usd

    def _take(self, call: ModelCall) -> CallFacts | None:
        """Fold a call; ``None`` where its id is known and nothing or everything has to be folded."""
        self._looks.clear()
        known = self._calls.get(call.id)
        if known is not None:
            if known != call:
                self._clashes.add(call.id)
                self._calls.put(max(known, call, key=_fuller))
                self._begin_again()
            return None
        self._calls.put(call)
        key = (call.sent_at_ns, call.id)
        if call.id in self._contexts.missing or (self._last is not None and key < self._last):
            self._stale = True
        if self._last is None or key > self._last:
            self._last = key
        return self._fold_one(call)

    def _fold_one(self, call: ModelCall) -> CallFacts:
        facts = self._fold.take(self._told(call) if self._reports else call)
        self._calls.folded(call, facts)
        return facts

    def _told(self, call: ModelCall) -> ModelCall:
        return with_reports(call, self._reports[call.id]) if call.id in self._reports else call

    def _begin_again(self) -> None:
        self._calls.unfold()
        self._contexts = Contexts(self._calls)
        self._stale = True

    def _fold_again(self) -> None:
        if self._contexts.missing:
            self._begin_again()
        self._fold = self._new_fold()
        for call in sorted(self._calls.values(), key=lambda call: (call.sent_at_ns, call.id)):
            self._fold_one(call)
        self._stale = False


def _keep(shelf: dict[str, R], record: R) -> None:
    known = shelf.get(record.id)
    shelf[record.id] = record if known is None else max(known, record, key=_fuller)


def _fuller(record: Record) -> tuple[int, int, str]:
    """Of two records with one id the one that ended, or was changed, later holds; else by their text."""
    ended = -1 if record.duration_ns is None else record.duration_ns
    return ended, record.revision if isinstance(record, TaskRecord) else 0, repr(record)


def refold(told: Iterable[Told], prices: Prices, policies: Policies = NO_POLICIES) -> Ledger:
    """The ledger of these records: the same as one that was given them live, in any order."""
    ledger = Ledger(prices, policies)
    records: list[Record] = []
    for one in told:
        if isinstance(one, Gap | Settled | Later):
            ledger.note(one)
        else:
            records.append(one)
    ledger.add_all(_in_order(records))
    return ledger


def _in_order(records: Sequence[Record]) -> list[Record]:
    return sorted(records, key=lambda record: (_started(record), record.id))


def _started(record: Record) -> int:
    return record.sent_at_ns if isinstance(record, ModelCall) else record.started_at_ns
