"""How long each event of a stream was waited for: put down as it comes, packed when there are many."""

from array import array
from collections.abc import Iterable
from struct import Struct

RECENT = 128
"""So many are put down before they are packed."""

_bytes_of = Struct(f"{RECENT}q").pack


class Waits:
    """Waits in their order, in nanoseconds; 8 bytes for each, but for the recent ones.

    Append to ``recent``, and as soon as there are ``RECENT`` in it ``pack``, which gives another list.
    Read in other threads: at every moment each wait stands in one part, and in one only.
    """

    __slots__ = ("_parts", "recent")

    def __init__(self, waits: Iterable[int] = ()) -> None:
        self.recent = list(waits)
        self._parts: list[array[int] | list[int]] = [self.recent]

    def pack(self) -> list[int]:
        """Pack what is recent; where to put down what comes next."""
        self._parts[-1] = array("q", _bytes_of(*self.recent))
        recent: list[int] = []
        self.recent = recent
        self._parts.append(recent)
        return recent

    def __len__(self) -> int:
        return sum(map(len, self._parts))

    @property
    def all(self) -> "array[int]":
        """All of them."""
        found = array("q")
        for part in tuple(self._parts):
            found.extend(part)
        return found
