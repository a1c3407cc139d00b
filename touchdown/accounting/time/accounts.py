"""Where a stretch of time goes: one account, or several in shares that add up to it."""

from collections.abc import Iterable
from typing import Literal, NamedTuple

from msgspec import Struct

from touchdown.context.shares import apportion


class Account(NamedTuple):
    """One account of the time ledger. ``name``: a part of work, a tax's id, or why it is unexplained."""

    group: Literal["work", "tax", "unexplained"]
    name: str


MODEL = Account("work", "model")
TOOLS = Account("work", "tools")
AGENT = Account("work", "agent")
HUMAN = Account("work", "human")
OVERHEAD = Account("tax", "runtime_overhead")

Part = tuple[Account, int]
"""An account and its nanoseconds."""


class Phase(Struct, frozen=True):
    """A stretch of time; ``parts`` add up to its length, wherever in it each of them lay."""

    start_ns: int
    end_ns: int
    parts: tuple[Part, ...]


def tax(name: str) -> Account:
    """The account of a tax."""
    return Account("tax", name)


def clipped(phases: Iterable[Phase], start_ns: int, end_ns: int) -> list[Part]:
    """What of the phases lies between two instants. Of a phase that is cut every part gives its share."""
    found: list[Part] = []
    for phase in phases:
        if start_ns <= phase.start_ns and phase.end_ns <= end_ns:
            found += phase.parts
            continue
        length = min(phase.end_ns, end_ns) - max(phase.start_ns, start_ns)
        if length <= 0:
            continue
        shared = apportion(length, [ns for _, ns in phase.parts])
        found += [(account, ns) for (account, _), ns in zip(phase.parts, shared, strict=True) if ns]
    return found


def taken_in_turn(length_ns: int, claims: Iterable[Part], rest: Account) -> tuple[Part, ...]:
    """Claims on a stretch of time, each at most what is left; ``rest`` has what none of them takes."""
    parts: list[Part] = []
    left = length_ns
    for account, ns in claims:
        taken = min(max(ns, 0), left)
        if taken:
            parts.append((account, taken))
            left -= taken
    return (*parts, (rest, left)) if left or not parts else tuple(parts)
