"""Where a context parts from its base, what changed there, and what of the base it repeats."""

from bisect import bisect_left
from collections import defaultdict

from msgspec import Struct

from touchdown.accounting.cache_rules import CacheRule
from touchdown.accounting.compactions import find_summary
from touchdown.accounting.contexts import Context
from touchdown.accounting.facts import CallFacts
from touchdown.accounting.ranges import Range, joined
from touchdown.context.shares import Shares
from touchdown.records import Segment


class Change(Struct, frozen=True):
    """``at`` is the number of first segments that are equal and not invalidated.

    ``cause`` is ``None`` where the call only appends to its base. ``repeats`` are the tokens of segments
    that stand in the base too, matched in order.
    """

    at: int
    repeats: tuple[Range, ...]
    cause: str | None = None
    kind: str = ""
    detail: str = ""
    behind: tuple[int, ...] = ()
    """Segments behind the common ones that stand in the base too."""
    summary: int | None = None
    """The segment that took the place of the history."""


def find_change(facts: CallFacts, context: Context, shares: Shares) -> Change:
    """The change between this call and its base.

    The context of another agent is not edited by this one: of a base from elsewhere only the common
    prefix counts as repeated.
    """
    base = facts.base
    if base is None or base.context is None:
        return Change(0, ())
    common = facts.common
    if base.call.agent_id != facts.call.agent_id:
        return Change(common, joined([(0, shares.end(common))]))
    names = _changed_parameters(facts, base)
    if not names and common == base.context.length:
        return Change(common, joined([(0, shares.end(common))]))
    level, named = _invalidated(names, context, facts.rule)
    at = min(common, level)
    behind = tuple(_matched(base.context, context, common))
    repeats = joined([(0, shares.end(common)), *(shares.span(index) for index in behind)])
    if at == base.context.length:
        return Change(at, repeats)
    summary = find_summary(base.context, context, common, behind)
    if names and level <= common:
        found = ("parameters_changed", "parameter", named)
    elif summary is not None:
        found = ("compacted", "summary", f"segment {summary} stands for the history before it")
    else:
        found = _what_changed(base.context, context, at)
    return Change(at, repeats, *found, behind, summary)


def usable_prefix(known: CallFacts, facts: CallFacts) -> int:
    """How many first segments of ``known`` a cache of it can give this call."""
    if known.context is None or facts.context is None:
        return 0
    level, _ = _invalidated(_changed_parameters(facts, known), facts.context, facts.rule)
    return min(known.context.common(facts.context), level)


def _changed_parameters(facts: CallFacts, base: CallFacts) -> list[str]:
    mine, theirs = facts.call.context.parameters, base.call.context.parameters
    if mine == theirs:
        return []
    return sorted(name for name in {*mine, *theirs} if mine.get(name) != theirs.get(name))


def _invalidated(names: list[str], context: Context, rule: CacheRule | None) -> tuple[int, str]:
    """The first segment whose cache these parameters invalidate, and the names that do it."""
    if not names:
        return context.length, ""
    levels = [rule.levels.get(name, rule.other_level) if rule else "messages" for name in names]
    starts = [context.level(level) for level in levels]
    first = min(starts, default=context.length)
    return first, ", ".join(name for name, at in zip(names, starts, strict=True) if at == first)


def _what_changed(base: Context, context: Context, at: int) -> tuple[str, str, str]:
    was = base.segment(at) if at < base.length else None
    now = context.segment(at) if at < context.length else None
    kinds = {segment.kind for segment in (was, now) if segment is not None}
    shown = now or was
    kind = shown.kind if shown is not None else ""
    leading = at <= context.level("messages")
    if "tools" in kinds and leading:
        return "tools_changed", "tools", _tool_changed(was, now, at)
    if "system" in kinds and leading:
        number = at - context.level("system") + 1
        return "system_changed", "system", f"system block {max(number, 1)} differs"
    if now is None:
        return "history_edited", kind, f"the history ends before segment {at}"
    return "history_edited", kind, f"segment {at} ({kind}) differs"


def _tool_changed(was: Segment | None, now: Segment | None, at: int) -> str:
    what = "differs"
    if was is None or was.kind != "tools":
        what = "was added"
    elif now is None or now.kind != "tools":
        what = "was removed"
    shown = was if what == "was removed" else now
    name = f" ({shown.tool_name})" if shown is not None and shown.tool_name else ""
    return f"tool definition {at + 1}{name} {what}"


def _matched(base: Context, context: Context, start: int) -> list[int]:
    """Indices from ``start`` on of segments that stand in the base too, in the same order.

    The n-th segment with some content is paired with the n-th such one of the base; of the pairs the
    longest run that goes forward in both is kept.
    """
    if start >= context.length or start >= base.length:
        return []
    places: defaultdict[str, list[int]] = defaultdict(list)
    for index in range(start, base.length):
        if base.segment(index).digest:
            places[base.segment(index).digest].append(index)
    used: defaultdict[str, int] = defaultdict(int)
    pairs: list[tuple[int, int]] = []
    for index in range(start, context.length):
        name = context.segment(index).digest
        nth = used[name]
        used[name] += 1
        if name in places and nth < len(places[name]):
            pairs.append((index, places[name][nth]))
    return _longest_run(pairs)


def _longest_run(pairs: list[tuple[int, int]]) -> list[int]:
    tails: list[int] = []
    ends: list[int] = []
    previous: list[int] = []
    for number, (_, place) in enumerate(pairs):
        slot = bisect_left(tails, place)
        previous.append(ends[slot - 1] if slot else -1)
        if slot == len(tails):
            tails.append(place)
            ends.append(number)
        else:
            tails[slot] = place
            ends[slot] = number
    run: list[int] = []
    number = ends[-1] if ends else -1
    while number >= 0:
        run.append(pairs[number][0])
        number = previous[number]
    return run[::-1]
