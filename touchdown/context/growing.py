"""Requests that grow: of one that goes on from its agent's last only what is new is read."""

from array import array
from collections.abc import Mapping, Sequence
from typing import Protocol

from touchdown.context.blocks import Block

FLAT = frozenset({str, int, float, bool, type(None)})


class GrowingReader(Protocol):
    """Reads requests that hold a list which grows from call to call, each item read by itself.

    ``frame`` names the other fields of the body that blocks are made of, or by which items are read.
    """

    @property
    def frame(self) -> tuple[str, ...]: ...

    def items_in(self, body: Mapping[str, object]) -> Sequence[object]:
        """The list."""
        ...

    def read_frame(self, body: Mapping[str, object]) -> list[Block]:
        """The blocks before those of the list. Only the fields of the frame are at hand."""
        ...

    def read_item(
        self, item: object, frame: Mapping[str, object], names: dict[str, str]
    ) -> list[Block]:
        """The blocks of one item. ``names`` holds the tools' names by the ids of the calls so far."""
        ...

    def is_marked(self, block: Block) -> bool:
        """Whether the reader looks at this block again once all are read."""
        ...


class LastRequest:
    """What an agent's last request said, and the blocks that it was read as. Used behind the queue only.

    It compares with copies, at C speed: a host may edit in place what lies in the items. (The items
    themselves are copies already.) What is no JSON cannot be copied: from there on a request is read anew.
    ``keeps``: whether another one may follow.
    """

    __slots__ = (
        "_ends",
        "_frame",
        "_items",
        "_keeps",
        "_names",
        "_reader",
        "first",
        "marked",
        "said",
    )

    def __init__(self, keeps: bool = True) -> None:
        self._keeps = keeps
        self._reader: GrowingReader | None = None
        self._frame: dict[str, object] = {}
        self._items: list[object] = []
        """Copies of the first items; fewer than were read where one could not be copied."""
        self._ends = array("L")
        """By item, how many blocks there are up to its end."""
        self._names: dict[str, str] = {}
        self.first: list[Block] = []
        """The blocks of the frame. None of these lists is to be changed by others."""
        self.said: list[Block] = []
        """The blocks of the list's items."""
        self.marked: list[int] = []
        """The places of those that the reader looks at again."""

    def follow(self, reader: GrowingReader, body: Mapping[str, object]) -> None:
        """Make this request the last one.

        Errors: what the reader raises; the next request is read whole then.
        """
        given = reader.items_in(body)
        frame = {name: body[name] for name in reader.frame if name in body}
        before, self._reader = self._reader, None
        if before is reader and _equal(frame, self._frame):
            self._cut(_count_alike(self._items, given))
        else:
            self._items, self._ends, self._names = [], array("L"), {}
            self.said, self.marked = [], []
            copied = _copied(frame) if self._keeps else None
            before = reader if isinstance(copied, dict) else None
            self._frame = copied if isinstance(copied, dict) else frame
            self.first = reader.read_frame(self._frame)
        for item in given[len(self._ends) :]:
            self._read(reader, item)
        self._reader = before

    def marked_from(self, place: int) -> list[Block]:
        """The marked ones from this place on."""
        return [self.said[at] for at in self.marked if at >= place]

    def _read(self, reader: GrowingReader, item: object) -> None:
        if self._keeps and len(self._items) == len(self._ends):
            copied = _copied(item)
            if copied is not None:
                item = copied
                self._items.append(item)
        for block in reader.read_item(item, self._frame, self._names):
            if reader.is_marked(block):
                self.marked.append(len(self.said))
            self.said.append(block)
        self._ends.append(len(self.said))

    def _cut(self, items: int) -> None:
        """Only the first items are known any longer."""
        if items == len(self._ends):
            return
        end = self._ends[items - 1] if items else 0
        if any(block.kind == "tool_use" for block in self.said[end:]):
            kept = (block for block in self.said[:end] if block.kind == "tool_use")
            self._names = {block.call_id or "": block.tool_name or "" for block in kept}
        self.said = self.said[:end]
        del self._items[items:], self._ends[items:]
        while self.marked and self.marked[-1] >= end:
            self.marked.pop()


def _equal(one: object, other: object) -> bool:
    try:
        return bool(one == other)
    except Exception:  # objects of the host's own types
        return False


def _count_alike(known: Sequence[object], given: Sequence[object]) -> int:
    """How many items at the beginning are the same, or fewer."""
    alike = min(len(known), len(given))
    # Marks of the cache move on at the end; a history that was edited is another from there on.
    while alike and not _equal(known[alike - 1], given[alike - 1]):
        alike -= 1
    while alike and not _equal(known[:alike], given[:alike]):
        alike //= 2
    return alike


class _ForeignError(Exception):
    """Something that is no JSON."""


def _copy(value: object) -> object:
    """A copy of JSON-like content down to its strings."""
    if isinstance(value, dict):
        return {key: _copy(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_copy(part) for part in value]
    if value is None or isinstance(value, (str, int, float, bytes)):
        return value
    raise _ForeignError


def _copied(value: object) -> object:
    if isinstance(value, dict) and FLAT.issuperset(map(type, value.values())):
        return value
    try:
        return _copy(value)
    except (_ForeignError, RecursionError):
        return None
