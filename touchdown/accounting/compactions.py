"""Compactions: where a summary took the place of a history, who wrote it, and what it keeps out."""

from collections.abc import Sequence

from touchdown.accounting.contexts import Context
from touchdown.accounting.facts import CallFacts, Compaction
from touchdown.context.shares import Shares


def find_summary(
    base: Context, context: Context, common: int, repeated: Sequence[int]
) -> int | None:
    """Index of the segment that replaced what the base had from ``common`` on; ``None`` where none did.

    A provider's summary is marked as one. An answer that the host put there itself counts when the
    context got shorter by it and nothing of the old one stands before it: an answer that is appended,
    or kept by a window that slides, is none. ``repeated`` are the indices of what stands in the base too.
    """
    if common >= base.length:
        return None
    old = set(repeated)
    for index in range(common, context.length):
        if index in old:
            continue
        segment = context.segment(index)
        if segment.kind == "summary":
            return index
        if segment.answer_of and not _before(index, repeated):
            return index if _is_shorter(base, context, common) else None
    return None


def _before(index: int, repeated: Sequence[int]) -> bool:
    return bool(repeated) and repeated[0] < index


def _is_shorter(base: Context, context: Context, common: int) -> bool:
    return context.length < base.length and sum(context.chars(common)) < sum(base.chars(common))


def compacted_by_host(facts: CallFacts, summary: int, repeated: Sequence[int]) -> Compaction:
    """The compaction that the host made before this call, its history shortened to a summary."""
    context, shares, base = facts.context, facts.shares, facts.base
    assert context is not None
    assert shares is not None
    assert base is not None
    source = context.segment(summary).answer_of
    if base.call.usage.compacted:
        # The provider made this summary inside the call before, where all of it is counted.
        return Compaction((), "", base.removed)
    kept = [shares.span(index) for index in repeated]
    span = shares.span(summary)
    tail = sum(end - start for start, end in [*kept, span])
    removed = _tokens_behind(base, facts.common, source) - tail
    return Compaction((span,), source, max(removed, 0))


def _tokens_behind(base: CallFacts, common: int, source: str) -> int:
    """Tokens of the base behind ``common``; what asked for the summary is no history."""
    shares: Shares | None = base.shares
    if shares is None or base.context is None or base.is_hidden:
        return 0
    last = base.context.length - (base.call.id == source)
    return shares.end(last) - shares.end(common)


def compacted_inside(facts: CallFacts) -> Compaction:
    """The compaction that the provider made inside this call; the rest of the call read its summary first.

    Tools and system prompt are kept by it; their part of the input is estimated by characters.
    """
    usage, context = facts.call.usage, facts.context
    total, kept = usage.input_tokens or 0, 0
    if context is not None:
        chars = sum(context.segment(i).chars for i in range(context.level("messages")))
        whole = chars + facts.call.output.summary_chars
        kept = total * chars // whole if whole else 0
    before = max((step.usage.input_tokens or 0 for step in usage.steps), default=0)
    if facts.base is not None and facts.base.call.agent_id == facts.call.agent_id:
        before = max(before, facts.base.call.usage.input_tokens or 0)
    return Compaction(((kept, total),) if kept < total else (), "", max(before - total, 0))
