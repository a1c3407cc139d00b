"""OpenTelemetry spans as a source: OTLP files, touchdown's own spans and those of other instrumentations."""

import gzip
import re
import zlib
from collections import Counter
from collections.abc import Iterator

from touchdown.accounting.grouping import by_root_task
from touchdown.records import TaskRecord, Told
from touchdown.sessions.source import Found, Head, Problems, Reported, Session, Source
from touchdown.telemetry import attributes as names
from touchdown.telemetry.otlp import read_spans
from touchdown.telemetry.reading import SpanRecords
from touchdown.telemetry.span import SpanView

_GZIP = b"\x1f\x8b"
_SIGNALS = re.compile(rb'"(resource_?[sS]pans|resource_?[lL]ogs)"\s*:\s*\[')
_BEFORE = re.compile(rb'[\s\[{\xef\xbb\xbf]*"(resource_?[sS]pans|resource_?[lL]ogs)"')
_PLACE = re.compile(r"(\d+): (.*)", re.DOTALL)
_LENGTH_BYTES = 4


class OtlpReader:
    """Reads OTLP JSON and protobuf: one session for each trace, or for each root task of touchdown's own."""

    name = "otlp"
    title = "OpenTelemetry spans in OTLP files, touchdown's own and others'"

    def recognise(self, head: Head) -> Found | None:
        """The first key of the JSON, or a protobuf request with a resource."""
        data = _unzipped(head.data)
        if _BEFORE.match(data) and _SIGNALS.search(data):
            return Found()
        return Found() if _is_request(data) or _is_request(data[_LENGTH_BYTES:]) else None

    def read(self, source: Source, problems: Problems) -> Iterator[Session]:
        """Twice: to see which traces belong together, and then each once all its spans are there."""
        for path in source.paths:
            try:
                yield from _sessions(path, problems)
            except OSError as error:
                problems.refused(path, error)


def _sessions(path: str, problems: Problems) -> Iterator[Session]:
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


def _unzipped(data: bytes) -> bytes:
    if not data.startswith(_GZIP):
        return data
    try:
        return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(data, 64 * 1024)
    except (gzip.BadGzipFile, zlib.error):
        return b""


def _is_request(data: bytes) -> bool:
    """Whether a protobuf request begins here: spans or logs of a resource that has an attribute."""
    for _ in range(4):  # the group, its resource, an attribute, the attribute's name
        if data[:1] != b"\x0a":
            return False
        size, data = _length(data[1:])
        if size <= 0:
            return False
    name = data[:size]
    return len(name) == size and name.isascii() and name.decode().isprintable()


def _length(data: bytes) -> tuple[int, bytes]:
    size = 0
    for index, byte in enumerate(data[:5]):
        size |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            return size, data[index + 1 :]
    return 0, b""
