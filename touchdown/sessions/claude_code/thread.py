"""One agent's thread: lines form a tree, and the context of a call is the branch that leads to it.

Parallel tool calls fork the tree within one step and are all read by the next call; a rewind leaves a dead
branch, whose calls have cost what they cost and whose content is read no more.
"""

from msgspec import Struct, field

from touchdown.records import ContextShape, Segment
from touchdown.sessions.history import History


class Node(Struct, eq=False):
    """One line that stands in the tree. ``index`` is its place on the live branch, -1 off it."""

    uuid: str
    parent: str | None
    at_ns: int
    segments: list[Segment] = field(default_factory=list)
    prompt: bool = False
    """Something a user typed, as against a tool's result."""
    response: str = ""
    """The id of the answer it is a line of."""
    root: bool = False
    """It begins a context anew: after a compaction, or a conversation of its own."""
    index: int = -1
    before: int = 0
    """How many segments stand before its own on the live branch."""


class Thread:
    """Follows the live branch, line by line in the order of the file."""

    def __init__(self) -> None:
        self._history = History()
        self._nodes: dict[str, Node] = {}
        self._branch: list[Node] = []
        self._step = 0
        """Place of the first line of the latest answer on the branch."""
        self._prompt = -1
        """Place of the latest prompt on the branch."""

    def knows(self, uuid: str) -> bool:
        """Whether a line with this id was taken in."""
        return uuid in self._nodes

    @property
    def tip_ns(self) -> int | None:
        """When the last line of the live branch was written."""
        return self._branch[-1].at_ns if self._branch else None

    def place(self, node: Node) -> None:
        """Make the branch on which the line stands the live one. ``append`` has to follow."""
        branch = self._branch
        if node.root:
            self._cut(0)
            return
        if branch and node.parent and branch[-1].uuid == node.parent:
            return
        parent = self._nodes.get(node.parent or "")
        if parent is None or (branch and parent is branch[-1]):
            return
        if parent.index < 0:
            self._revive(parent)
        elif not self._same_step(parent, node):
            self._cut(parent.index + 1)

    def append(self, node: Node) -> None:
        """Put the line at the end of the live branch."""
        if node.uuid:
            self._nodes[node.uuid] = node
        self._push(node)

    def shape(self, call_id: str) -> ContextShape:
        """The context of a call that is sent now."""
        return self._history.shape(call_id)

    def _push(self, node: Node) -> None:
        branch = self._branch
        if branch and branch[-1].at_ns > node.at_ns:
            # Lines that are written together may carry times a little out of order.
            node.at_ns = branch[-1].at_ns
        node.index = place = len(branch)
        if node.response and (not branch or branch[self._step].response != node.response):
            self._step = place
        if node.prompt:
            self._prompt = place
        branch.append(node)
        node.before = self._history.extend(node.segments)

    def _same_step(self, parent: Node, node: Node) -> bool:
        """Whether all behind ``parent`` belongs to its step, so that the line only joins it."""
        if node.prompt and self._prompt > parent.index:
            return False
        if parent.index >= self._step:
            return True
        return not any(later.segments for later in self._branch[parent.index + 1 :])

    def _cut(self, index: int) -> None:
        if index >= len(self._branch):
            return
        self._history.cut(self._branch[index].before)
        for node in self._branch[index:]:
            node.index = -1
        del self._branch[index:]
        self._step = self._first_line_of_latest()
        self._prompt = next((n.index for n in reversed(self._branch) if n.prompt), -1)

    def _first_line_of_latest(self) -> int:
        latest = next((n for n in reversed(self._branch) if n.response), None)
        if latest is None:
            return 0
        index = latest.index
        while index and self._branch[index - 1].response in (latest.response, ""):
            index -= 1
            if self._branch[index].response:
                latest = self._branch[index]
        return latest.index

    def _revive(self, node: Node) -> None:
        """Bring a dead branch back to life: a line was added to it."""
        chain = [node]
        seen = {id(node)}
        while (above := self._nodes.get(chain[-1].parent or "")) is not None:
            if above.index >= 0 or id(above) in seen or chain[-1].root:
                break
            seen.add(id(above))
            chain.append(above)
        attached = above is not None and above.index >= 0 and not chain[-1].root
        self._cut(above.index + 1 if attached and above is not None else 0)
        for link in reversed(chain):
            self._push(link)
