"""Contexts: the whole segment list of each call, rebuilt from shapes that say only what is new."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from operator import attrgetter
from typing import Protocol

from msgspec import Struct, field

from touchdown.records import ModelCall, Segment
from touchdown.records.context import SegmentKind

LEADING: tuple[SegmentKind, ...] = ("tools", "system")
"""What stands before the messages."""


class Trunk(Struct, eq=False):
    """A segment list that calls appending to each other share, so that a long history is held once.

    ``prefixes`` numbers the prefix ending at each segment: equal numbers mean equal prefixes.
    ``results`` are the indices of tool results; ``nth`` counts earlier results of the same call id.
    """

    segments: list[Segment] = field(default_factory=list)
    prefixes: list[int] = field(default_factory=list)
    results: list[int] = field(default_factory=list)
    nth: list[int] = field(default_factory=list)
    first_thinking: int | None = None
    first_message: int | None = None
    """The first segment that is neither a tool definition nor of the system prompt."""
    _seen: dict[str, int] = field(default_factory=dict)

    def extend(self, segments: Sequence[Segment], prefixes: Sequence[int]) -> None:
        """More segments at the end, with the numbers of their prefixes."""
        index = len(self.segments)
        for segment in segments:
            kind = segment.kind
            if kind == "tool_result":
                name = segment.call_id or segment.result_digest or segment.digest
                earlier = self._seen.get(name, 0)
                self.results.append(index)
                self.nth.append(earlier)
                self._seen[name] = earlier + 1
            elif kind == "thinking" and self.first_thinking is None:
                self.first_thinking = index
            if self.first_message is None and kind not in LEADING:
                self.first_message = index
            index += 1
        self.segments += segments
        self.prefixes += prefixes

    def cut(self, length: int) -> "Trunk":
        """A trunk of its own with the first ``length`` segments."""
        trunk = Trunk()
        trunk.extend(self.segments[:length], self.prefixes[:length])
        return trunk


class Context(Struct, frozen=True, eq=False):
    """The segments of one call: the first ``length`` of ``trunk``; ``breakpoints`` are indices in them."""

    trunk: Trunk
    length: int
    breakpoints: tuple[int, ...] = ()

    @property
    def identity(self) -> tuple[int, int]:
        """Equal for equal contexts."""
        return self.length, self.trunk.prefixes[self.length - 1] if self.length else -1

    def segment(self, index: int) -> Segment:
        """Segment ``index``."""
        return self.trunk.segments[index]

    def chars(self, start: int) -> list[int]:
        """Characters of the segments from ``start`` on."""
        return [segment.chars for segment in self.segments(start)]

    def segments(self, start: int) -> list[Segment]:
        """The segments from ``start`` on."""
        return self.trunk.segments[start : self.length]

    def has_results(self) -> bool:
        """Whether a tool result stands in the context."""
        results = self.trunk.results
        return bool(results) and results[0] < self.length

    def results_from(self, start: int) -> Sequence[int]:
        """Indices of the tool results from segment ``start`` on."""
        results = self.trunk.results
        if not results or results[-1] < start:
            return ()
        return results[bisect_left(results, start) : bisect_left(results, self.length)]

    def results(self) -> Iterator[tuple[int, int]]:
        """Indices of the tool results, last first, and how many earlier ones answer the same call id."""
        trunk = self.trunk
        for place in range(bisect_left(trunk.results, self.length) - 1, -1, -1):
            yield trunk.results[place], trunk.nth[place]

    def has_thinking(self) -> bool:
        """Whether reasoning that a provider may strip stands in the context."""
        first = self.trunk.first_thinking
        return first is not None and first < self.length

    def common(self, other: "Context") -> int:
        """How many first segments the two contexts have in common."""
        most = min(self.length, other.length)
        if self.trunk is other.trunk:
            return most
        mine, theirs = self.trunk.prefixes, other.trunk.prefixes
        low, high = 0, most
        while low < high:
            middle = (low + high + 1) // 2
            if mine[middle - 1] == theirs[middle - 1]:
                low = middle
            else:
                high = middle - 1
        return low

    def level(self, name: str) -> int:
        """Index of the first segment of a cache level: ``tools``, ``system`` or ``messages``."""
        if name == "tools":
            return 0
        first = self.trunk.first_message
        if name != "system":
            return self.length if first is None or first > self.length else first
        index = 0
        while index < self.length and self.trunk.segments[index].kind == "tools":
            index += 1
        return index


class Known(Protocol):
    """The calls that shapes may name."""

    def __len__(self) -> int: ...

    def get(self, call_id: str, /) -> ModelCall | None:
        """The call with this id."""
        ...

    def context_of(self, call_id: str, /) -> Context | None:
        """Its context, where it was forgotten here."""
        ...


class Contexts:
    """Rebuilds contexts whatever order the shapes came in: a shape may name a call that was sent later."""

    def __init__(self, calls: Known) -> None:
        self._calls = calls
        self._built: dict[str, Context] = {}
        self._latest: dict[str, Context] = {}
        self._numbers = _Numbers()
        self.missing: set[str] = set()
        """Ids of predecessors that were asked for and were not there."""

    def of(self, call: ModelCall) -> Context | None:
        """The context of this call; ``None`` where a predecessor is missing or too short."""
        found = self._known(call.id)
        if found is not None:
            return found
        chain = [call]
        while (wanted := chain[-1].context.predecessor) is not None and self._known(wanted) is None:
            before = self._calls.get(wanted)
            if before is None:
                self.missing.add(wanted)
                return None
            if len(chain) > len(self._calls):
                return None
            chain.append(before)
        for link in reversed(chain):
            found = self._build(link)
            if found is None:
                return None
        return found

    def forget(self, call_id: str) -> None:
        """Who keeps this call is asked for its context, should a shape name it yet."""
        if self._calls.context_of(call_id) is not None:
            self._built.pop(call_id, None)

    def _known(self, call_id: str) -> Context | None:
        found = self._built.get(call_id)
        return self._calls.context_of(call_id) if found is None else found

    def _build(self, call: ModelCall) -> Context | None:
        shape = call.context
        if shape.predecessor is None:
            before, shared = self._latest.get(call.agent_id) or Context(Trunk(), 0), 0
        else:
            known, shared = self._known(shape.predecessor), shape.shared
            if known is None or not 0 <= shared <= known.length:
                return None
            before = known
        marks = before.breakpoints
        if marks and marks[-1] >= shared:
            marks = tuple([index for index in marks if index < shared])
        new = [shared + i for i, one in enumerate(shape.new) if one.cache_life is not None]
        trunk, length = self._extend(before.trunk, shared, shape.new)
        built = Context(trunk, length, (*marks, *new) if new else marks)
        self._built[call.id] = self._latest[call.agent_id] = built
        return built

    def _extend(self, trunk: Trunk, at: int, new: Sequence[Segment]) -> tuple[Trunk, int]:
        """``trunk`` up to ``at`` with ``new`` behind it, sharing whatever already stands there."""
        prefixes = trunk.prefixes
        told_again = _told_again(trunk, at, new)
        new, at, same = new[told_again:], at + told_again, 0
        numbers = self._numbers.behind(prefixes[at - 1] if at else 0, new)
        while same < len(new) and at < len(prefixes) and prefixes[at] == numbers[same]:
            same, at = same + 1, at + 1
        if same < len(new):
            if at < len(prefixes):
                trunk = trunk.cut(at)
            trunk.extend(new[same:] if same else new, numbers[same:])
            at = len(trunk.prefixes)
        return trunk, at


def _told_again(trunk: Trunk, at: int, new: Sequence[Segment]) -> int:
    """How many segments stand there already, where all may: a keyframe tells the whole context again."""
    if at == len(trunk.segments):
        return 0
    known = trunk.segments[at : at + len(new)]
    told = new[: len(known)]
    names = list(map(_digest, told))
    if names != list(map(_digest, known)) or not all(names):
        return 0
    return len(known) if list(map(_kind, told)) == list(map(_kind, known)) else 0


class _Numbers:
    """Numbers of prefixes: equal ones have equal numbers. 0 is the empty one."""

    def __init__(self) -> None:
        self._last: list[Segment | None] = [None]
        """By number: the segment that the prefix ends with."""
        self._longer = [0]
        """By number: the first prefix met that is one segment longer, 0 while there is none."""
        self._others: dict[tuple[int, str, str], int] = {}
        """Further ones, by what they end with."""
        self._nameless = 0

    def behind(self, before: int, segments: Sequence[Segment]) -> list[int]:
        """The numbers of the prefixes that go on from ``before`` with one more of these segments each."""
        if before >= 0 and not self._longer[before] and all(map(_digest, segments)):
            first = len(self._last)
            numbers = list(range(first, first + len(segments)))
            if numbers:
                self._longer[before] = first
                self._last += segments
                self._longer += [*numbers[1:], 0]
            return numbers
        numbers = []
        for segment in segments:
            before = self._next(before, segment)
            numbers.append(before)
        return numbers

    def _next(self, before: int, segment: Segment) -> int:
        if not segment.digest:
            # Content that was never digested is equal to nothing, not even to itself.
            self._nameless -= 1
            return self._nameless
        if before >= 0:
            number = self._longer[before]
            if not number:
                number = self._longer[before] = self._new(segment)
                return number
            last = self._last[number]
            if last is not None and last.digest == segment.digest and last.kind == segment.kind:
                return number
        key = (before, segment.kind, segment.digest)
        known = self._others.get(key)
        if known is None:
            known = self._others[key] = self._new(segment)
        return known

    def _new(self, segment: Segment) -> int:
        self._last.append(segment)
        self._longer.append(0)
        return len(self._last) - 1


_digest = attrgetter("digest")
_kind = attrgetter("kind")
