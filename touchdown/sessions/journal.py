"""touchdown's own journal as a source."""

from collections import Counter
from collections.abc import Iterator
from itertools import islice

from touchdown.live.journal import JournalError, decode_lines
from touchdown.records import Kept, Later, TaskOutcome, TaskRecord
from touchdown.sessions.lines import read_lines
from touchdown.sessions.source import Found, Head, Problems, Session, Source


class JournalReader:
    """Reads ``instrument(journal=...)`` files: one session for each root task."""

    name = "journal"
    title = "touchdown's journal"

    def recognise(self, head: Head) -> Found | None:
        """Its first line names the format; a later part of a split journal has the same lines."""
        first = next(head.each(), {})
        known = str(first.get("journal", "")).startswith("touchdown.journal/")
        return Found() if known or {"kind", "record"} == first.keys() else None

    def read(self, source: Source, problems: Problems) -> Iterator[Session]:
        """Each root task once all its records were read, so that only open ones are held."""
        for path in source.paths:
            roots = _Roots()
            for record in _records(path, Problems()):
                roots.count(record)
            held: dict[str, list[Kept]] = {}
            # A journal that is still written to may have grown since: it is read as far as it was counted.
            for record in islice(_records(path, problems), roots.total):
                root = roots.root_of(record)
                held.setdefault(root, []).append(record)
                if len(held[root]) == roots.size(root):
                    records = held.pop(root)
                    if all(isinstance(record, Later) for record in records):
                        problems.add(
                            path, f"{_said(records[0])} {root}, a task that is not in this file"
                        )
                    else:
                        yield _session(root, records, path)


class _Roots:
    """Which root task each task belongs to, and how many records each root has.

    Tasks inside one that nothing is told of stay together: a journal of several parts may have told of it in
    another one. (Spans say otherwise, ``accounting.grouping``: there each is a root itself.)
    """

    def __init__(self) -> None:
        self._parents: dict[str, str] = {}
        self._counts: Counter[str] = Counter()
        self._sizes: Counter[str] | None = None

    @property
    def total(self) -> int:
        return self._counts.total()

    def count(self, record: Kept) -> None:
        if isinstance(record, TaskRecord) and record.parent_id:
            self._parents[record.id] = record.parent_id
        self._counts[record.task_id] += 1

    def root_of(self, record: Kept) -> str:
        return self._root(record.task_id)

    def size(self, root: str) -> int:
        if self._sizes is None:
            self._sizes = Counter()
            for task, count in self._counts.items():
                self._sizes[self._root(task)] += count
        return self._sizes[root]

    def _root(self, task: str) -> str:
        seen = {task}
        while (parent := self._parents.get(task)) and parent not in seen:
            seen.add(parent)
            task = parent
        return task


def _records(path: str, problems: Problems) -> Iterator[Kept]:
    def tell(number: int, error: JournalError) -> None:
        problems.add(path, str(error), "it is left out", number)

    return decode_lines(read_lines(path, problems), tell)


def _said(later: Kept) -> str:
    return "an outcome of" if isinstance(later, TaskOutcome) else "what an engine says of a call of"


def _session(root: str, records: list[Kept], path: str) -> Session:
    tasks = [record for record in records if isinstance(record, TaskRecord) and record.id == root]
    name = tasks[-1].name if tasks else ""
    project = tasks[-1].tags.get("project", "") if tasks else ""
    return Session(root, "journal", path, records, name=name, project=project)
