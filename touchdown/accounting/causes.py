"""Causes of cache misses: which repeated tokens were not read, and why, by where they lie."""

from collections.abc import Callable

from msgspec import Struct

from touchdown.accounting.bases import Entry, is_alive, life_of
from touchdown.accounting.changes import Change
from touchdown.accounting.contexts import Context
from touchdown.accounting.evictions import eviction_basis, eviction_in_words, seen_evicted
from touchdown.accounting.facts import CallFacts, Diagnosis, Missed
from touchdown.accounting.pricing import Bill
from touchdown.accounting.ranges import Range, clip, count, joined, overlap
from touchdown.context.shares import Shares
from touchdown.records.verdict import Basis, CacheState

FREE_CAUSES = frozenset({"below_minimum", "not_offered"})
"""Causes that are named, but whose tokens could never have been read: their money stays work."""

HIDDEN_CAUSES = frozenset({"unknown_predecessor", "opaque_input"})
"""Causes of calls whose context cannot be seen: what was missed is at most what is posted."""

Cause = tuple[str, str]
"""A cause and a detail in words."""


class _Question(Struct, frozen=True):
    """Everything the rules ask about one call."""

    facts: CallFacts
    base: CallFacts
    context: Context
    shares: Shares
    change: Change
    read: int
    entry: Entry | None

    @property
    def tokens_at_change(self) -> int:
        return self.shares.end(self.change.at)

    @property
    def base_tokens(self) -> int:
        return self.base.shares.total if self.base.shares else 0

    @property
    def shared_tokens(self) -> int:
        """What an entry that both calls can use may hold: another agent does not go on with its base."""
        same = self.base.call.agent_id == self.facts.call.agent_id
        return self.base_tokens if same else self.tokens_at_change


def diagnose(
    facts: CallFacts, entry_of: Callable[[CallFacts], Entry | None], change: Change | None
) -> Diagnosis:
    """What became of the cache at this call; ``change`` is ``None`` where its base cannot be compared.

    ``entry_of`` finds the entry that could be read; it is asked only where something was missed.
    """
    usage, read = facts.call.usage, facts.call.usage.cache_read
    if facts.call.operation == "embeddings":
        return Diagnosis("off", 0, read or 0, 0)
    total = facts.input_tokens
    if total is None or read is None or facts.shares is None or usage.compacted:
        return Diagnosis("unknown", None, read, None)
    if facts.context is None or facts.call.context.opaque is not None:
        return _hidden(facts, read, total)
    base = facts.base
    if base is None:
        state: CacheState = "warm" if read else "off" if _off(facts) else "cold"
        return Diagnosis(state, read, read, 0)
    if change is None:
        return _hidden(facts, read, total)
    if overlap(change.repeats, read, facts.shares.total) < max(_tolerance(facts), 1):
        return Diagnosis(_state(facts, read, [], 0), read, read, 0)
    entry = entry_of(facts)
    return _answer(_Question(facts, base, facts.context, facts.shares, change, read, entry))


def read_all(facts: CallFacts) -> Diagnosis | None:
    """What became of the cache at a call that only appends to its base, where nothing of it was missed."""
    read, shares = facts.call.usage.cache_read, facts.shares
    if read is None or shares is None:
        return None
    missed = shares.end(facts.common) - read
    if missed > 0 and missed >= _tolerance(facts):
        return None
    return Diagnosis("warm" if read else _state(facts, read, [], 0), read, read, 0)


def _tolerance(facts: CallFacts) -> int:
    """A miss of fewer tokens counts as none."""
    return facts.rule.tolerance if facts.rule is not None else 1


def _off(facts: CallFacts) -> bool:
    nothing_offered = _no_read_rate(facts) and not facts.call.usage.cache_read
    return facts.call.context.caching == "off" or nothing_offered


def _no_read_rate(facts: CallFacts) -> bool:
    return isinstance(facts.bill, Bill) and facts.bill.read_rate is None


def _hidden(facts: CallFacts, read: int, total: int) -> Diagnosis:
    """A context that cannot be seen: at most what its base had, or all of it, was read before."""
    opaque = facts.call.context.opaque
    cause = "unknown_predecessor" if opaque is None else "opaque_input"
    most = total
    if facts.context is not None and opaque is not None and facts.base is None:
        most = 0
    elif facts.base is not None and facts.base.input_tokens is not None:
        most = min(total, facts.base.input_tokens + (facts.base.call.usage.output or 0))
    ranges = clip([(0, most)], read, total)
    if not ranges:
        return Diagnosis("warm" if read else "unknown", None, read, None)
    why = opaque or "the call before it was not seen"
    missed = Missed(cause, ranges, 0, ranges[0][0], "opaque", f"at most: {why}")
    return Diagnosis("unknown", None, read, None, (missed,))


def _answer(q: _Question) -> Diagnosis:
    reach = max(q.entry.tokens if q.entry else 0, q.read)
    found_until = max(q.entry.within_tokens if q.entry else 0, q.read)
    stop = max(reach, q.tokens_at_change)
    total = q.shares.total
    here = min(max(q.entry.here_tokens if q.entry else 0, q.read), found_until)
    before = _tolerance(q.facts)
    loose = before + q.shares.error(q.change.at)
    parts = [
        (clip(q.change.repeats, q.read, here), loose, _why_not_read),
        (clip(q.change.repeats, here, found_until), loose, _why_elsewhere),
        (clip(q.change.repeats, found_until, reach), loose, _why_not_found),
        (clip(q.change.repeats, reach, stop), loose, _why_not_there),
        (clip(q.change.repeats, stop, total), before, _why_behind),
    ]
    found: dict[Cause, tuple[Range, ...]] = {}
    for ranges, least, why in parts:
        if count(ranges) >= max(least, 1):
            cause = why(q)
            found[cause] = joined([*found.get(cause, ()), *ranges])
    misses = [_missed(q, ranges, *cause) for cause, ranges in found.items()]
    payable = sum(count(miss.ranges) for miss in misses if miss.cause not in FREE_CAUSES)
    state = _state(q.facts, q.read, misses, payable)
    return Diagnosis(state, q.read + payable, q.read, payable, tuple(misses))


def _state(facts: CallFacts, read: int, misses: list[Missed], payable: int) -> CacheState:
    if not read and _off(facts):
        return "off"
    if payable:
        return "partial" if read else "missed"
    if read:
        return "warm"
    return "off" if any(miss.cause in FREE_CAUSES for miss in misses) else "cold"


def _missed(q: _Question, ranges: tuple[Range, ...], cause: str, detail: str) -> Missed:
    token = ranges[0][0]
    segment = q.shares.at(token)
    kind: str = q.context.segment(segment).kind
    if cause == q.change.cause:
        # Said of the place where the context changed, not of the first repeated token lost by it.
        token, segment, kind = q.tokens_at_change, q.change.at, q.change.kind
    return Missed(cause, ranges, segment, token, kind, detail, _basis(q, cause, ranges))


def _basis(q: _Question, cause: str, ranges: tuple[Range, ...]) -> Basis:
    if cause == "eviction_seen":
        return eviction_basis(q.facts, count(ranges) - _tolerance(q.facts))
    if q.facts.call.usage.cache_policy:
        return "estimated"
    best_effort = q.facts.rule is None or q.facts.rule.best_effort
    whole = q.change.cause is None and q.shares.is_measured(q.change.at)
    return "derived" if whole and not best_effort else "estimated"


def _why_not_read(q: _Question) -> Cause:
    """An entry was there and was not read."""
    if q.entry is not None and q.entry.in_flight:
        return "concurrent_write", "sent before the first answer to the same prefix began"
    if seen_evicted(q.facts):
        new = q.context.segments(q.change.at)
        return "eviction_seen", eviction_in_words(q.facts, q.base, new)
    if q.context.segment(0).kind == "opaque":
        return "opaque_input", "evicted, or a part of the context changed that was not recorded"
    return "evicted", "the entry was written and had not run out"


def _why_elsewhere(q: _Question) -> Cause:
    """An entry was there, at another worker of the engine."""
    if q.entry is not None and q.entry.in_flight:
        return _why_not_read(q)
    return "rerouted", f"worker {q.entry.worker if q.entry else ''} -> {q.facts.worker}"


def _why_not_found(q: _Question) -> Cause:
    """An entry was there, behind the look-back of every breakpoint."""
    if q.entry is not None and q.entry.in_flight:
        return _why_not_read(q)
    blocks = q.facts.rule.lookback_blocks if q.facts.rule else None
    return "lookback_exceeded", f"more than {blocks} blocks behind the next cache breakpoint"


def _why_not_there(q: _Question) -> Cause:
    """No entry known to be alive covers these tokens, and nothing before them changed."""
    if excuse := _excuse(q):
        return excuse
    moved = _moved(q)
    if moved is not None:
        return moved
    if _is_off(q):
        return _not_requested(q)
    if q.facts.rule is None:
        return "unknown", "the cache rules of this model are not known"
    lost = _lost(q)
    if lost is not None:
        return lost
    if q.change.cause is not None and q.base.extent > q.tokens_at_change:
        return q.change.cause, q.change.detail
    asked = q.base.call.context.caching in ("explicit", "automatic")
    if q.facts.rule.ends == "breakpoint" and asked and q.base.extent:
        return "not_requested", "no cache breakpoint stands where the shared part ends"
    return "unknown", "no entry was seen to be written"


def _why_behind(q: _Question) -> Cause:
    """The change lies before these tokens."""
    if excuse := _excuse(q):
        return excuse
    if q.change.cause is None:
        return "unknown", "repeated behind the end of the call before"
    if q.base.extent == 0 and not q.read:
        if _is_off(q):
            return _not_requested(q)
        if q.facts.rule is None or q.facts.rule.ends == "breakpoint":
            return "unknown", "no entry was seen to be written"
    return q.change.cause, q.change.detail


def _is_off(q: _Question) -> bool:
    return "off" in (q.facts.call.context.caching, q.base.call.context.caching)


def _not_requested(q: _Question) -> Cause:
    """Caching was not asked for; abstained from where it is not known that it would have helped."""
    rule = q.facts.rule
    seen = q.base.extent or q.read
    if not seen and (rule is None or rule.minimum_high is None):
        return "unknown", "the smallest prompt that this model caches is not known"
    if not seen and rule is not None and q.base_tokens < (rule.minimum_high or 0):
        return "unknown", "sources disagree on whether a prompt of this size is cached"
    return "not_requested", "the request asks for no caching"


def _excuse(q: _Question) -> Cause | None:
    rule = q.facts.rule
    if _no_read_rate(q.facts):
        return "not_offered", "no cache reads are offered for this model"
    least = rule.minimum_low if rule is not None else None
    if least is not None and q.shared_tokens < least and not q.read:
        return "below_minimum", f"{q.shared_tokens} tokens, cached from {least} on"
    return None


def _moved(q: _Question) -> Cause | None:
    call, base = q.facts.call, q.base.call
    was, now = base.model, call.model
    if base.response_model and call.response_model:
        was, now = base.response_model, call.response_model
    if was != now:
        return "model_changed", f"{was} -> {now}"
    if call.scope != base.scope and call.scope and base.scope:
        return "rerouted", "another endpoint or account"
    if call.provider != base.provider:
        return "rerouted", f"{base.provider} -> {call.provider}"
    if q.base.worker != q.facts.worker and q.base.worker and q.facts.worker:
        return "rerouted", f"worker {q.base.worker} -> {q.facts.worker}"
    return None


def _lost(q: _Question) -> Cause | None:
    life = life_of(q.base)
    state = is_alive(q.base, life, q.facts)
    idle_s = (q.facts.call.sent_at_ns - q.base.call.ended_at_ns) // 10**9
    if state == "expired" and life is not None:
        return "expired", f"{idle_s} s after the call before; an entry lives {life.max_s} s"
    if state == "unsure":
        return "expired_or_evicted", f"{idle_s} s after the call before"
    if state == "unknown":
        sound = q.base.clock_is_sound and q.facts.clock_is_sound
        return "unknown", "its life is not known" if sound else "the clock went backwards"
    return None
