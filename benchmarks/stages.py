"""What is done for a call behind the queue, one stage after the other, for many calls at a time.

The worker is kept out meanwhile: a stage is measured in the thread that asks, with nothing beside it.
"""

from collections.abc import Callable
from typing import Any

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

from touchdown.runtime import core
from touchdown.runtime.call import CallObservation
from touchdown.telemetry.own_span import OwnSpan
from touchdown.telemetry.wire import encode_request

Step = Callable[[], object]


def stages(call: Callable[[], object], calls: int) -> dict[str, Step]:
    """Makes these calls; the steps of what is left to do for them, to be taken once and in order."""
    runtime = core.active()
    assert runtime is not None
    queue = runtime.delivery
    runtime.drain()
    with queue._lock:
        for _ in range(calls):
            call()
        items: list[Any] = [one for one in queue._items if isinstance(one, CallObservation)]
        queue._items.clear()
    assert len(items) == calls, f"{len(items)} of {calls} calls"
    return _Behind(runtime, items).steps()


class _Behind:
    def __init__(self, runtime: core.Runtime, items: list[Any]) -> None:
        self._accountant: Any = runtime.accountant
        self._items = items
        self._ended: list[Any] = []
        span = items[0]._opened[0].span
        self._tracer: Any = span._tracer if isinstance(span, OwnSpan) else None

    def steps(self) -> dict[str, Step]:
        return {
            "read": self._read,
            "journal": self._write,
            "fold": self._fold,
            "span": self._show,
            "budget": self._settle,
            **(
                {"request": lambda: encode_request(self._ended)}
                if self._tracer is not None
                else {
                    "encode": lambda: encode_request(self._spans),
                    "encode by the SDK": lambda: encode_spans(self._spans).SerializeToString(),
                }
            ),
        }

    def _read(self) -> None:
        self._records = [item.record() for item in self._items]

    def _write(self) -> None:
        for journal in self._accountant._journals:
            for record in self._records:
                journal.write(record)

    def _fold(self) -> None:
        books = self._accountant.books
        self._verdicts = [books.fold(record) for record in self._records]

    def _show(self) -> None:
        if self._tracer is None:
            self._close()
            return
        # A span of our own is encoded when it ends; here it waits for nobody.
        queue, self._tracer._on_end = self._tracer._on_end, self._ended.append
        self._close()
        self._tracer._on_end = queue

    def _close(self) -> None:
        for item, record, verdict in zip(self._items, self._records, self._verdicts, strict=True):
            for handle in item._opened:
                handle.close(record, verdict)

    def _settle(self) -> None:
        for item, record, verdict in zip(self._items, self._records, self._verdicts, strict=True):
            if item._admission is not None:
                item._admission.settle(record, verdict)

    @property
    def _spans(self) -> list[Any]:
        return [item._opened[0].span._readable_span() for item in self._items]
