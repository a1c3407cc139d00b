"""The sessions of an OTLP file: its spans read twice, and each trace told once all its spans are there."""

import re
from collections import Counter
from collections.abc import Iterator

from touchdown.accounting.grouping import by_root_task
from touchdown.records import TaskRecord, Told
from touchdown.sessions.source import Problems, Reported, Session
from touchdown.telemetry import attributes as names
from touchdown.telemetry.otlp import read_spans
from touchdown.telemetry.reading import SpanRecords
from touchdown.telemetry.span import SpanView

_PLACE = re.compile(r"(\d+): (.*)", re.DOTALL)


def read_sessions(path: str, problems: Problems) -> Iterator[Session]:
    """Twice over the file: to see which traces belong together, and then each of them."""
    groups = _Groups()
    for span in read_spans(path, lambda _line: None):
        groups.count(span)
    held: dict[str, tuple[SpanRecords, list[Told]]] = {}

    def said(line: str) -> None:
        what = line.removeprefix(f"{path}:").strip()
        placed = _PLACE.match(what)
        if placed is None:
            problems.add(path, what, "it is left out")
        else:
            problems.add(path, placed[2], "it is left out", int(placed[1]))

    for span in read_spans(path, said):
        name = groups.of(span)
        spans, told = held.setdefault(name, (SpanRecords(), []))
        record = spans.take(span)
        if record is not None:
            told.append(record)
        if groups.seen(name):
            del held[name]
            told.extend(spans.rest())
            yield from _of_group(told, spans, path)


class _Groups:
    """Which traces one task of touchdown's joins, and how many spans each group has yet to come."""

    def __init__(self) -> None:
        self._above: dict[str, str] = {}
        self._spans: Counter[str] = Counter()
        self._left: Counter[str] | None = None

    def count(self, span: SpanView) -> None:
        self._spans[span.trace_id] += 1
        for name in (names.TASK_ID, names.TASK_PARENT_ID, names.TASK_ROOT_ID):
            task = span.attributes.get(name)
            if isinstance(task, str) and task:
                self._above.setdefault(f"task {task}", span.trace_id)
                one, other = self._top(f"task {task}"), self._top(span.trace_id)
                if one != other:
                    self._above[one] = other

    def of(self, span: SpanView) -> str:
        return self._top(span.trace_id)

    def seen(self, name: str) -> bool:
        """Note one more span of this group; whether it was the last."""
        if self._left is None:
            self._left = Counter()
            for trace_id, spans in self._spans.items():
                self._left[self._top(trace_id)] += spans
        self._left[name] -= 1
        return self._left[name] == 0

    def _top(self, name: str) -> str:
        while (above := self._above.get(name)) is not None:
            name = above
        return name


def _of_group(told: list[Told], spans: SpanRecords, path: str) -> Iterator[Session]:
    reported = spans.reported_usd
    for root, of_task in by_root_task(told).items():
        tasks = [one for one in of_task if isinstance(one, TaskRecord) and one.id == root]
        usd = reported.get(root)
        yield Session(
            root,
            "otlp",
            path,
            of_task,
            name=tasks[-1].name if tasks else "",
            project=tasks[-1].tags.get("project", "") if tasks else "",
            reported=None if usd is None else Reported(usd, said_by="the spans' own cost"),
        )
