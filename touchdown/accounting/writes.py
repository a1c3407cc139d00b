"""Cache writes: which of the tokens that a call wrote were read by a later one before they died."""

from collections import defaultdict

from touchdown.accounting.facts import CacheWrite, CallFacts, WrittenPart
from touchdown.accounting.pricing import Bill, written_lives

MOST_OPEN = 4_096
"""Writes per route that are waited for; of older ones it stays unknown whether they were read."""


class Writes:
    """The writes that may still be read, by route."""

    def __init__(self) -> None:
        self._open: defaultdict[tuple[str, str, str], list[CacheWrite]] = defaultdict(list)

    def note(self, facts: CallFacts) -> None:
        """What this call read of earlier writes, and what it wrote itself."""
        waiting = self._open[facts.route]
        if waiting:
            left = [write for write in waiting if _stays_open(write, facts)]
            if len(left) < len(waiting):
                waiting[:] = left
        facts.write = _write_of(facts)
        if facts.write is not None:
            waiting.append(facts.write)
            if len(waiting) > MOST_OPEN:
                del waiting[0]


def _write_of(facts: CallFacts) -> CacheWrite | None:
    usage, context, shares = facts.call.usage, facts.context, facts.shares
    if context is None or shares is None or facts.is_hidden or not usage.written_tokens:
        return None
    if not isinstance(facts.bill, Bill) or not context.length or not facts.answered:
        return None
    parts: list[WrittenPart] = []
    position = usage.cache_read or 0
    for life, tokens in written_lives(usage):
        if tokens:
            known = facts.rule.lives.get(life) if facts.rule is not None else None
            parts.append(WrittenPart(position, position + tokens, known.max_s if known else None))
            position += tokens
    return CacheWrite(
        key=facts.key,
        context=context,
        shares=shares,
        tolerance=facts.rule.tolerance if facts.rule is not None else 0,
        written_ns=facts.call.ended_at_ns if facts.clock_is_sound else None,
        parts=tuple(parts),
        segment=shares.at(parts[0].start),
        read_until=parts[0].start,
    )


def _stays_open(write: CacheWrite, facts: CallFacts) -> bool:
    """Note what ``facts`` read of ``write``; false once nothing more can be read of it."""
    if write.dies_ns is not None and facts.call.sent_at_ns > write.dies_ns:
        return False
    read = facts.call.usage.cache_read or 0
    if read <= write.read_until or facts.key < write.key:
        return True
    if facts.context is None or facts.is_hidden:
        # It read something that cannot be seen: this may have been it.
        write.read_until = write.end
        return False
    at = write.segment
    if at >= facts.context.length:
        return True
    if facts.context.trunk.prefixes[at] != write.context.trunk.prefixes[at]:
        return True
    common = facts.context.common(write.context)
    write.read_until = max(write.read_until, min(read, write.shares.end(common), write.end))
    slack = write.shares.error(common) + write.tolerance
    if write.end - write.read_until > slack:
        return True
    write.read_until = write.end
    return False
