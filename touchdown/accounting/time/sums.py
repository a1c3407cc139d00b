"""What the pieces of a critical path come to: each one's accounts, added up as they come."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from msgspec import Struct, field

from touchdown.accounting.time.accounts import (
    AGENT,
    HUMAN,
    MODEL,
    OVERHEAD,
    TOOLS,
    Account,
    Part,
    Phase,
    clipped,
    tax,
)
from touchdown.accounting.time.gaps import gap_parts
from touchdown.accounting.time.intervals import Interval, start_of
from touchdown.accounting.time.path import Piece
from touchdown.records import ToolCall

Phases = Mapping[str, Sequence[Phase]]
"""By call."""


class Sums(Struct):
    """Nanoseconds of a path. Kept piece by piece they would be many, and the garbage collector's work."""

    total: Counter[Account] = field(default_factory=Counter)
    memos: dict[str, int | None] = field(default_factory=dict)
    """Who waited for whom, beside the accounts that it lies in."""
    own: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    """Tax to what of it lies in each agent's or task's own time."""


def add_up(path: Sequence[Piece], phases: Phases, claimed: Mapping[str, str]) -> Sums:
    """The accounts of all pieces; ``claimed`` is the tax that takes the whole of a call or a tool."""
    sums = Sums()
    calls = [piece for piece in path if piece.owner.kind == "call"]
    first, last = (calls[0].end_ns, calls[-1].start_ns) if calls else (0, 0)
    waited = held = 0
    for piece in path:
        kind = piece.owner.kind
        between = kind != "call" and first <= piece.start_ns and piece.end_ns <= last
        for account, ns in parts_of(piece, phases, claimed):
            sums.total[account] += ns
            if kind == "call":
                waited += 0 if account in (AGENT, OVERHEAD) else ns
            elif between and account.name != "human":
                held += ns
            if account.group == "tax" and kind in ("task", "agent"):
                sums.own[account.name][piece.owner.id] += ns
    if calls:
        sums.memos = {"cpu_waits_on_gpu": waited, "gpu_waits_on_cpu": held}
    return sums


def parts_of(
    piece: Piece, phases: Mapping[str, Sequence[Phase]], claimed: Mapping[str, str]
) -> Sequence[Part]:
    """The accounts of one piece of the path."""
    owner = piece.owner
    if owner.kind == "call" and owner.id in phases:
        if piece.start_ns == owner.start_ns and piece.end_ns == owner.end_ns:
            return [part for phase in phases[owner.id] for part in phase.parts]
        moved_ns = owner.start_ns - start_of(owner)
        return clipped(phases[owner.id], piece.start_ns - moved_ns, piece.end_ns - moved_ns)
    if owner.kind == "call":
        return ((MODEL, piece.length_ns),)
    if owner.kind == "tool":
        return ((account_of_tool(owner, claimed), piece.length_ns),)
    return gap_parts(piece)


def account_of_tool(tool: Interval, claimed: Mapping[str, str]) -> Account:
    """Where the time of a tool goes."""
    if isinstance(tool.record, ToolCall) and tool.record.human:
        return HUMAN
    return tax(claimed[tool.id]) if tool.id in claimed else TOOLS
