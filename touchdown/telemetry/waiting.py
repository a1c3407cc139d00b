"""Spans that a backend does not take: what waits behind a batch is compressed, to take little room."""

import threading
import time
from collections import deque
from collections.abc import Sequence

from touchdown.telemetry.encoded import Encoded, Pack
from touchdown.telemetry.forks import in_forked_children

GROUP = 64
"""Spans that are compressed together."""

LATE_S = 6.0
"""A span that waits longer is not sent soon: ``OTEL_BSP_SCHEDULE_DELAY`` is five seconds if unset."""

STUCK_S = 1.0
"""A request that takes longer than this is taken to be stuck."""


class Waiting:
    """The spans that are neither sent nor compressed yet. The exporter's thread says how sending goes.

    They stand in the queue of the SDK's processor all the while, which bounds and drops them one by one.
    """

    def __init__(self, batch: int) -> None:
        self._batch = batch
        self._forget()
        in_forked_children(self._forget)

    def _forget(self) -> None:
        self._packing = threading.RLock()
        self._loose: deque[tuple[float, Encoded]] = deque()
        """The spans, and when they came."""
        self._going: deque[tuple[float, Encoded]] = deque()
        """Those of the request that is under way."""
        self._since_s: float | None = None
        self._refused = False

    def sending(self, spans: Sequence[object]) -> None:
        """A request with these spans goes out."""
        self._since_s = now = time.monotonic()
        self._going = deque((now, span) for span in spans if type(span) is Encoded)

    def answered(self, sent: bool) -> None:
        """It was taken, or refused."""
        self._refused = not sent
        self._since_s = None
        self._going = deque()

    def note(self, span: Encoded) -> None:
        """One more waits; behind a batch of them, or a request that is stuck, the oldest are compressed."""
        loose = self._loose
        loose.append((time.monotonic(), span))
        if len(loose) < GROUP or (len(loose) < self._batch + GROUP and not self._is_stuck()):
            return
        with self._packing:
            _pack(_taken(loose))
            self._pack_going()

    def tend(self) -> None:
        """From time to time: compress what waits for longer than it takes when all is well."""
        loose, until = self._loose, time.monotonic() - LATE_S
        with self._packing:
            self._pack_going()
            while loose and loose[0][0] < until:
                _pack(_taken(loose))

    def _pack_going(self) -> None:
        going = self._going
        while going and self._is_stuck():
            _pack(_taken(going))

    def _is_stuck(self) -> bool:
        since_s = self._since_s
        return self._refused or (since_s is not None and time.monotonic() - since_s > STUCK_S)


def _taken(waiting: deque[tuple[float, Encoded]]) -> list[Encoded]:
    """The oldest ones, no longer among those that wait."""
    taken: list[Encoded] = []
    while waiting and len(taken) < GROUP:
        taken.append(waiting.popleft()[1])
    return taken


def _pack(spans: Sequence[Encoded]) -> None:
    group = [one for one in spans if one.is_loose]
    if len(group) > 1:
        Pack(group)
