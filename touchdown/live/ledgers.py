"""The books: one ledger per root task, folded in order, and what is held of those that are closed."""

import threading
from collections import Counter, OrderedDict, defaultdict

from msgspec.structs import replace

from touchdown.accounting.account import Summary, TaskAccount
from touchdown.accounting.completeness import with_dropped
from touchdown.accounting.judging import judged
from touchdown.accounting.ledger import Ledger
from touchdown.accounting.policies import NO_POLICIES, Policies
from touchdown.accounting.summary import Tally, summarize
from touchdown.live.aged import sums_only
from touchdown.live.pools import bills, note_record
from touchdown.prices.rates import Prices
from touchdown.records import (
    CallVerdict,
    Gap,
    Later,
    ModelCall,
    Record,
    Settled,
    TaskOutcome,
    TaskRecord,
)
from touchdown.runtime.guard import warn_once
from touchdown.runtime.identity import now_ns

MAX_CLOSED, MAX_CLOSED_CALLS = 500, 2_000
"""Closed tasks whose ledger is kept for questions about parts, and their calls (packed: 0.7 KB each) in all;
older ones keep only their account."""

MAX_WHOLE = 1_000
"""Accounts kept with their agents, tools and findings (about 5 KB each); older ones keep their sums."""

MAX_ACCOUNTS = 5_000
"""Of tasks before these (about 4 KB each) only sums by name and outcome are kept, and the summary says of how
many."""

MAX_LEDGERS = 10_000
"""Open tasks beyond are settled, the oldest first, as if they had ended."""

MAX_OPEN_CALLS = 100_000
"""So are they beyond so many model calls of all open tasks, but the latest."""

MAX_CALLS = 50_000
"""Model calls of one task that are counted; further ones are only in the journal, and the task says so."""


class Ledgers:
    """Folds and answers. ``fold`` is called behind the queue, in order; questions come from any thread."""

    def __init__(self, prices: Prices, policies: Policies | None = None) -> None:
        self._prices, self._policies = prices, policies or NO_POLICIES
        self._lock = threading.RLock()
        self._ledgers: OrderedDict[str, Ledger] = OrderedDict()
        self._closed: OrderedDict[str, TaskAccount] = OrderedDict()
        self._roots: dict[str, str] = {}
        self._done: OrderedDict[str, int] = OrderedDict()
        """Closed roots whose ledger is kept, with its number of calls."""
        self._whole: OrderedDict[str, None] = OrderedDict()
        self._dropped: defaultdict[str, Counter[str]] = defaultdict(Counter)
        """By root: how many records of which task were lost."""
        self._changes: OrderedDict[str, int] = OrderedDict()
        """By root, latest last: the number of its latest change."""
        self._changed = 0
        self._earlier = Tally()
        self._calls = self._done_calls = self._lost = 0

    def fold(self, record: Record) -> CallVerdict | None:
        """Fold one record into the ledger of its root task."""
        with self._lock:
            return self._fold(record)

    def note(self, told: Later | Gap | Settled) -> bool:
        """Take in what is told of a task or a call by its id; false when no ledger knows of it."""
        with self._lock:
            root = self._roots.get(told.task_id, told.task_id)
            closed = self._closed.get(root)
            if closed is not None and isinstance(told, TaskOutcome) and root == told.task_id:
                self._closed[root] = replace(closed, task=judged(closed.task, [told]))
                return True
            ledger = self._ledgers.get(root)
            if ledger is None:
                return False
            ledger.note(told)
            self._note_change(root)
            return True

    @property
    def open_tasks(self) -> list[TaskRecord]:
        """The tasks that are not closed."""
        with self._lock:
            tasks = [task for ledger in self._ledgers.values() for task in ledger.tasks]
            return [task for task in tasks if task.duration_ns is None]

    def changed_since(self, mark: int) -> tuple[int, list[TaskAccount]]:
        """The accounts of the root tasks that changed after ``mark``, and the mark of now; 0 is all."""
        with self._lock:
            news = []
            for root, number in reversed(self._changes.items()):
                if number <= mark:
                    break
                news.append(root)
            known = [root for root in reversed(news) if root in self._ledgers]
            return self._changed, [self._account_of(root, now_ns()) for root in known]

    def _account_of(
        self, root: str, now: int | None = None, task_id: str | None = None
    ) -> TaskAccount:
        ledger = self._ledgers[root]
        account = ledger.account(now, task_id=task_id)
        if root in self._done:
            ledger.rest()
        return self._with_dropped(account, root, task_id or root)

    def _note_change(self, root: str) -> None:
        self._changed += 1
        self._changes[root] = self._changed
        self._changes.move_to_end(root)

    def _fold(self, record: Record) -> CallVerdict | None:
        root = self._root_of(record)
        verdict = self._fold_into(root, record)
        note_record(record, root, verdict)
        return verdict

    def _fold_into(self, root: str, record: Record) -> CallVerdict | None:
        if root in self._closed:
            if isinstance(record, TaskRecord) and record.id == root:
                # The ledger is let go of, but an outcome may still come.
                self._closed[root] = replace(self._closed[root], task=record)
            return None
        ledger = self._ledgers.get(root)
        if ledger is None:
            ledger = self._ledgers[root] = Ledger(self._prices, self._policies, packs=True)
            if len(self._ledgers) > MAX_LEDGERS:
                self._let_go(next(iter(self._ledgers)))
        if isinstance(record, ModelCall) and ledger.calls >= MAX_CALLS:
            warn_once(
                "accountant:calls",
                "touchdown: a task has more than %s model calls; further ones are not counted",
                f"{MAX_CALLS:,}",
            )
            self._dropped[root][record.task_id] += 1
            self._lost += 1
            return None
        before = ledger.calls
        verdict = ledger.add(record)
        self._calls += ledger.calls - before
        self._note_change(root)
        if isinstance(record, TaskRecord) and record.id == root and record.duration_ns is not None:
            self._note_closed(root)
        elif self._calls > MAX_OPEN_CALLS and len(self._ledgers) > 1:
            self._let_go(next(each for each in self._ledgers if each != root))
        return verdict

    def _root_of(self, record: Record) -> str:
        if isinstance(record, TaskRecord) and record.parent_id and record.id not in self._roots:
            self._roots[record.id] = self._roots.get(record.parent_id, record.parent_id)
        return self._roots.get(record.task_id, record.task_id)

    def _note_closed(self, root: str) -> None:
        if self._done and (last := next(reversed(self._done))) != root:
            self._ledgers[last].rest()  # what its end had to tell is told
        before, self._done[root] = self._done.get(root, 0), self._ledgers[root].calls
        self._done_calls += self._done[root] - before
        while len(self._done) > MAX_CLOSED or (
            self._done_calls > MAX_CLOSED_CALLS and len(self._done) > 1
        ):
            self._let_go(next(iter(self._done)))

    def let_rest(self, task_id: str) -> None:
        """Another process closes this task: hold its ledger no longer than that of a closed one."""
        with self._lock:
            root = self._roots.get(task_id, task_id)
            if root in self._ledgers:
                self._note_closed(root)

    def _let_go(self, root: str) -> None:
        """Keep only the account of this task; of very old ones only the sums, then nothing."""
        self._done_calls -= self._done.pop(root, 0)
        ledger = self._ledgers.pop(root)
        self._calls -= ledger.calls
        self._closed[root] = self._with_dropped(ledger.account(), root, root)
        ledger.rest()
        self._whole[root] = None
        self._dropped.pop(root, None)
        self._changes.pop(root, None)
        for task in ledger.tasks:
            self._roots.pop(task.id, None)
        if len(self._whole) > MAX_WHOLE:
            old = self._whole.popitem(last=False)[0]
            self._closed[old] = sums_only(self._closed[old])
        if len(self._closed) > MAX_ACCOUNTS:
            old, account = self._closed.popitem(last=False)
            self._whole.pop(old, None)
            self._earlier.add_earlier(account)

    def account(self, task: TaskRecord) -> TaskAccount:
        """The account so far of a task and its child tasks."""
        with self._lock:
            root = self._roots.get(task.id, task.id)
            if root in self._closed:
                return self._closed[root]
            if root not in self._ledgers:
                return TaskAccount(task=task, open=task.duration_ns is None)
            return self._account_of(root, now_ns(), task.id)

    def settled(self, task_id: str) -> TaskAccount | None:
        """The account of a task by its id; ``None`` when nothing is known of it."""
        with self._lock:
            root = self._roots.get(task_id, task_id)
            return self._account_of(root, task_id=task_id) if root in self._ledgers else None

    def accounts(self) -> list[TaskAccount]:
        """The accounts of all root tasks, oldest first."""
        with self._lock:
            now = now_ns()
            live = [self._account_of(root, now) for root in self._ledgers]
            return sorted(
                [*self._closed.values(), *live], key=lambda a: (a.task.started_at_ns, a.task.id)
            )

    def summary(self) -> Summary:
        """All root tasks so far: the cost of a useful one."""
        with self._lock:
            found = summarize(self.accounts(), earlier=self._earlier)
        return replace(found, pools=tuple(bills()))

    def note_dropped(self, task_id: str) -> None:
        """A record of this task was lost before it could be folded."""
        with self._lock:
            self._dropped[self._roots.get(task_id, task_id)][task_id] += 1
            self._lost += 1

    @property
    def lost(self) -> int:
        """Records that are in no account."""
        return self._lost

    def _with_dropped(self, account: TaskAccount, root: str, task_id: str) -> TaskAccount:
        lost = self._dropped[root] if root in self._dropped else Counter[str]()
        dropped = lost.total() if task_id == root else lost[task_id]
        return with_dropped(account, dropped) if dropped else account

    def after_fork(self) -> None:
        """In a forked child: what was folded so far is the parent's; open tasks may go on in both."""
        self._lock = threading.RLock()
        parents, self._ledgers = self._ledgers, OrderedDict()
        self._closed, self._done, self._whole = OrderedDict(), OrderedDict(), OrderedDict()
        self._dropped = defaultdict(Counter)
        self._earlier = Tally()
        self._calls = self._done_calls = self._lost = 0
        for root, ledger in parents.items():
            still = [t for t in ledger.tasks if t.duration_ns is None and not t.implicit]
            for task in still:
                self._ledgers.setdefault(root, Ledger(self._prices, self._policies)).add(task)
        self._changes = OrderedDict()
