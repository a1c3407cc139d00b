"""What other calls' prefills at one host took of a stream's decoding, by what touchdown saw of both."""

import threading
import weakref
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from statistics import median
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from touchdown.records import EngineTiming
from touchdown.runtime.serving import Underway
from touchdown.runtime.waits import Waits

LONG_PREFILL_TOKENS = 8192
"""A prefill that computes so many tokens is a long context's: it alone is named as the owner of a stall."""

SAME_READ_NS = 1 << 17
"""Chunks less than this apart came in one piece; their wait is no wait."""

FEWEST_WAITS = 4
"""With fewer waits in a stream nobody can say what is usual."""

MOST_KEPT = 512
"""Prefills that ended, and calls under way, are remembered up to this many for each host."""


class Prefill(Struct, frozen=True):
    """A stretch in which one call was prefilled. Units: nanoseconds of the steady clock, tokens."""

    call_id: str
    agent_id: str
    owner: str
    """The task and agent that it was for, in words."""
    began_ns: int
    ended_ns: int
    computed_tokens: int | None = None

    @property
    def is_long(self) -> bool:
        """Whether it is a long context's."""
        return (self.computed_tokens or 0) >= LONG_PREFILL_TOKENS

    def overlap_ns(self, began_ns: int, ended_ns: int) -> int:
        """How much of this stretch lies in another one."""
        return max(min(self.ended_ns, ended_ns) - max(self.began_ns, began_ns), 0)

    def __str__(self) -> str:
        """Its owner, and how much it was."""
        told = "" if self.computed_tokens is None else f", {self.computed_tokens:,} tokens"
        return f"{self.call_id} of {self.owner}{told}"


class Prefills:
    """The prefills at one host. ``sent`` is quick and on the caller's path; ``beside`` behind the queue."""

    def __init__(self) -> None:
        self.after_fork()

    def after_fork(self) -> None:
        """What the parent process saw is not the child's."""
        self._underway: dict[str, weakref.ref[Underway]] = {}
        self._ended: deque[Prefill] = deque(maxlen=MOST_KEPT)
        self._lock = threading.Lock()

    def sent(self, call: Underway) -> None:
        """A call is under way."""
        with self._lock:
            if len(self._underway) >= MOST_KEPT:
                self._underway.pop(next(iter(self._underway)))
            self._underway[call.start.id] = weakref.ref(call)

    def beside(self, call: Underway, told: EngineTiming) -> EngineTiming:
        """The call has ended: note its prefill, and what others' took of its decoding.

        A wait above the median of the stream's own waits counts as far as others were prefilled meanwhile.
        What the engine itself tells of it stays.
        """
        own = _prefill_of(call, told)
        with self._lock:
            self._underway.pop(call.start.id, None)
            others = [*self._ended, *self._under_prefill()]
            if own is not None:
                self._ended.append(own)
        if told.prefill_beside_ns is not None or told.starved_ns is not None:
            return told
        taken = _taken(call, [other for other in others if other.call_id != call.start.id])
        return _with(told, taken) if taken else told

    def company(self, call: Underway) -> frozenset[str]:
        """The agents of other calls that may have been prefilled while this one ran, which has ended."""
        sent, ended = call.clocks.last_sent_ns or 0, call.clocks.ended_ns or 0
        with self._lock:
            others = [*self._ended, *self._under_prefill(ended)]
        return frozenset(
            other.agent_id
            for other in others
            if other.call_id != call.start.id and other.overlap_ns(sent, ended)
        )

    def _under_prefill(self, until_ns: int | None = None) -> Iterator[Prefill]:
        """Streams that still run and have begun: their prefill lies before their first chunk.

        With ``until_ns`` also those that may be prefilled still.
        """
        for found in self._underway.values():
            call = found()
            began = call.clocks.last_sent_ns if call is not None else None
            if call is None or began is None:
                continue
            ended = call.first_ns or until_ns
            if ended is not None:
                yield Prefill(call.start.id, call.start.agent_id, _owner(call), began, ended)


def _prefill_of(call: Underway, told: EngineTiming) -> Prefill | None:
    """When a call that has ended was prefilled: as long as its engine says, until its first token.

    One that failed, or whose prompt was all in the cache, was not.
    """
    if not told.computed_tokens and not told.prefill_ns:
        return None
    sent, answered = call.clocks.last_sent_ns, call.first_ns
    if answered is None and call.clocks.received_ns is not None:
        answered = call.clocks.received_ns - (told.decode_ns or 0)
    if sent is None or answered is None or answered <= sent:
        return None
    began = sent if told.prefill_ns is None else max(answered - told.prefill_ns, sent)
    return Prefill(
        call.start.id, call.start.agent_id, _owner(call), began, answered, told.computed_tokens
    )


def _owner(call: Underway) -> str:
    task, agent = call.place.task.record.name, call.start.agent_name
    return f"{task!r}, agent {agent!r}" if agent else repr(task)


def _taken(call: Underway, others: Iterable[Prefill]) -> Mapping[Prefill, int]:
    """What each of the others took of the call's decoding, in nanoseconds; the largest is asked first."""
    asked = sorted(others, key=lambda one: -(one.computed_tokens or 0))
    found: dict[Prefill, int] = {}
    for began, ended, excess in _slow_waits(call):
        left = excess
        for other in asked:
            part = min(other.overlap_ns(began, ended), left)
            if part > 0:
                found[other] = found.get(other, 0) + part
                left -= part
    return found


def _slow_waits(call: Underway) -> Iterator[tuple[int, int, int]]:
    """Beginning, end and excess over the median of each wait behind the first chunk that has one.

    What the caller did between its reads is spread evenly over them.
    """
    waits = (call.clocks.waits or Waits()).all[1:]
    known = [wait for wait in waits if wait >= SAME_READ_NS]
    if call.first_ns is None or call.clocks.ended_ns is None or len(known) < FEWEST_WAITS:
        return
    usual = int(median(known))
    between = max(call.clocks.ended_ns - call.first_ns - sum(waits), 0) // len(waits)
    at = call.first_ns
    for wait in waits:
        at += between
        if wait > usual:
            yield at, at + wait, wait - usual
        at += wait


def _with(told: EngineTiming, taken: Mapping[Prefill, int]) -> EngineTiming:
    """The record with what was found, estimated, and those who took it as its evidence."""
    long = {one: ns for one, ns in taken.items() if one.is_long}
    short = {one: ns for one, ns in taken.items() if not one.is_long}
    found = {"starved_ns": long, "prefill_beside_ns": short}
    known = {name: parts for name, parts in found.items() if parts}
    sums: dict[str, Any] = {name: sum(parts.values()) for name, parts in known.items()}
    return replace(
        told,
        starved_by=max(long, key=lambda one: long[one]).call_id if long else "",
        basis={**told.basis, **dict.fromkeys(known, "estimated")},
        evidence={**told.evidence, **{name: _words(parts) for name, parts in known.items()}},
        not_observable={k: v for k, v in told.not_observable.items() if k not in known},
        **sums,
    )


def _words(parts: Mapping[Prefill, int]) -> str:
    largest = max(parts, key=lambda one: parts[one])
    more = f" and {len(parts) - 1} more" if len(parts) > 1 else ""
    return f"prefill of {largest}{more}"
