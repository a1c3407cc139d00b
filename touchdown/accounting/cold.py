"""Cold calls: those of an open ledger that later calls do not look back to are packed, some at a time."""

from collections import deque

from touchdown.accounting.contexts import Contexts
from touchdown.accounting.facts import CallFacts
from touchdown.accounting.packing import pack

HOT = 24
"""So many calls stay as they are: a call is compared with its agent's last ones."""

MOST_HOT = 4_096
"""So many where calls look back further, as those do whose history is cut again and again: twice as many each
time that they had to be unpacked."""

GROUP = 24
"""Calls that are packed together."""

FEWEST = 64
"""So many are worth it where nothing more is expected."""


class Cold:
    """The calls of one ledger by whether they are packed. They come once they are folded.

    The latest call of each agent stays as it is, and one whose cache write may still be read.
    """

    def __init__(self, contexts: Contexts) -> None:
        self._contexts = contexts
        self._hot: deque[CallFacts] = deque()
        self._latest: dict[str, CallFacts] = {}
        self._writers: list[CallFacts] = []
        self._opened: list[CallFacts] = []
        """Those that were unpacked since, to be looked at."""
        self._asked = 0
        """2: since the last ones were packed; 1: before that."""
        self._stay = HOT

    def note(self, facts: CallFacts) -> None:
        """One more call; the latest that stayed as they were are packed."""
        agent = facts.call.agent_id
        before, self._latest[agent] = self._latest.get(agent), facts
        if before is None:
            return
        self._hot.append(before)
        if len(self._hot) >= self._stay + GROUP:
            self._tidy(facts.call.sent_at_ns)

    def _tidy(self, now_ns: int) -> None:
        if self._asked > 1:
            self._asked = 1
        else:
            if not self._asked and len(self._opened) >= GROUP:
                self._stay = min(2 * self._stay, MOST_HOT)
            self._asked = 0
            self._close()
        self._set_aside(now_ns)
        while len(self._hot) >= self._stay + GROUP:
            self._pack(GROUP)

    def asked(self) -> None:
        """All were looked at: soon they may be again, so they stay open for a while."""
        self._asked = 2

    def rest(self) -> None:
        """No more calls are expected, and nobody is to look at them soon."""
        self._close()
        for calls in (self._writers, self._latest.values()):
            self._hot.extend(calls)
        self._writers.clear()
        self._latest.clear()
        if len(self._hot) >= FEWEST:
            self._pack(len(self._hot))

    def _set_aside(self, now_ns: int) -> None:
        """Whoever reads asks each open write what it was: those stay, until they are read or dead."""
        calls = [*self._writers, *self._hot]
        self._writers = [facts for facts in calls if _is_open(facts, now_ns)]
        if len(calls) > len(self._hot) or self._writers:
            self._hot = deque(facts for facts in calls if not _is_open(facts, now_ns))

    def _close(self) -> None:
        for facts in self._opened:
            if facts.pack is not None:
                facts.pack.close(facts)
        self._opened.clear()

    def _pack(self, number: int) -> None:
        calls = [self._hot.popleft() for _ in range(number)]
        for facts in calls:
            self._contexts.forget(facts.key[1])
        pack(calls, self._opened)


def _is_open(facts: CallFacts, now_ns: int) -> bool:
    write = facts.write
    return write is not None and (write.dies_ns is None or write.dies_ns >= now_ns)
