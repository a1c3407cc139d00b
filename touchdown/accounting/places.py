"""Places: segments along the token positions that calls appending to each other share."""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate

from msgspec import Struct, field


class Places(Struct):
    """Where some segments stand along shared ends. Counting up to a position takes a bisection."""

    starts: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    before: list[int] = field(default_factory=list)
    """Tokens in earlier places."""

    @classmethod
    def along(cls, ends: Sequence[int], indices: Sequence[int]) -> "Places":
        """The places of the segments with these indices."""
        starts = [ends[index - 1] if index else 0 for index in indices]
        behind = [ends[index] for index in indices]
        tokens = [end - start for start, end in zip(starts, behind, strict=True)]
        return cls(starts, behind, [0, *accumulate(tokens[:-1])] if tokens else [])

    def add(self, start: int, end: int) -> None:
        """One more segment, behind the others."""
        total = self.before[-1] + self.ends[-1] - self.starts[-1] if self.starts else 0
        self.starts.append(start)
        self.ends.append(end)
        self.before.append(total)

    def tokens_until(self, position: int) -> int:
        """How many of their tokens lie before ``position``."""
        index = bisect_left(self.starts, position) - 1
        if index < 0:
            return 0
        return self.before[index] + min(self.ends[index], position) - self.starts[index]
