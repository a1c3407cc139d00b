"""Bookkeeping of what agents and engines export: spans into records, and these into ledgers."""

import math
from collections import OrderedDict
from collections.abc import Iterable

from touchdown.live.accountant import LiveAccountant
from touchdown.records import Gap, ModelCall, Record, Settled, TaskRecord, Told
from touchdown.telemetry.reading import SpanRecords, is_ours
from touchdown.telemetry.span import SpanView

QUIET_S = 10.0
"""A trace of others' spans is read when nothing came of it for so long: an exporter sends every 5 s."""
MOST_TRACES = 20_000
MOST_TASKS = 10_000


class Bookkeeper:
    """Reads spans as they come, from one thread; an accountant folds and keeps the journal."""

    def __init__(self, accountant: LiveAccountant) -> None:
        self.calls = 0
        """Model calls that were folded so far."""
        self._accountant = accountant
        self._spans = SpanRecords()
        self._latest: OrderedDict[str, float] = OrderedDict()
        """Traces with spans of others: when the latest came, longest ago first."""

    @property
    def joined(self) -> dict[str, int]:
        """Engines' requests by what became of them."""
        engines = self._spans.engines
        return {**engines.counts, **({"waiting": engines.waiting} if engines.waiting else {})}

    def take(self, spans: Iterable[SpanView], now_s: float) -> None:
        """The spans of one request."""
        for span in spans:
            record = self._spans.take(span, now_s)
            if record is not None:
                self._fold(record)
            elif not is_ours(span):
                self._latest[span.trace_id] = now_s
                self._latest.move_to_end(span.trace_id)
        self._join(now_s)

    def tick(self, now_s: float) -> None:
        """Read the traces that are whole by now, and join what waited."""
        while self._latest:
            trace_id, latest_s = next(iter(self._latest.items()))
            if now_s - latest_s < QUIET_S and len(self._latest) <= MOST_TRACES:
                break
            del self._latest[trace_id]
            for record in self._spans.of_trace(trace_id, now_s):
                self._fold(record)
        self._join(now_s)
        self._tell(self._spans.missing(MOST_TASKS))

    def finish(self) -> None:
        """Nothing more comes: read all that waits, and say what is missing."""
        for trace_id in list(self._latest):
            for record in self._spans.of_trace(trace_id):
                self._fold(record)
        self._latest.clear()
        self._join(math.inf)
        self._tell(self._spans.missing())

    def _fold(self, record: Record) -> None:
        self._accountant.fold(record)
        self.calls += isinstance(record, ModelCall)

    def _join(self, now_s: float) -> None:
        for report in self._spans.engines.joined(now_s):
            self._accountant.note(report)

    def _tell(self, told: Iterable[Told]) -> None:
        for one in told:
            if isinstance(one, Gap | Settled):
                self._accountant.note(one)
            elif isinstance(one, TaskRecord):
                self._accountant.fold(one)
