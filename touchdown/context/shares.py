"""Token shares: which tokens of a provider's input count each segment of the context takes."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import accumulate, chain
from operator import sub

from msgspec import Struct, field

from touchdown.records.verdict import Basis

POSITION_ERROR_PERCENT = 5
SEGMENT_ERROR_PERCENT = 12
"""How far an estimated boundary may be off, in percent of its position, and in percent of what lies between
it and the last count before it; the smaller holds, and a miss below it counts as none. Basis: estimated.

Source: the 95th percentile of boundaries against four tokenizers (``tests/tokenizers``, 2026-11).
"""

POLICY = "token-starts-1"
"""Name and version of the way tokens are shared out, printed in every report."""


def apportion(total: int, weights: Sequence[int]) -> list[int]:
    """``total`` in whole parts in proportion to ``weights``: largest remainder, ties by index.

    The parts add up to ``total``. Weights that are all 0 count as equal.

    Errors: ``ValueError`` on a negative total or weight, naming it.
    """
    if len(weights) == 1 and total >= 0 and weights[0] >= 0:
        return [total]
    if total < 0 or min(weights, default=0) < 0:
        raise ValueError(f"cannot share out {total} by weights down to {min(weights, default=0)}")
    if not weights:
        if total:
            raise ValueError(f"nothing to share {total} over")
        return []
    whole = sum(weights)
    if whole == total:
        return list(weights)
    if whole == 0:
        return apportion(total, [1] * len(weights))
    parts: list[int] = []
    remainders: list[int] = []
    for weight in weights:
        part, remainder = divmod(weight * total, whole)
        parts.append(part)
        remainders.append(remainder)
    left = total - sum(parts)
    if left:
        _add_one_each(parts, remainders, left)
    return parts


def _add_one_each(parts: list[int], remainders: Sequence[int], most: int) -> None:
    """One more for the ``most`` parts with the largest remainders, of equal ones the first."""
    last = sorted(remainders)[-most]
    left = most
    for index, remainder in enumerate(remainders):
        if remainder > last:
            parts[index] += 1
            left -= 1
    index = -1
    for _ in range(left):
        index = remainders.index(last, index + 1)
        parts[index] += 1


class Shares(Struct):
    """The token positions at which the segments of one context end.

    ``ends`` may be longer than ``length``: calls that append to each other share one list.
    ``measured`` holds numbers of segments whose end is a provider's own count, or the sum of two.
    """

    ends: list[int]
    length: int
    total: int
    measured: list[int] = field(default_factory=list)

    def end(self, segments: int) -> int:
        """Tokens of the first ``segments`` segments."""
        if segments > self.length:
            segments = self.length
        return self.ends[segments - 1] if segments > 0 else 0

    def span(self, index: int) -> tuple[int, int]:
        """First token of segment ``index`` and the token behind its last."""
        if 0 < index < self.length:
            return self.ends[index - 1], self.ends[index]
        return self.end(index), self.end(index + 1)

    def tokens(self, start: int, segments: int) -> list[int]:
        """The tokens of so many segments from segment ``start`` on."""
        ends = self.ends[start : start + segments]
        return list(map(sub, ends, chain((self.end(start),), ends)))

    def at(self, token: int) -> int:
        """Index of the segment in which ``token`` lies."""
        index = bisect_right(self.ends, token, 0, self.length)
        return index if index < self.length else max(self.length - 1, 0)

    def is_measured(self, segments: int) -> bool:
        """Whether the end of the first ``segments`` segments is a provider's count."""
        if segments in (0, self.length):
            return True
        found = bisect_left(self.measured, segments)
        return found < len(self.measured) and self.measured[found] == segments

    def basis(self, index: int) -> Basis:
        """Basis of the tokens of segment ``index``: derived where they lie between two counts."""
        both = self.is_measured(index) and self.is_measured(index + 1)
        return "derived" if both else "estimated"

    def error(self, segments: int) -> int:
        """How many tokens the end of the first ``segments`` segments may be off."""
        if self.is_measured(segments):
            return 0
        before = bisect_left(self.measured, segments)
        last = self.end(self.measured[before - 1]) if before else 0
        end = self.end(segments)
        return min(end * POSITION_ERROR_PERCENT, (end - last) * SEGMENT_ERROR_PERCENT) // 100


def share_out(total: int, weights: Sequence[int]) -> Shares:
    """Shares of ``total`` tokens over all segments by weight. Basis: estimated."""
    ends = list(accumulate(apportion(total, weights)))
    return Shares(ends, len(ends), total, [len(ends)])


def left_over(before: Shares, kept: int, total: int, new: int) -> int | None:
    """Tokens of ``total`` for so many new segments behind the first ``kept`` of ``before``.

    ``None`` where the counts contradict that: nothing is left for the new segments, or nobody is to take it.
    """
    rest = total - before.end(kept)
    return rest if rest >= 0 and (rest > 0) == (new > 0) else None


def append_shares(
    before: Shares, kept: int, total: int, parts: Sequence[int], counted: int = 0
) -> Shares:
    """Shares that keep the first ``kept`` of ``before``; ``parts`` are the tokens of the new ones.

    The parts come to what is left of ``total``. Where everything before was kept, the sum of the new segments
    is derived: a difference of two counts. So is the end of the first ``counted`` of them, which have tokens
    that were counted apart.
    """
    if kept == before.length == len(before.ends):
        ends, measured = before.ends, before.measured
    else:
        ends, measured = before.ends[:kept], before.measured[: bisect_right(before.measured, kept)]
    position = ends[-1] if ends else 0
    for tokens in parts:
        position += tokens
        ends.append(position)
    length = len(ends)
    if counted and (not measured or measured[-1] < kept + counted):
        measured.append(kept + counted)
    if not measured or measured[-1] < length:
        measured.append(length)
    return Shares(ends, length, total, measured)
