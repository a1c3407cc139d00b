"""The log of one engine's cache: which blocks were evicted, and which of those were computed again."""

import threading
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator

from msgspec import Struct

from touchdown.engines.kv.events import Batch, Hash, Removed, Stored

MOST_BLOCKS = 100_000
"""Blocks in the cache, and evicted ones, are remembered up to this many: the oldest are forgotten."""

MOST_STORES = 4096


class Again(Struct, frozen=True):
    """Tokens that were in the cache, were evicted, and were computed again.

    Units: tokens; ``stored_ns`` and ``evicted_ns`` (of the last of them) nanoseconds of the steady clock.
    """

    tokens: int
    stored_ns: int
    evicted_ns: int
    session: str = ""


class CacheLog:
    """What a feed told. ``fold`` is the feed's; ``computed_again`` may be asked from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.forget()

    def forget(self) -> None:
        """What was known holds no more: events were lost, or the engine was started again."""
        with self._lock:
            self._kept: OrderedDict[Hash, None] = OrderedDict()
            self._evicted: OrderedDict[Hash, int] = OrderedDict()
            self._again: deque[Again] = deque(maxlen=MOST_STORES)

    def fold(self, batch: Batch, at_ns: int) -> None:
        """Take in the events of one step, which happened at this moment of the steady clock."""
        with self._lock:
            for event in batch.events:
                if isinstance(event, Stored):
                    self._store(event, at_ns)
                else:
                    self._evict(event, at_ns)

    def _store(self, event: Stored, at_ns: int) -> None:
        evicted = [self._evicted.pop(one, None) for one in event.hashes]
        known = [moment for moment in evicted if moment is not None]
        if known:
            tokens = len(known) * event.block_tokens
            self._again.append(Again(tokens, at_ns, max(known), event.session))
        self._kept.update(dict.fromkeys(event.hashes))
        _trim(self._kept)

    def _evict(self, event: Removed, at_ns: int) -> None:
        gone = list(self._kept) if event.hashes is None else event.hashes
        for one in gone:
            self._kept.pop(one, None)
            self._evicted[one] = at_ns
        _trim(self._evicted)

    def computed_again(self, began_ns: int, ended_ns: int) -> list[Again]:
        """What was stored once more between these moments."""
        with self._lock:
            return [one for one in self._again if began_ns <= one.stored_ns <= ended_ns]


def _trim(blocks: "OrderedDict[Hash, None] | OrderedDict[Hash, int]") -> None:
    while len(blocks) > MOST_BLOCKS:
        blocks.popitem(last=False)


def of_session(found: Iterable[Again], session: str) -> Iterator[Again]:
    """Those that an engine says were for this session."""
    return (one for one in found if one.session == session)
