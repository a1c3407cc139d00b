"""The accountant: writes records to the journals and folds them; answers for the tasks so far."""

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from touchdown.live.journal import Journal
from touchdown.live.keeper import Keeper
from touchdown.records import CallVerdict, Gap, Kept, Later, Record, Settled, TaskRecord
from touchdown.runtime.guard import failed
from touchdown.runtime.loading import loading

if TYPE_CHECKING:
    from touchdown.accounting.account import Summary, TaskAccount
    from touchdown.accounting.policies import Policies
    from touchdown.live.ledgers import Ledgers
    from touchdown.prices.rates import Prices


class LiveAccountant:
    """Journals in front, the books behind. Accounting is loaded by the first record or question."""

    def __init__(
        self, prices: "Prices", *journals: Journal, policies: "Policies | None" = None
    ) -> None:
        self._prices, self._policies = prices, policies
        self._journals: tuple[Keeper, ...] = journals
        self._raised: dict[Keeper, int] = {}
        """How often one that keeps failed with an exception."""
        self._books: Ledgers | None = None

    @property
    def books(self) -> "Ledgers":
        """The ledgers, opened by the first who asks."""
        books = self._books
        if books is None:
            with loading():
                books = self._books = self._books or self._open()
        return books

    def _open(self) -> "Ledgers":
        # Not at the top: it takes longer to load than all that a call needs in the caller's thread.
        from touchdown.live.ledgers import Ledgers

        return Ledgers(self._prices, self._policies)

    def fold(self, record: Record) -> CallVerdict | None:
        """Fold one record into the ledger of its root task, and write it to the journals."""
        self._write(record)  # first: the process may be killed while a price book loads
        return self.books.fold(record)

    def _write(self, record: Kept) -> None:
        for journal in self._journals:
            try:
                journal.write(record)
            except Exception:
                self._note_raised(journal)

    def _note_raised(self, journal: Keeper) -> None:
        """The ledger and the other journals have the record all the same."""
        failed(f"journal:{type(journal).__name__}")
        if journal.keeps:
            self._raised[journal] = self._raised.get(journal, 0) + 1

    def receive(self, record: Kept, written: Collection[str]) -> None:
        """Fold what another process told; the journals take it that it has not written itself."""
        for journal in self._journals:
            try:
                journal.pass_on(record, written)
            except Exception:
                self._note_raised(journal)
        if isinstance(record, Later):
            self.books.note(record)
        else:
            self.books.fold(record)

    def note(self, told: Later | Gap | Settled) -> bool:
        """Take in what is told of a task or a call by its id; false when no ledger knows of it (any more).

        Journals keep it, unless it only says what is missing.
        """
        if isinstance(told, Later):
            self._write(told)
        return self.books.note(told)

    def tell(self, above: Keeper, instead_of: Keeper | None = None) -> None:
        """From here on the process above is told, too."""
        kept = [journal for journal in self._journals if journal is not instead_of]
        self._journals = (*kept, above)

    @property
    def journal_files(self) -> set[str]:
        """The files that records of this process are written to."""
        return {journal.file for journal in self._journals if isinstance(journal, Journal)}

    @property
    def open_tasks(self) -> list[TaskRecord]:
        """The tasks that are not closed."""
        return [] if self._books is None else self._books.open_tasks

    @property
    def keeps(self) -> bool:
        """Whether there is a journal."""
        return any(journal.keeps for journal in self._journals)

    def changed_since(self, mark: int) -> "tuple[int, list[TaskAccount]]":
        """The accounts of the root tasks that changed after ``mark``, and the mark of now; 0 is all."""
        return (0, []) if self._books is None else self._books.changed_since(mark)

    def let_rest(self, task_id: str) -> None:
        """Another process closes this task: hold its ledger no longer than that of a closed one."""
        self.books.let_rest(task_id)

    def account(self, task: TaskRecord) -> "TaskAccount":
        """The account so far of a task and its child tasks."""
        return self.books.account(task)

    def settled(self, task_id: str) -> "TaskAccount | None":
        """The account of a task by its id; ``None`` when nothing is known of it."""
        return None if self._books is None else self._books.settled(task_id)

    def accounts(self) -> "list[TaskAccount]":
        """The accounts of all root tasks, oldest first."""
        return [] if self._books is None else self._books.accounts()

    def summary(self) -> "Summary":
        """All root tasks so far: the cost of a useful one."""
        return self.books.summary()

    def note_dropped(self, task_id: str) -> None:
        """A record of this task was lost before it could be folded."""
        self.books.note_dropped(task_id)

    def lost(self) -> dict[str, int]:
        """What was lost so far: records that are in no account, lines of journals."""
        lines = sum(lines for lines, _ in self._lost_lines())
        records = 0 if self._books is None else self._books.lost
        return {"records": records, "journal_lines": lines}

    def unwritten(self) -> list[str]:
        """What could not be written down, in a few words each."""
        lost = [(lines, path) for lines, path in self._lost_lines() if lines]
        return [f"{lines:,} lines of the journal {path}" for lines, path in lost]

    def _lost_lines(self) -> list[tuple[int, Path]]:
        return [(one.lost + self._raised.get(one, 0), one.path) for one in self._journals]

    def close(self) -> None:
        """Close the journals."""
        for journal in self._journals:
            journal.close()

    def after_fork(self) -> None:
        """In a forked child: what was folded so far is the parent's; open tasks may go on in both."""
        if self._books is not None:
            self._books.after_fork()
        for journal in self._journals:
            journal.after_fork()
