"""Outcomes that come later: how a task turned out, told by its id, from wherever that is known."""

import math
import os

from touchdown.live.journal import Journal
from touchdown.records import TaskOutcome
from touchdown.records.task import Outcome
from touchdown.runtime import core
from touchdown.runtime.guard import disabled, guarded, warn_once
from touchdown.runtime.identity import now_ns


def outcome(
    task_id: str,
    *,
    useful: bool | None = None,
    reason: str = "",
    score: float | None = None,
    journal: str | os.PathLike[str] | None = None,
) -> None:
    """Say how a task turned out, by its ``id``: from a test run, a user's thumb, another process.

    It holds over what the task said of itself, and of several words the last one does. In the process
    that runs the task its bill has it at once. Elsewhere it is written to the ``journal`` (or
    ``TOUCHDOWN_JOURNAL``) of the task, where ``touchdown analyze`` finds it. An id that nobody knows is
    said once and kept in the journal.
    Errors: ``ValueError`` for an empty id, or where neither ``useful`` nor ``score`` is given.
    """
    _check(task_id, useful, score)
    if not disabled():
        _tell(task_id, useful, str(reason), None if score is None else float(score), journal)


def _check(task_id: object, useful: object, score: object) -> None:
    if not isinstance(task_id, str) or not task_id:
        raise ValueError(f"the id of a task is a text, not {task_id!r}")
    if useful not in (None, True, False) or (useful is None and score is None):
        raise ValueError("an outcome says useful=True, useful=False, or a score")
    known = isinstance(score, (int, float)) and not isinstance(score, bool)
    if score is not None and not (known and math.isfinite(score)):  # type: ignore[arg-type]
        raise ValueError(f"a score is a number, not {score!r}")


@guarded("outcome")
def _tell(
    task_id: str,
    useful: bool | None,
    reason: str,
    score: float | None,
    journal: str | os.PathLike[str] | None,
) -> None:
    decided: Outcome | None = None if useful is None else ("useful" if useful else "useless")
    told = TaskOutcome(task_id, now_ns(), decided, reason, score)
    runtime = core.active()
    path = journal or (None if runtime else os.environ.get("TOUCHDOWN_JOURNAL"))
    if path:
        file = Journal(path)
        file.write(told)
        file.close()
    if runtime is not None:
        runtime.delivery.put(_Told(runtime, told, kept=bool(path)))
    elif not path:
        warn_once(
            "outcome:nowhere",
            "touchdown: an outcome is lost: there is neither instrument() nor a journal to keep it",
        )


class _Told:
    """An outcome on its way, behind the records of its task."""

    __slots__ = ("_kept", "_runtime", "_told")

    def __init__(self, runtime: core.Runtime, told: TaskOutcome, *, kept: bool) -> None:
        self._runtime, self._told, self._kept = runtime, told, kept

    def deliver(self) -> None:
        """Take it into the account."""
        accountant = self._runtime.accountant
        known = accountant.note(self._told)
        if known:
            return
        kept = self._kept or accountant.keeps
        warn_once(
            f"outcome:{self._told.task_id}",
            "touchdown: the outcome of %s, which is no task of this process, is %s",
            self._told.task_id,
            "kept in the journal" if kept else "lost: there is no journal",
        )

    def drop(self) -> None:
        """The queue was full."""
        self._runtime.note_dropped(self._told.task_id)
