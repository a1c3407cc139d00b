"""All feeds of one host's cache events: those of its workers, and of each worker those of its ranks."""

import re

from touchdown.engines.kv.feed import NOT_HEARD, KvFeed
from touchdown.engines.kv.log import Again

BETWEEN = ";"
"""Stands between the addresses of several workers."""

MOST_RANKS = 64
PORT = re.compile(r"(?<=:)\d+$")


class KvFeeds:
    """Each has a cache, and so a log, of its own: what one evicted another one may hold."""

    def __init__(self, named: str) -> None:
        self._named = [one.strip() for one in named.split(BETWEEN) if one.strip()]
        self._ranks = 1
        self._awake = False
        self.all = tuple(KvFeed(one) for one in self._named)

    @property
    def problem(self) -> str:
        """What keeps events from being read; a rank that had nothing to tell yet is none of it."""
        found = dict.fromkeys(feed.problem for feed in self.all)
        if len(found) > 1:
            found.pop(NOT_HEARD, None)
        return "; ".join(filter(None, found))

    def spread(self, ranks: int) -> None:
        """Each worker has so many ranks: rank r publishes at its port + r."""
        ranks = min(ranks, MOST_RANKS)
        if ranks <= self._ranks:
            return
        found = [
            KvFeed(of_rank(one, rank))
            for one in self._named
            for rank in range(self._ranks, ranks)
            if PORT.search(one)
        ]
        self._ranks, self.all = ranks, (*self.all, *found)
        if self._awake:
            self.wake()

    def computed_again(self, began_ns: int, ended_ns: int) -> list[Again]:
        """What was stored once more between these moments, in whichever cache."""
        return [one for feed in self.all for one in feed.log.computed_again(began_ns, ended_ns)]

    def wake(self) -> None:
        """Listen from here on, while touchdown is active."""
        self._awake = True
        for feed in self.all:
            feed.wake()

    def stop(self) -> None:
        """Listen no more."""
        self._awake = False
        for feed in self.all:
            feed.stop()

    def after_fork(self) -> None:
        """The threads and their sockets are the parent's."""
        for feed in self.all:
            feed.after_fork()


def of_rank(addresses: str, rank: int) -> str:
    """The publisher of a rank, and its replay socket where one is named, as vLLM and SGLang place them."""
    return ",".join(
        PORT.sub(lambda port: str(int(port[0]) + rank), one.strip()) for one in addresses.split(",")
    )
