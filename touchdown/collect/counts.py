"""What a receiver has seen so far, by name; nothing that was refused or lost is silent."""

import threading
from collections import Counter


class Counts:
    """Counters that any thread may add to."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counted: Counter[str] = Counter()

    def add(self, name: str, many: int = 1) -> None:
        """Count so many more."""
        if many:
            with self._lock:
                self._counted[name] += many

    def __getitem__(self, name: str) -> int:
        return self._counted[name]

    def snapshot(self) -> dict[str, int]:
        """All that are not 0."""
        with self._lock:
            return {name: many for name, many in sorted(self._counted.items()) if many}

    def after_fork(self) -> None:
        """In a forked child: the parent's counts are the parent's."""
        self._lock = threading.Lock()
        self._counted = Counter()
