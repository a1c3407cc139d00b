"""Spans that a backend does not take: what waits behind a batch is compressed, to take little room."""

import time
from collections import deque

from touchdown.telemetry.encoded import Encoded, Pack
from touchdown.telemetry.forks import in_forked_children

GROUP = 64
"""Spans that are compressed together."""

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
        self._loose: deque[Encoded] = deque()
        self._since_s: float | None = None
        self._refused = False

    def sending(self) -> None:
        """A request goes out."""
        self._since_s = time.monotonic()

    def answered(self, sent: bool) -> None:
        """It was taken, or refused."""
        self._refused = not sent
        self._since_s = None

    def note(self, span: Encoded) -> None:
        """One more waits; behind a batch of them, or a request that is stuck, the oldest are compressed."""
        loose = self._loose
        loose.append(span)
        if len(loose) < GROUP or (len(loose) < self._batch + GROUP and not self._is_stuck()):
            return
        oldest = [loose.popleft() for _ in range(GROUP)]
        group = [one for one in oldest if one.data]
        if len(group) > 1:
            Pack(group)

    def _is_stuck(self) -> bool:
        since_s = self._since_s
        return self._refused or (since_s is not None and time.monotonic() - since_s > STUCK_S)
