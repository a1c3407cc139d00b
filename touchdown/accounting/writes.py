"""Cache writes: which of the tokens that a call wrote were read by a later one before they died."""

from collections import defaultdict
from heapq import heapify, heappop, heappush
from operator import itemgetter

from touchdown.accounting.facts import CacheWrite, CallFacts, WrittenPart
from touchdown.accounting.pricing import Bill, written_lives

MOST_OPEN = 4_096
"""About so many writes per route are waited for; of older ones it stays unknown whether they were read."""

DROPPED = 512
"""So many are let go of at once."""

Waiting = tuple[int, tuple[int, str], CallFacts]
"""Up to which token a write was read, its call's place in the order of folding, and the call."""


class Writes:
    """The calls whose writes may still be read, by route: the least read of them first."""

    def __init__(self) -> None:
        self._open: defaultdict[tuple[str, str, str], list[Waiting]] = defaultdict(list)

    def note(self, facts: CallFacts) -> None:
        """What this call read of earlier writes, and what it wrote itself."""
        waiting, read = self._open[facts.route], facts.call.usage.cache_read or 0
        looked_at: list[Waiting] = []
        # A write that was read as far as this call reads, or further, has nothing to learn from it.
        while waiting and waiting[0][0] < read:
            _, key, writer = heappop(waiting)
            if _stays_open(writer, facts) and writer.write is not None:
                looked_at.append((writer.write.read_until, key, writer))
        for entry in looked_at:
            heappush(waiting, entry)
        if facts.call.usage.cache_write:
            facts.write = _write_of(facts)
            if facts.write is not None:
                heappush(waiting, (facts.write.read_until, facts.key, facts))
                if len(waiting) > MOST_OPEN + DROPPED:
                    _drop_oldest(waiting)


def _drop_oldest(waiting: list[Waiting]) -> None:
    waiting.sort(key=itemgetter(1))
    del waiting[: len(waiting) - MOST_OPEN]
    heapify(waiting)


def _write_of(facts: CallFacts) -> CacheWrite | None:
    usage, context = facts.call.usage, facts.context
    if context is None or facts.shares is None or facts.is_hidden:
        return None
    if not isinstance(facts.bill, Bill) or not context.length or not facts.answered:
        return None
    lives = facts.rule.lives if facts.rule is not None else {}
    parts: list[WrittenPart] = []
    position = usage.cache_read or 0
    for life, tokens in written_lives(usage):
        if tokens:
            known = lives.get(life)
            parts.append(WrittenPart(position, position + tokens, known.max_s if known else None))
            position += tokens
    if not parts:
        return None
    written_ns = facts.call.ended_at_ns if facts.clock_is_sound else None
    return CacheWrite(tuple(parts), parts[0].start, written_ns)


def _stays_open(writer: CallFacts, facts: CallFacts) -> bool:
    """Note what ``facts`` read of a write; false once nothing more can be read of it."""
    write = writer.write
    if write is None or (write.dies_ns is not None and facts.call.sent_at_ns > write.dies_ns):
        return False
    was, shares = writer.context, writer.shares
    if was is None or shares is None:
        return False
    read, now = facts.call.usage.cache_read or 0, facts.context
    if read <= write.read_until or facts.key < writer.key:
        return True
    if now is None or facts.is_hidden:
        # It read something that cannot be seen: this may have been it.
        writer.write = None
        return False
    at = shares.at(write.parts[0].start)
    if at >= now.length or now.trunk.prefixes[at] != was.trunk.prefixes[at]:
        return True
    common = now.common(was)
    write.read_until = max(write.read_until, min(read, shares.end(common), write.end))
    tolerance = writer.rule.tolerance if writer.rule is not None else 0
    if write.end - write.read_until > shares.error(common) + tolerance:
        return True
    writer.write = None
    return False
