"""The context of one recorded agent as it grows, told call by call at the price of what is new."""

from collections.abc import Sequence

from touchdown.records import ContextShape, Segment

CHARS_PER_TOKEN = 4
"""Used only to guess how large the part is that a source leaves out. Basis: estimated."""


class History:
    """Segments in the order the model reads them. ``shape`` tells what is new since the call before."""

    def __init__(self) -> None:
        self._segments: list[Segment] = []
        self._kept = 0
        self._predecessor: str | None = None
        self._sequence = 0
        self._chars = 0

    def __len__(self) -> int:
        return len(self._segments)

    @property
    def segments(self) -> Sequence[Segment]:
        """What the model reads now."""
        return self._segments

    @property
    def chars(self) -> int:
        """Characters of all segments."""
        return self._chars

    def append(self, segment: Segment) -> None:
        """The model will read one more segment."""
        self._segments.append(segment)
        self._chars += segment.chars

    def extend(self, segments: Sequence[Segment]) -> int:
        """The model will read these, too. Tells how many it read before."""
        before = len(self._segments)
        self._segments += segments
        for segment in segments:
            self._chars += segment.chars
        return before

    def cut(self, length: int) -> None:
        """Only the first ``length`` segments are still read."""
        self._chars -= sum(segment.chars for segment in self._segments[length:])
        del self._segments[length:]
        self._kept = min(self._kept, length)

    def become(self, segments: Sequence[Segment]) -> None:
        """The model will read exactly these: what they share with those before is kept."""
        same = 0
        for before, now in zip(self._segments, segments, strict=False):
            if before is not now and before != now:
                break
            same += 1
        self.cut(same)
        for segment in segments[same:]:
            self.append(segment)

    def shape(self, call_id: str) -> ContextShape:
        """The shape of the call that reads what is here now."""
        shape = ContextShape(
            predecessor=self._predecessor,
            shared=self._kept,
            new=tuple(self._segments[self._kept :]),
            sequence=self._sequence,
            chars=self._chars,
        )
        self._predecessor = call_id
        self._kept = len(self._segments)
        self._sequence += 1
        return shape


def unseen_chars(input_tokens: int | None, visible_chars: int) -> int:
    """A guess at the size of what a call read beside what the source holds."""
    return max((input_tokens or 0) * CHARS_PER_TOKEN - visible_chars, 0)


def with_unseen(shape: ContextShape, chars: int, agent_id: str) -> ContextShape:
    """The shape with a first segment for what the source leaves out: the system prompt and the tools.

    Its size is a guess and its content unknown. It is taken to stay the same for one agent, and no cause
    is claimed for what happens in it.
    """
    going_on = shape.predecessor is not None
    unseen = () if going_on else (Segment("opaque", chars, f"unseen:{agent_id}"),)
    return ContextShape(
        predecessor=shape.predecessor,
        shared=shape.shared + 1 if going_on else shape.shared,
        new=unseen + shape.new,
        sequence=shape.sequence,
        digest=shape.digest,
        chars=shape.chars,
        chars_by_kind=shape.chars_by_kind,
        parameters=shape.parameters,
        opaque=shape.opaque,
        caching=shape.caching,
    )


def digest(kind: str, *pieces: str | bytes) -> str:
    """A digest of one block, to be compared within one session and with nothing else.

    It is the interpreter's own keyed hash, which takes text as it lies in memory: it means nothing in another
    process.
    """
    return hex(hash((kind, *pieces)))
