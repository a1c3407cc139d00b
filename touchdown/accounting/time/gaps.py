"""Gaps: an agent's own time between what it waited for."""

from touchdown.accounting.time.accounts import (
    AGENT,
    HUMAN,
    OVERHEAD,
    TOOLS,
    Account,
    Part,
    taken_in_turn,
)
from touchdown.accounting.time.path import Piece
from touchdown.records import Mark, ModelCall

UNSEEN = Account("unexplained", "between calls, nothing was seen")
IDLE = Account("unexplained", "the agent's thread was idle, for what is not seen")

AWAITED = {"human": HUMAN, "tools": TOOLS}


def gap_parts(piece: Piece) -> tuple[Part, ...]:
    """The accounts of a piece of an agent's or a task's own time.

    Where its source tells what was waited for, that; where the thread's marks on both sides are known, the
    CPU time that is this task's is the agent's code; the garbage collector's is overhead, and so is as long
    as others kept its event loop busy.
    """
    told = _told(piece)
    if told is not None:
        return ((told, piece.length_ns),)
    begun, ended = _marks(piece)
    if begun is None or ended is None or begun.thread != ended.thread:
        return ((UNSEEN, piece.length_ns),)
    collecting = max(ended.collecting_ns - begun.collecting_ns, 0)
    own = max(ended.cpu_ns - begun.cpu_ns, 0)
    others = max(ended.late_ns - begun.late_ns, 0)
    if not (collecting or others) and 0 < own < piece.length_ns:
        return (AGENT, own), (IDLE, piece.length_ns - own)  # as nearly all are
    claims = [(OVERHEAD, collecting), (AGENT, own), (OVERHEAD, others)]
    return taken_in_turn(piece.length_ns, claims, IDLE)


def _told(piece: Piece) -> Account | None:
    """What was waited for between two children, as the first call of the later one tells."""
    at = piece.after
    if piece.before is None:
        return None
    while at is not None and not isinstance(at.record, ModelCall):
        at = min(at.children, key=lambda child: (child.start_ns, child.id), default=None)
    return AWAITED.get(at.record.awaited) if at and isinstance(at.record, ModelCall) else None


def _marks(piece: Piece) -> tuple[Mark | None, Mark | None]:
    before, after, owner = piece.before, piece.after, piece.owner
    began = before.record.ended if before and before.record else None
    if before is None and owner.record is not None:
        began = owner.record.begun
    ends = after.record.begun if after and after.record else None
    if after is None and owner.record is not None:
        ends = owner.record.ended
    return began, ends
