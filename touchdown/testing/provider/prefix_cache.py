"""The entries of a prompt cache, shared by all requests that a provider answers."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from msgspec import Struct, field

_PRUNE_ABOVE = 50_000


class Entry(Struct):
    """A cached prefix. Units: seconds; `used_at_s` is the last write or read."""

    life_s: float
    used_at_s: float

    def is_live(self, now_s: float) -> bool:
        """Whether the entry can still be read."""
        return now_s - self.used_at_s <= self.life_s


class CachePlan(Struct, frozen=True):
    """What one request reads from the cache, and what it will leave there once it is answered.

    `written_tokens` by name of life. `read` are the keys that the read refreshes; `stored`
    gives the life in seconds of each new entry.
    """

    input_tokens: int
    read_tokens: int = 0
    written_tokens: Mapping[str, int] = field(default_factory=dict)
    read: tuple[bytes, ...] = ()
    stored: Mapping[bytes, float] = field(default_factory=dict)

    @property
    def total_written_tokens(self) -> int:
        """Tokens written, whatever their life."""
        return sum(self.written_tokens.values())

    @property
    def uncached_tokens(self) -> int:
        """Tokens neither read nor written."""
        return self.input_tokens - self.read_tokens - self.total_written_tokens


class PrefixCache:
    """Prefix keys and their entries.

    A plan is made when a request arrives and committed when its answer begins: what is sent
    in between cannot read what the first request is about to write.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: dict[bytes, Entry] = {}

    def live(self, key: bytes, now_s: float) -> Entry | None:
        """The entry under `key`, unless it has died."""
        with self._lock:
            entry = self._entries.get(key)
            return entry if entry is not None and entry.is_live(now_s) else None

    def commit(self, plan: CachePlan, now_s: float) -> None:
        """Refresh what the plan read and store what it wrote: its answer begins."""
        with self._lock:
            for key in plan.read:
                entry = self._entries.get(key)
                if entry is not None and entry.is_live(now_s):
                    entry.used_at_s = now_s
            for key, life_s in plan.stored.items():
                self._entries[key] = Entry(life_s, now_s)
            if len(self._entries) > _PRUNE_ABOVE:
                self._entries = {
                    key: entry for key, entry in self._entries.items() if entry.is_live(now_s)
                }

    def evict(self) -> None:
        """Drop every entry, as a provider under memory pressure may."""
        with self._lock:
            self._entries.clear()
