"""Contexts: the whole segment list of each call, rebuilt from shapes that say only what is new."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct, field

from touchdown.records import ModelCall, Segment
from touchdown.records.context import SegmentKind


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
    _seen: Counter[str] = field(default_factory=Counter)

    def append(self, segment: Segment, prefix: int) -> None:
        """One more segment at the end."""
        index = len(self.segments)
        kind = segment.kind
        if kind == "tool_result":
            name = segment.call_id or segment.result_digest or segment.digest
            self.results.append(index)
            self.nth.append(self._seen[name])
            self._seen[name] += 1
        elif kind == "thinking" and self.first_thinking is None:
            self.first_thinking = index
        self.segments.append(segment)
        self.prefixes.append(prefix)

    def cut(self, length: int) -> "Trunk":
        """A trunk of its own with the first ``length`` segments."""
        trunk = Trunk()
        for segment, prefix in zip(self.segments[:length], self.prefixes[:length], strict=True):
            trunk.append(segment, prefix)
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
        before: tuple[SegmentKind, ...] = ("tools",) if name == "system" else ("tools", "system")
        index = 0
        if name == "tools":
            return index
        while index < self.length and self.trunk.segments[index].kind in before:
            index += 1
        return index


class Contexts:
    """Rebuilds contexts whatever order the shapes came in: a shape may name a call that was sent later."""

    def __init__(self, calls: Mapping[str, ModelCall]) -> None:
        self._calls = calls
        self._built: dict[str, Context] = {}
        self._latest: dict[str, Context] = {}
        self._numbers: dict[tuple[int, str, str], int] = {}
        self._nameless = 0
        self.missing: set[str] = set()
        """Ids of predecessors that were asked for and were not there."""

    def of(self, call: ModelCall) -> Context | None:
        """The context of this call; ``None`` where a predecessor is missing or too short."""
        chain = [call]
        while chain[-1].id not in self._built:
            wanted = chain[-1].context.predecessor
            if wanted is None or wanted in self._built:
                break
            before = self._calls.get(wanted)
            if before is None:
                self.missing.add(wanted)
                return None
            if len(chain) > len(self._calls):
                return None
            chain.append(before)
        for link in reversed(chain):
            if link.id not in self._built and not self._build(link):
                return None
        return self._built[call.id]

    def _build(self, call: ModelCall) -> bool:
        shape = call.context
        if shape.predecessor is None:
            before = self._latest.get(call.agent_id, Context(Trunk(), 0))
            shared = 0
        else:
            before, shared = self._built[shape.predecessor], shape.shared
            if not 0 <= shared <= before.length:
                return False
        marks = [index for index in before.breakpoints if index < shared]
        marks += [shared + i for i, new in enumerate(shape.new) if new.cache_life is not None]
        trunk, length = self._extend(before.trunk, shared, shape.new)
        built = Context(trunk, length, tuple(marks))
        self._built[call.id] = self._latest[call.agent_id] = built
        return True

    def _extend(self, trunk: Trunk, at: int, new: Sequence[Segment]) -> tuple[Trunk, int]:
        """``trunk`` up to ``at`` with ``new`` behind it, sharing whatever already stands there."""
        number = trunk.prefixes[at - 1] if at else 0
        for position, segment in enumerate(new):
            number = self._number(number, segment)
            if at < len(trunk.prefixes) and trunk.prefixes[at] == number:
                at += 1
                continue
            if at < len(trunk.prefixes):
                trunk = trunk.cut(at)
            trunk.append(segment, number)
            at += 1
            for later in new[position + 1 :]:
                number = self._number(number, later)
                trunk.append(later, number)
            return trunk, len(trunk.segments)
        return trunk, at

    def _number(self, before: int, segment: Segment) -> int:
        if not segment.digest:
            # Content that was never digested is equal to nothing, not even to itself.
            self._nameless -= 1
            return self._nameless
        numbers = self._numbers
        return numbers.setdefault((before, segment.kind, segment.digest), len(numbers) + 1)
