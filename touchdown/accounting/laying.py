"""Laying: a provider's count of one call's input over the segments of its context, better with each call.

A call that only appends to its base says how many tokens the new segments have together: the difference of
two counts. The model's own answer among them has the tokens that it was billed for, so what is left is the
rest: tool results, or what the user said. Only how such a sum falls on several segments is estimated, by
their sizes and by what was learned of this model and kind. What was laid once keeps its tokens when a
context is edited, so that what is new takes the difference again.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any, cast

from touchdown.accounting.contexts import Context
from touchdown.accounting.facts import CallFacts
from touchdown.accounting.learned import UNIT, Learned, could_be, plausible, sizes_of
from touchdown.context.shares import Shares, append_shares, apportion, left_over, share_out
from touchdown.records import ModelCall, Segment

ANSWER_KINDS = frozenset({"assistant", "tool_use", "thinking"})


class Laying:
    """Lays counts along contexts, in the order of folding. Costs constant time per new segment."""

    def __init__(self) -> None:
        self._learned: dict[str, Learned] = {}
        self._laid: defaultdict[str, dict[str, int]] = defaultdict(dict)
        """Model to the tokens that segments took, by their digest."""
        self._appended: defaultdict[str, list[CallFacts]] = defaultdict(list)
        """Model to calls whose new segments are not among those yet: only an edit asks for them."""

    def lay(self, facts: CallFacts) -> None:
        """Set the token shares of this call's context.

        No shares where its input was not reported. A context that cannot be seen, or that holds nothing,
        is one segment.
        """
        total = facts.input_tokens
        if total is None or _contradicts(facts.call):
            return
        context = facts.context
        if context is None or facts.is_hidden or context.length == 0:
            facts.shares = share_out(total, [1])
            return
        new = context.segments(facts.common)
        if _can_be_compared(facts, context, new):
            facts.shares = self._append(facts, new, total)
        if facts.shares is None:
            facts.shares = self._share_anew(facts, context.segments(0), total)
        else:
            self._appended[facts.model].append(facts)

    def _append(self, facts: CallFacts, new: Sequence[Segment], total: int) -> Shares | None:
        """Shares that keep those of the base up to where this call parts from it."""
        base = facts.base
        if base is None or base.shares is None:
            return None
        rest = left_over(base.shares, facts.common, total, len(new))
        if rest is None:
            return None
        model = facts.model
        if not _is_whole(base, facts.common):
            return append_shares(base.shares, facts.common, total, self._divide(model, new, rest))
        learned = self._of(model)
        kinds, sizes = [segment.kind for segment in new], sizes_of(new)
        weights = learned.weigh(kinds, sizes)
        answer = _length_of_answer(facts, base, kinds)
        said = _tokens_of_answer(base.call, kinds[:answer], weights, rest) if answer else None
        if said is None:
            parts, answer = apportion(rest, weights), 0
            learned.note(kinds, sizes, parts)
        else:
            parts = apportion(said, weights[:answer])
            behind = apportion(rest - said, weights[answer:])
            learned.note(kinds[:answer], sizes[:answer], parts)
            learned.note(kinds[answer:], sizes[answer:], behind)
            parts += behind
        return append_shares(base.shares, facts.common, total, parts, answer)

    def _share_anew(self, facts: CallFacts, segments: Sequence[Segment], total: int) -> Shares:
        """Shares of the whole context: where its count and its base's cannot be compared, or none is there.

        A model that was not met before is taken to share out its tokens as the base's model does.
        """
        model, base = facts.model, facts.base
        is_known = model in self._learned
        like = model if is_known or base is None else base.model
        parts = self._divide(like, segments, total, comparable=False)
        if not is_known:
            kinds = [segment.kind for segment in segments]
            self._of(model).note_whole(kinds, sizes_of(segments), total)
        _remember(self._laid_by(model), segments, parts)
        return share_out(total, parts)

    def _divide(
        self, model: str, segments: Sequence[Segment], total: int, comparable: bool = True
    ) -> list[int]:
        """``total`` over segments: those laid before keep their tokens, the others take what is left.

        Where what is left cannot be theirs, or the counts were not made of like things, all take their
        part of the difference.
        """
        laid, weigh = self._laid_by(model), self._of(model).weigh
        known = list(map(laid.get, map(_digest, segments)))
        new = [index for index, tokens in enumerate(known) if tokens is None]
        fresh: list[int] = []
        if new:
            unknown = [segments[index] for index in new]
            fresh = weigh([segment.kind for segment in unknown], sizes_of(unknown))
        if comparable and new:
            left = total - sum(tokens for tokens in known if tokens is not None)
            if plausible(left, sum(fresh) // UNIT, len(new)):
                return _with(known, new, apportion(left, fresh))
        weights = [0 if tokens is None else tokens * UNIT for tokens in known]
        return apportion(total, _with(weights, new, fresh))

    def _laid_by(self, model: str) -> dict[str, int]:
        """The tokens that segments took, by their digest."""
        laid, waiting = self._laid[model], self._appended.pop(model, ())
        for facts in waiting:
            if facts.context is not None and facts.shares is not None:
                new = facts.context.segments(facts.common)
                _remember(laid, new, facts.shares.tokens(facts.common, len(new)))
        return laid

    def _of(self, model: str) -> Learned:
        learned = self._learned.get(model)
        if learned is None:
            learned = self._learned[model] = Learned()
        return learned


_digest = attrgetter("digest")


def _with(known: Sequence[int | None], places: Iterable[int], values: Iterable[int]) -> list[int]:
    """The same with these values at these places, where some were not known."""
    filled: Any = list(known)
    for place, value in zip(places, values, strict=True):
        filled[place] = value
    return cast(list[int], filled)


def _remember(laid: dict[str, int], segments: Sequence[Segment], tokens: Iterable[int]) -> None:
    laid.update(zip(map(_digest, segments), tokens, strict=True))
    laid.pop("", None)


def _can_be_compared(facts: CallFacts, context: Context, new: Sequence[Segment]) -> bool:
    """Whether the difference between this call's count and its base's is what is new."""
    base = facts.base
    if base is None or base.context is None or not facts.common:
        return False
    if base.is_hidden or _may_be_stripped(context, new):
        return False
    if base.model != facts.model:
        return False
    return base.call.context.parameters == facts.call.context.parameters


def _may_be_stripped(context: Context, new: Sequence[Segment]) -> bool:
    """Whether a provider may have taken reasoning out of what came before: only where a user speaks anew.

    Source: https://docs.anthropic.com/en/docs/build-with-claude/context-windows (stored copy, 2026-11-24):
    reasoning of earlier turns is taken out, that of a tool loop is passed back until its end.
    """
    if not context.has_thinking():
        return False
    return "user" in [segment.kind for segment in new]


def _contradicts(call: ModelCall) -> bool:
    usage = call.usage
    if (usage.uncached or 0) < 0 or (usage.cache_read or 0) < 0:
        return True
    written = usage.cache_write
    return written is not None and min(written.values(), default=0) < 0


def _is_whole(base: CallFacts, common: int) -> bool:
    return base.context is not None and base.context.length == common


def _length_of_answer(facts: CallFacts, base: CallFacts, kinds: Sequence[str]) -> int:
    """How many of the new segments are what the agent's call before it answered."""
    if base.call.agent_id != facts.call.agent_id:
        return 0
    for index, kind in enumerate(kinds):
        if kind not in ANSWER_KINDS:
            return index
    return len(kinds)


def _tokens_of_answer(
    call: ModelCall, said: Sequence[str], weights: Sequence[int], rest: int
) -> int | None:
    """The tokens of an answer that now stands in the context: those that were billed as output.

    ``said`` are the kinds of its segments; ``weights`` are theirs and those of the others behind them, which
    take what is left of ``rest``. ``None`` where they cannot be known, or cannot be right: a host may pass
    back something else than it was answered. Source: 25 successive calls among the recordings (Claude,
    2026-11) grew by the output of the call before and 13 to 24 tokens for a short tool result; reasoning
    passed back in a tool loop counts in full, reasoning left out does not count.
    """
    usage, answer = call.usage, len(said)
    if answer == len(weights) or usage.output is None or usage.completeness != "full":
        return None
    thought = usage.reasoning
    if "thinking" in said:
        thought = 0 if call.api == "messages" else None
    elif thought is None and not call.output.reasoning_chars:
        thought = 0
    if thought is None or not 0 <= thought <= usage.output:
        return None
    tokens = usage.output - thought
    likely = could_be(tokens, weights[:answer]) and could_be(rest - tokens, weights[answer:])
    return tokens if likely else None
