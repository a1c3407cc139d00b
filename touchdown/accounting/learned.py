"""What a ledger learns of a model's tokens: how far estimates are off, for each kind of segment."""

from collections.abc import Sequence

from msgspec import Struct, field

from touchdown.records import Segment

UNIT = 4_000_000
"""A weight of one token: sizes are quarters of a token (a character, while nothing is learned), ratios are
millionths."""

PRIOR = 4 * 300
"""A kind's own ratio counts for as much as the model's once this much of it was counted."""
MEMORY = 4 * 50_000
"""Beyond this much what was learned first fades, so that a session may change what it reads."""

GUESSED_KINDS = frozenset({"opaque", "media", "other"})
"""Kinds whose size is a guess that has nothing to do with text: nothing is learned of them."""

SLACK = 32
"""Tokens by which the count of each segment may be off without being doubted: the marks around it."""


def plausible(tokens: int, expected: int, segments: int) -> bool:
    """Whether a count may be that of segments expected to have about so many tokens."""
    slack = SLACK * segments
    return tokens >= 0 and expected <= 2 * tokens + slack and tokens <= 2 * expected + slack


def could_be(tokens: int, weights: Sequence[int]) -> bool:
    """Whether so many tokens may be what segments of these weights have together."""
    return plausible(tokens, sum(weights) // UNIT, len(weights))


class _Counted(Struct):
    """Tokens that providers counted, and the sizes that had been estimated for them."""

    tokens: int = 0
    estimated: int = 0

    def add(self, tokens: int, estimated: int) -> None:
        self.tokens += 4 * tokens
        self.estimated += estimated
        if self.estimated > MEMORY:
            self.fade()

    def fade(self) -> None:
        while self.estimated > MEMORY:
            self.tokens //= 2
            self.estimated //= 2


class Learned(Struct):
    """Of one model: tokens counted for what was estimated, in all and by kind. Whole numbers only."""

    whole: _Counted = field(default_factory=_Counted)
    kinds: dict[str, _Counted] = field(default_factory=dict)
    _ratios: dict[str, int] = field(default_factory=dict)
    """Ratios as they stand until something more is learned."""

    def weigh(self, kinds: Sequence[str], sizes: Sequence[int]) -> list[int]:
        """About how many tokens segments of these kinds and sizes have. Units: ``UNIT`` is one token."""
        ratios, whole = self._ratios, self.whole
        for kind in set(kinds).difference(ratios):
            ratio = 1_000_000 * whole.tokens // whole.estimated if whole.estimated else 1_000_000
            own = self.kinds.get(kind)
            if own is not None:
                ratio = (PRIOR * ratio + 1_000_000 * own.tokens) // (PRIOR + own.estimated)
            ratios[kind] = ratio
        return [size * ratios[kind] for kind, size in zip(kinds, sizes, strict=True)]

    def note_whole(self, kinds: Sequence[str], sizes: Sequence[int], tokens: int) -> None:
        """A first context had so many tokens: says how far estimates are off for this model."""
        if _can_teach(kinds, sum(sizes), tokens):
            self._ratios.clear()
            self.whole.add(tokens, sum(sizes))

    def note(self, kinds: Sequence[str], sizes: Sequence[int], parts: Sequence[int]) -> None:
        """These segments were counted together and laid in these parts: each tells of its kind."""
        tokens, size = sum(parts), sum(sizes)
        if not _can_teach(kinds, size, tokens):
            return
        self._ratios.clear()
        self.whole.add(tokens, size)
        counts = self.kinds
        for kind, part, own in zip(kinds, parts, sizes, strict=True):
            count = counts.get(kind)
            if count is None:
                count = counts[kind] = _Counted()
            count.tokens += 4 * part
            count.estimated += own
            if count.estimated > MEMORY:
                count.fade()


def sizes_of(segments: Sequence[Segment]) -> list[int]:
    """The sizes of segments before anything is learned. Units: quarters of a token, or characters."""
    return [4 * one.tokens or one.chars for one in segments]


def _can_teach(kinds: Sequence[str], size: int, tokens: int) -> bool:
    """Whether tokens were counted for text, and not for far more or less of it than is seen."""
    return 0 < size <= 16 * tokens <= 16 * size and GUESSED_KINDS.isdisjoint(kinds)
