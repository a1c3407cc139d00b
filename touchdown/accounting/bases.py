"""Bases and entries: which earlier call a call is compared with, and what may still be in the cache."""

from bisect import insort
from collections import defaultdict
from collections.abc import Iterator
from itertools import islice
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from touchdown.accounting.cache_rules import Life
from touchdown.accounting.changes import usable_prefix
from touchdown.accounting.contexts import Context
from touchdown.accounting.facts import CallFacts
from touchdown.accounting.holders import Holders
from touchdown.context.shares import Shares

MOST_CALLS_BACK = 64
"""How many earlier calls of an agent on one route are asked for an entry that this call could read."""

MOST_SIDE_CALLS = 8
"""How many calls in a row that share nothing with a conversation are looked past."""

Alive = Literal["alive", "expired", "unsure", "unknown"]


class Entry(Struct, frozen=True):
    """A cache entry that may be read: how far it reaches into a call's context."""

    tokens: int
    in_flight: bool
    """Its first answer had not begun when this call was sent."""
    within_tokens: int = 0
    """The longest one that the look-back of a breakpoint of this call reaches."""
    here_tokens: int = 0
    """The longest one at the worker that answered this call; all of it where workers are not known."""
    worker: str = ""
    """Where the longest one is."""


class Earlier:
    """The calls folded so far, by agent and by route."""

    def __init__(self) -> None:
        self._by_agent: defaultdict[str, list[CallFacts]] = defaultdict(list)
        self._holders = Holders()

    def note(self, facts: CallFacts) -> None:
        """Remember a folded call."""
        if facts.call.operation == "embeddings":
            return
        calls = self._by_agent[facts.call.agent_id]
        if not calls or calls[-1].key <= facts.key:
            calls.append(facts)
        else:
            insort(calls, facts, key=lambda known: known.key)
        if facts.answered:
            self._holders.note(facts)

    def base_of(self, facts: CallFacts) -> tuple[CallFacts | None, int]:
        """The base of this call, and how many first segments they have in common.

        The agent's latest call whose answer began before this one was sent. Where that shares nothing
        with this call (an agent's side call, say for a title), the latest of the few before it that
        does; one whose answer stands in this call's context (a summary asked for without the tools, say)
        is passed over for one before it that has more in common. For an agent's
        first call the one of the task, on the same model, with the longest common prefix.
        """
        latest: CallFacts | None = None
        summariser: tuple[CallFacts, int] | None = None
        for known in islice(self._before(facts), 1 + MOST_SIDE_CALLS):
            common = _common(known.context, facts.context)
            if common or _have_a_segment_in_common(known.context, facts.context):
                if summariser is not None and common <= summariser[1]:
                    break
                if known.call.id not in [one.answer_of for one in facts.call.context.new]:
                    return known, common
                summariser = known, common
            latest = latest or known
        if summariser is not None:
            return summariser
        return (latest, 0) if latest is not None else self._longest_of_task(facts)

    def entry_for(self, facts: CallFacts) -> Entry | None:
        """The longest prefix of this call that an entry known to be alive covers.

        An entry lives on when a later call read it, so each is dated by the latest call that reached it.
        A call that asks for no caching can read none.
        """
        if facts.shares is None or facts.call.context.caching == "off":
            return None
        reached: list[tuple[int, CallFacts]] = []
        best: Entry | None = None
        within = here = 0
        for known in self._candidates(facts):
            if known.shares is None or known.rule is None:
                continue
            common, user = usable_prefix(known, facts), _latest_user(known, reached)
            reached.append((min(known.extent, known.shares.end(common)), known))
            tokens, segments = _readable(known, facts.shares, common)
            if tokens and is_alive(user, life_of(known), facts) == "alive":
                in_flight = known.call.began_at_ns > facts.call.sent_at_ns
                if best is None or tokens > best.tokens:
                    best = Entry(tokens, in_flight, worker=known.worker)
                if tokens > within and _looks_back_to(segments, facts):
                    within = tokens
                if not _apart(known, facts):
                    here = max(here, tokens)
                reached_all = within == here == best.tokens
                if not in_flight and segments >= common and reached_all:
                    break  # what parts it from this call parts the calls before it too
        return None if best is None else replace(best, within_tokens=within, here_tokens=here)

    def _before(self, facts: CallFacts) -> Iterator[CallFacts]:
        """The agent's calls whose answer began before this one was sent, latest first."""
        for known in reversed(self._by_agent[facts.call.agent_id]):
            if _comes_before(known, facts):
                yield known

    def _longest_of_task(self, facts: CallFacts) -> tuple[CallFacts | None, int]:
        if facts.context is None:
            return None, 0
        found, common = self._holders.longest(facts.model, facts.context)
        # One that was sent later can only be met by a call that came late, whose verdict is provisional.
        return (found, common) if found is not None and found.key < facts.key else (None, 0)

    def _candidates(self, facts: CallFacts) -> Iterator[CallFacts]:
        calls = self._by_agent[facts.call.agent_id]
        left = MOST_CALLS_BACK
        for known in reversed(calls):
            if known.route == facts.route and known.key < facts.key and known.answered:
                yield known
                left -= 1
            if left == 0:
                return
        base = facts.base
        elsewhere = base is not None and base.call.agent_id != facts.call.agent_id
        if base is not None and elsewhere and base.route == facts.route:
            yield base


def is_alive(entry: CallFacts, life: Life | None, facts: CallFacts) -> Alive:
    """Whether the entry that a call wrote or read may still live when ``facts`` was sent.

    No provider says at which moment of a call the clock starts, so both ends are tried.
    """
    if not (entry.clock_is_sound and facts.clock_is_sound):
        return "unknown"
    if entry.call.began_at_ns > facts.call.sent_at_ns:
        return "alive"
    if life is None:
        return "unknown"
    longest = facts.call.sent_at_ns - entry.call.sent_at_ns
    shortest = max(facts.call.sent_at_ns - entry.call.ended_at_ns, 0)
    if longest <= life.min_s * 10**9:
        return "alive"
    if life.max_s is not None and shortest > life.max_s * 10**9:
        return "expired"
    return "unsure"


def life_of(facts: CallFacts) -> Life | None:
    """How long the entry of this call lives; ``None`` when no rule says."""
    if facts.rule is None or facts.life is None:
        return None
    return facts.rule.lives.get(facts.life)


def _latest_user(known: CallFacts, reached: list[tuple[int, CallFacts]]) -> CallFacts:
    """The latest of the calls that reached so far that they used the entry of ``known``, else itself."""
    extent = known.extent
    for end, later in reached:
        if end >= extent:
            return later
    return known


def _comes_before(known: CallFacts, facts: CallFacts) -> bool:
    return (
        known.key < facts.key and known.answered and known.call.began_at_ns <= facts.call.sent_at_ns
    )


def _apart(known: CallFacts, facts: CallFacts) -> bool:
    """Whether two calls were answered by different workers of one engine."""
    return bool(known.worker and facts.worker) and known.worker != facts.worker


def _common(one: Context | None, other: Context | None) -> int:
    return one.common(other) if one is not None and other is not None else 0


def _have_a_segment_in_common(one: Context | None, other: Context | None) -> bool:
    if one is None or other is None:
        return False
    mine = {one.segment(index).digest for index in range(one.length)} - {""}
    return any(other.segment(index).digest in mine for index in range(other.length))


def _looks_back_to(segments: int, facts: CallFacts) -> bool:
    """Whether a breakpoint of this call finds an entry of so many first segments."""
    blocks = facts.rule.lookback_blocks if facts.rule is not None else None
    if blocks is None or facts.context is None:
        return True
    end = segments - 1
    marks = [mark for mark in facts.context.breakpoints if mark >= end]
    if facts.call.context.caching == "automatic":
        marks.append(facts.context.length - 1)
    return not marks or any(mark - end <= blocks for mark in marks)


def _readable(known: CallFacts, shares: Shares, common: int) -> tuple[int, int]:
    """What of the entry of ``known`` a call with ``common`` first segments can read: tokens, segments."""
    if known.rule is None or known.shares is None:
        return 0, 0
    if known.rule.ends == "block":
        covered = min(known.extent, shares.end(common)) // known.rule.block * known.rule.block
        return (covered, common) if covered >= (known.rule.minimum_high or 0) else (0, 0)
    # An entry is read whole or not at all; a request writes one at each of its breakpoints.
    if known.extent <= known.shares.end(common):
        return known.extent, min(common, known.shares.at(max(known.extent - 1, 0)) + 1)
    marks = known.context.breakpoints if known.context is not None else ()
    ends = [(known.shares.end(mark + 1), mark + 1) for mark in marks if mark < common]
    return max((end for end in ends if end[0] <= known.extent), default=(0, 0))
