"""The tracker: turns the blocks of a call into a shape that says what is new since the call before."""

import hashlib
from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from touchdown.context.answers import Answers
from touchdown.context.blocks import Block, RequestView, count_chars, result_text
from touchdown.context.growing import LastRequest
from touchdown.context.sizes import estimate_tokens
from touchdown.records import AnswerView, ContextShape, Segment

KEYFRAME_EVERY = 50
"""After this many calls of an agent a shape tells the whole context again."""

PIECE_CHARS = 500
"""About what a piece of a context takes in memory beside its characters, a copy of its message included.

Source: 323 bytes and the copy for a message of two characters (tracemalloc, Python 3.11, 2026-11).
"""

MARK_TOKENS = {"tool_use": 16}
OTHER_MARK_TOKENS = 4
"""What providers put around a message or a block of it: a role, a beginning, an end. Basis: estimated.

Source: successive calls of the recordings (Claude, 2026-11) show about 10 around a tool result and 40 around
a tool request; others write shorter marks. What a model's calls show is learned in accounting.
"""


def _identity(value: object) -> str:
    """Stands for an object that is no JSON: its ``repr`` may run any code, so it is only itself."""
    return f"{type(value).__qualname__}:{id(value)}"


_encode = msgspec.json.Encoder(enc_hook=_identity, order="sorted").encode


def digest(content: object, key: bytes) -> str:
    """A keyed digest of JSON-like content: 16 hex digits, comparable only under the same key."""
    data = (
        content.encode("utf-8", "surrogatepass") if isinstance(content, str) else _encoded(content)
    )
    return hashlib.blake2b(data, digest_size=8, key=key).hexdigest()


def _encoded(content: object) -> bytes:
    try:
        return _encode(content)
    except Exception:
        return _identity(content).encode("utf-8", "surrogatepass")


class ContextTracker:
    """Follows the context of one agent from call to call. Not thread-safe: used behind the queue only.

    Keeps the last call's blocks (their strings are the host's own) until the next call or the task's end.
    """

    __slots__ = (
        "_blocks",
        "_counted",
        "_digested",
        "_kinds",
        "_predecessor",
        "_segments",
        "_sequence",
        "answers",
        "chars",
        "key",
        "last",
    )

    def __init__(self, key: bytes, answers: Answers | None = None) -> None:
        self.key = key
        self.answers = Answers() if answers is None else answers
        """What the agents of this task were answered last: looked for where a history was cut."""
        self.last = LastRequest()
        """The agent's last request: of the next one only what is new is read."""
        self.chars = 0
        """Characters of the context that is kept."""
        self._blocks: list[Block] = []
        self._segments: list[Segment] = []
        self._kinds: dict[str, list[int]] = {}
        """By kind, how many segments there are and their characters."""
        self._digested = hashlib.blake2b(digest_size=8, key=key)
        self._counted = 0
        """How many of the first segments are digested already."""
        self._predecessor: str | None = None
        self._sequence = 0

    @property
    def weight(self) -> int:
        """Characters of the context that is kept, and what its pieces take beside them."""
        return self.chars + PIECE_CHARS * len(self._segments)

    def shape(self, call_id: str, view: RequestView) -> ContextShape:
        """The shape of this call's context against the agent's call before it."""
        shared = min(_count_same(self._blocks, view.blocks), len(self._segments))
        fresh = view.blocks[shared:]
        new = [make_segment(block, self.key) for block in fresh]
        if shared < len(self._segments):
            for index, answered in self.answers.find(fresh).items():
                new[index] = replace(new[index], answer_of=answered)
            self._cut(shared)
        whole = self._digest(new)
        self._append(new)
        keyframe = self._predecessor is None or self._sequence % KEYFRAME_EVERY == 0
        shape = ContextShape(
            predecessor=None if keyframe else self._predecessor,
            shared=0 if keyframe else shared,
            new=tuple(self._segments if keyframe else new),
            sequence=self._sequence,
            digest=whole,
            chars=self.chars,
            chars_by_kind={kind: chars for kind, (_, chars) in self._kinds.items()},
            parameters={name: digest(value, self.key) for name, value in view.parameters.items()},
            opaque=view.opaque,
            caching=view.caching,
        )
        self._blocks = view.blocks
        self._predecessor = call_id
        self._sequence += 1
        return shape

    def _cut(self, length: int) -> None:
        """Only the first segments are read any longer."""
        for segment in self._segments[length:]:
            counted = self._kinds[segment.kind]
            counted[0] -= 1
            counted[1] -= segment.chars
            self.chars -= segment.chars
            if not counted[0]:
                del self._kinds[segment.kind]
        del self._segments[length:]

    def _append(self, segments: list[Segment]) -> None:
        self._segments += segments
        for segment in segments:
            counted = self._kinds.setdefault(segment.kind, [0, 0])
            counted[0] += 1
            counted[1] += segment.chars
            self.chars += segment.chars

    def _digest(self, new: list[Segment]) -> str:
        """The digest of all digests, with these behind those that are kept."""
        if self._counted > len(self._segments):
            self._digested = hashlib.blake2b(digest_size=8, key=self.key)
            self._counted = 0
        self._digested.update(_joined(self._segments[self._counted :]))
        self._counted = len(self._segments)
        whole = self._digested.copy()
        whole.update(_joined(new))
        return whole.hexdigest()

    def note_answer(self, call_id: str, answer: AnswerView) -> None:
        """Remember an answer that may be a summary: one that asks for a tool is none."""
        if not answer.output.tool_requests:
            self.answers.note(call_id, answer.text)


def _count_same(before: Sequence[Block], now: Sequence[Block]) -> int:
    """How many blocks at the beginning the model reads as before."""
    same = min(len(before), len(now))
    # Blocks that were not read anew are the same objects.
    while same and before[same - 1] is not now[same - 1]:
        same -= 1
    while same and before[:same] != now[:same]:
        same //= 2
    for old, new in zip(before[same:], now[same:], strict=False):
        if old.cache_life != new.cache_life or old.failed != new.failed or not old.same_as(new):
            break
        same += 1
    return same


def make_segment(block: Block, key: bytes) -> Segment:
    """The shape of one block: its size and keyed digests."""
    text = result_text(block.result_text) if block.kind == "tool_result" else None
    return Segment(
        kind=block.kind,
        chars=count_chars(block.content),
        digest=digest([block.kind, block.role, block.content], key),
        role=block.role,
        call_id=block.call_id,
        tool_name=block.tool_name,
        failed=block.failed,
        cache_life=block.cache_life,
        result_digest=digest(text, key) if text is not None else "",
        tokens=block_tokens(block),
    )


def block_tokens(block: Block) -> int:
    """About how many tokens a block is, with what marks it in the prompt."""
    marks = MARK_TOKENS.get(block.kind, OTHER_MARK_TOKENS)
    if block.kind == "tools":
        # Shown to the model with its whole structure.
        return marks + estimate_tokens(_encoded(block.content).decode("utf-8", "replace"))
    return marks + estimate_tokens(block.content)


def _joined(segments: Sequence[Segment]) -> bytes:
    return "".join([segment.digest for segment in segments]).encode()
