"""What a run came to: the bill of its task from the records of all its processes, and what was not seen."""

from collections import Counter
from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from touchdown.accounting.account import TaskAccount
from touchdown.accounting.ledger import refold
from touchdown.cli.running.command import shut_out_by
from touchdown.live.journal import Journal, JournalError, read_journal
from touchdown.live.run_folder import Note, Run, RunFolder
from touchdown.live.started import read_starts, unfinished
from touchdown.prices.book import PriceBook
from touchdown.records import Kept, TaskRecord
from touchdown.report.model import Report
from touchdown.runtime.identity import now_ns

NO_PYTHON = (
    "no Python was entered: the command starts none, or only with -I, -E or -S, or with a PYTHONPATH"
    " of its own"
)
NO_SDK = "Python was entered, but imported neither openai nor anthropic, nor an integration's host"
NO_CALL = (
    "an SDK was imported, but no call of a captured kind was made (the README lists the kinds)"
)
OFF = "TOUCHDOWN_DISABLED is set"


class Outcome(Struct, frozen=True):
    """The account of the run, those of the tasks inside it, and what to say beside them."""

    account: TaskAccount
    inside: tuple[TaskAccount, ...]
    remarks: tuple[str, ...]

    @property
    def saw_something(self) -> bool:
        """Whether there is anything to print a receipt of."""
        return bool(self.account.model_calls or self.account.tool_calls or self.inside)

    def report(self) -> Report:
        """The envelope ``touchdown.report/1``: the run first, then the tasks inside it."""
        from touchdown.report.build import build_report, summary_of

        return build_report([self.account, *self.inside], summary_of(self.account))


def settle_run(folder: RunFolder, run: Run, command: Sequence[str], code: int) -> Outcome:
    """Fold the records of all processes into the bill of the run, and close its task."""
    ended_ns = now_ns()
    records, torn = _read(folder)
    starts = [start for path in folder.starts() for start in read_starts(path)]
    cut_off = unfinished(starts, records, ended_ns)
    root = _closed(run, records, code, ended_ns)
    if run.journal:
        journal = Journal(run.journal)
        for call in cut_off:
            journal.write(call)
        journal.write(root)
        journal.close()
    ledger = refold([*records, *cut_off, root], PriceBook.configured(tuple(folder.prices())))
    account = ledger.account()
    tasks = {r.id: r for r in records if isinstance(r, TaskRecord) and r.id != run.task_id}
    inside = sorted(tasks.values(), key=lambda task: (task.started_at_ns, task.id))
    remarks = (*_not_seen(account, folder.notes(), command), *torn)
    return Outcome(
        account, tuple(ledger.account(ended_ns, task_id=task.id) for task in inside), remarks
    )


def _read(folder: RunFolder) -> tuple[list[Kept], list[str]]:
    records: list[Kept] = []
    torn: list[str] = []
    for path in folder.journals():
        try:
            records.extend(read_journal(path))
        except (OSError, JournalError) as error:
            torn.append(f"records were lost, so the figures are lower bounds: {error}")
    return records, torn


def _closed(run: Run, records: Sequence[Kept], code: int, ended_ns: int) -> TaskRecord:
    """The run's task with its end, and with the outcome that the program gave it, if it did."""
    told = [r for r in records if isinstance(r, TaskRecord) and r.id == run.task_id]
    decided = [r for r in told if r.outcome != "unknown" or r.score is not None]
    return replace(
        (decided or [run.task])[-1],
        duration_ns=max(0, ended_ns - run.started_at_ns),
        error_type=how_it_ended(code) if code else None,
    )


def how_it_ended(code: int) -> str:
    """The exit code or the signal, in words."""
    if code >= 0:
        return f"exit code {code}"
    import signal

    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


def _not_seen(account: TaskAccount, notes: Sequence[Note], command: Sequence[str]) -> list[str]:
    failures = Counter((note.python, note.reason) for note in notes if note.state == "failed")
    remarks = [
        f"{python}: {reason}" + (f", in {times} processes" if times > 1 else "")
        for (python, reason), times in failures.items()
    ]
    shut_out = shut_out_by(command)
    if shut_out:
        remarks.append(f"{shut_out} keeps touchdown out: run the command without that option")
    if account.model_calls:
        return remarks
    return remarks or [_why_nothing({note.state for note in notes})]


def _why_nothing(states: set[str]) -> str:
    if "off" in states:
        return OFF
    if "armed" in states:
        return NO_CALL
    return NO_SDK if "entered" in states else NO_PYTHON
