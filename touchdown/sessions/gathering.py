"""Gathering: the answers of all sources as they come, held as sums and short accounts."""

from collections import Counter
from collections.abc import Iterable, Mapping

from msgspec import Struct, field
from msgspec.structs import replace

from touchdown.accounting.account import Comparison, TaskAccount
from touchdown.accounting.merging import add_accounts
from touchdown.records import TaskRecord
from touchdown.sessions.outcomes import OutcomeRow
from touchdown.sessions.question import Answer, Answered, Question
from touchdown.sessions.source import Problem
from touchdown.sessions.views import windows

NO_PROJECT = "(no project)"


class Gathered(Struct):
    """What all sources answered together. ``sizes`` says how many sessions lie in each group."""

    question: Question
    accounts: list[TaskAccount] = field(default_factory=list)
    groups: dict[str, TaskAccount] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    comparisons: list[Comparison] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    notes: dict[str, int] = field(default_factory=dict)
    sessions: int = 0
    first_ns: int | None = None
    last_ns: int | None = None
    """When the first and the last of all calls were sent."""
    _hours: list[frozenset[str]] = field(default_factory=list)
    _judged: set[str] = field(default_factory=set)

    def take(self, answered: Answered) -> None:
        """Add what one source answers."""
        self.problems += answered.problems
        for answer in answered.answers:
            self.sessions += 1
            self.accounts += answer.accounts
            self._group(answer)
            self._judged |= answer.judged_by
            self._note_times(answer)
            if self.question.view == "5h":
                self._hours.append(frozenset(answer.groups))
            if answer.comparison is not None:
                self.comparisons.append(answer.comparison)
            for note in answer.notes:
                self.notes[note] = self.notes.get(note, 0) + 1

    def _note_times(self, answer: Answer) -> None:
        if answer.first_ns is not None and answer.last_ns is not None:
            firsts, lasts = (self.first_ns, answer.first_ns), (self.last_ns, answer.last_ns)
            self.first_ns = min(ns for ns in firsts if ns is not None)
            self.last_ns = max(ns for ns in lasts if ns is not None)

    def _group(self, answer: Answer) -> None:
        groups: Mapping[str, TaskAccount] = answer.groups
        if self.question.view == "project":
            groups = _by_project(answer)
        for name, account in groups.items():
            known = self.groups.get(name)
            self.groups[name] = account if known is None else add_accounts(known, account)
            self.sizes[name] = self.sizes.get(name, 0) + 1

    def settle(self, rows: Iterable[OutcomeRow] = ()) -> None:
        """Everything was taken: make windows of hours, and put outcomes without a session beside."""
        if self.question.view == "5h":
            self._make_windows()
        self.accounts += [row.account() for row in rows if not self._judged & {row.id, row.name}]

    def _make_windows(self) -> None:
        hours, self.groups = self.groups, {}
        names = windows(list(hours), self.question.zone)
        self.sizes = Counter(
            window for found in self._hours for window in {names[hour] for hour in found}
        )
        for hour, window in names.items():
            account = replace(hours[hour], task=_task(window, hours[hour]))
            known = self.groups.get(window)
            self.groups[window] = account if known is None else add_accounts(known, account)


def _by_project(answer: Answer) -> dict[str, TaskAccount]:
    name = answer.project or NO_PROJECT
    groups: dict[str, TaskAccount] = {}
    for account in answer.accounts:
        own = replace(account, task=_task(name, account))
        groups[name] = add_accounts(groups[name], own) if name in groups else own
    return groups


def _task(name: str, account: TaskAccount) -> TaskRecord:
    return TaskRecord(name, name, account.task.started_at_ns)
