"""Collecting inside the process: engines export to it, and what they say joins its own model calls."""

import math
import os
import time
from collections import deque
from collections.abc import Collection, Iterable
from pathlib import Path

from touchdown.collect.limits import MIB, Limits
from touchdown.collect.receiver import Receiver
from touchdown.records import Kept, ModelCall
from touchdown.runtime import core
from touchdown.runtime.guard import warn_once
from touchdown.runtime.reported import Reported
from touchdown.telemetry.serving.joining import Joiner
from touchdown.telemetry.span import SpanView

LIMITS = Limits(request_bytes=16 * MIB, waiting_bytes=32 * MIB, connections=64)
"""Less than the command's: this is the host's memory."""
MOST_CALLS = 10_000
"""Calls that ended since spans were last looked at; older ones are not joined."""
_NOWHERE = Path(os.devnull)


class Collector:
    """Joins what engines export to the calls that the accountant folds. A taken port raises nothing."""

    def __init__(self, runtime: core.Runtime, port: int, *, quiet: bool = False) -> None:
        self._runtime = runtime
        self._joiner = Joiner()
        self._calls: deque[ModelCall] = deque(maxlen=MOST_CALLS)
        self._receiver: Receiver | None = None
        self._problem = ""
        self.late = 0
        """What engines told of tasks whose ledger was no longer held."""
        try:
            receiver = Receiver(self, http_port=port, limits=LIMITS)
            receiver.start()
            self._receiver = receiver
        except (OSError, OverflowError, RuntimeError) as error:
            why = getattr(error, "strerror", None) or str(error)
            self._problem = f"cannot collect at port {port} of this machine: {why}"
            if not quiet:
                warn_once("collect", "touchdown: %s; calls go on without it", self._problem)

    @property
    def endpoint(self) -> str:
        """Where engines export to: ``OTEL_EXPORTER_OTLP_ENDPOINT``; empty when it could not begin."""
        return "" if self._receiver is None else self._receiver.endpoint

    @property
    def problem(self) -> str:
        """Why it could not begin; empty when it did."""
        return self._problem

    @property
    def counts(self) -> dict[str, int]:
        """What came, what was refused, and what became of the engines' requests."""
        received = {} if self._receiver is None else self._receiver.counts.snapshot()
        return {**received, **self._joiner.counts, **({"too late": self.late} if self.late else {})}

    # -- as a reader ---------------------------------------------------------------------------------

    def take(self, spans: Iterable[SpanView], now_s: float) -> None:
        """Spans of engines; others are of other programs, which are no tasks of this process."""
        for span in spans:
            self._joiner.span(span, now_s)
        self.tick(now_s)

    def tick(self, now_s: float) -> None:
        """Join what can be joined by now."""
        while self._calls:
            self._joiner.call(self._calls.popleft(), now_s)
        for report in self._joiner.joined(now_s):
            self._runtime.delivery.put(Reported(self._runtime, report, self.miss))

    def miss(self) -> None:
        """A ledger is no longer held, or the queue was full: a call is as if no engine had spoken of it."""
        self.late += 1

    def show(self, call: ModelCall) -> None:
        """A call of this process, or of one below it."""
        if self._receiver is not None:
            self._calls.append(call)

    # -- as part of the runtime ------------------------------------------------------------------------

    def drain(self) -> None:
        """Tell of all that has come so far."""
        if self._receiver is not None:
            self._receiver.drain(time.monotonic())

    def close(self, timeout_s: float = 0.5) -> list[str]:
        """Stop listening, and read what waits."""
        receiver, self._receiver = self._receiver, None
        if receiver is None:
            return []
        lost = receiver.close(timeout_s)
        if not lost:
            self.tick(math.inf)
        return lost

    def after_fork(self) -> None:
        """In a forked child: the parent goes on listening, this process does not."""
        receiver, self._receiver = self._receiver, None
        self._joiner = Joiner()
        self._calls = deque(maxlen=MOST_CALLS)
        if receiver is not None:
            receiver.forget()
            self._problem = "the process that this one was forked from collects"


class Shown:
    """A keeper that keeps nothing: it shows a collector every call that is folded."""

    def __init__(self, collector: Collector) -> None:
        self.path, self.lost, self.keeps = _NOWHERE, 0, False
        self._collector = collector

    def write(self, record: Kept) -> None:
        """A record of this process."""
        if isinstance(record, ModelCall):
            self._collector.show(record)

    def pass_on(self, record: Kept, written: Collection[str]) -> None:
        """A record of a process below."""
        self.write(record)

    def after_fork(self) -> None:
        """The collector knows by itself."""

    def close(self) -> None:
        """Nothing is open."""
