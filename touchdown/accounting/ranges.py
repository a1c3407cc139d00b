"""Ranges of token positions in one context: half open, sorted, disjoint."""

from collections.abc import Iterable, Sequence

Range = tuple[int, int]
"""First token and the token behind the last."""


def clip(ranges: Iterable[Range], start: int, end: int) -> tuple[Range, ...]:
    """What of ``ranges`` lies in [start, end)."""
    cut: list[Range] = []
    for first, last in ranges:
        first = first if first > start else start
        last = last if last < end else end
        if first < last:
            cut.append((first, last))
    return tuple(cut)


def overlap(ranges: Iterable[Range], start: int, end: int) -> int:
    """How many tokens of ``ranges`` lie in [start, end)."""
    tokens = 0
    for first, last in ranges:
        first = first if first > start else start
        last = last if last < end else end
        if first < last:
            tokens += last - first
    return tokens


def count(ranges: Iterable[Range]) -> int:
    """How many tokens there are."""
    return sum(last - first for first, last in ranges)


def without(wanted: Range, taken: Sequence[Range]) -> tuple[Range, ...]:
    """What of ``wanted`` is in none of ``taken``."""
    left: list[Range] = []
    position, end = wanted
    for first, last in clip(sorted(taken), position, end):
        if first > position:
            left.append((position, first))
        position = max(position, last)
    if position < end:
        left.append((position, end))
    return tuple(left)


def joined(ranges: Iterable[Range]) -> tuple[Range, ...]:
    """The same tokens with touching and overlapping ranges made one."""
    merged: list[Range] = []
    for first, last in sorted(ranges):
        if first == last:
            continue
        if merged and first <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return tuple(merged)
