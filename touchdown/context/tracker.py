"""The tracker: turns the blocks of a call into a shape that says what is new since the call before."""

import hashlib
from collections.abc import Sequence

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

from touchdown.context.answers import Answers
from touchdown.context.blocks import Block, RequestView, count_chars, result_text
from touchdown.context.sizes import estimate_tokens
from touchdown.records import AnswerView, ContextShape, Segment

KEYFRAME_EVERY = 50
"""After this many calls of an agent a shape tells the whole context again."""

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


class ContextTracker(Struct):
    """Follows the context of one agent from call to call. Not thread-safe: used behind the queue only.

    Keeps the last call's blocks (their strings are the host's own) until the next call or the task's end.
    """

    key: bytes
    answers: Answers = field(default_factory=Answers)
    """What the agents of this task were answered last: looked for where a history was cut."""
    _blocks: list[Block] = field(default_factory=list)
    _segments: list[Segment] = field(default_factory=list)
    _predecessor: str | None = None
    _sequence: int = 0
    chars: int = 0
    """Characters of the context that is kept."""

    def shape(self, call_id: str, view: RequestView) -> ContextShape:
        """The shape of this call's context against the agent's call before it."""
        shared = self._common(view.blocks)
        if len(self._segments) < shared:
            shared = len(self._segments)
        kept = self._segments[:shared]
        fresh = view.blocks[shared:]
        new = [make_segment(block, self.key) for block in fresh]
        if shared < len(self._segments):
            for index, answered in self.answers.find(fresh).items():
                new[index] = replace(new[index], answer_of=answered)
        segments = kept + new
        keyframe = self._predecessor is None or self._sequence % KEYFRAME_EVERY == 0
        by_kind = _chars_by_kind(segments)
        self.chars = sum(by_kind.values())
        shape = ContextShape(
            predecessor=None if keyframe else self._predecessor,
            shared=0 if keyframe else shared,
            new=tuple(segments) if keyframe else tuple(new),
            sequence=self._sequence,
            digest=_digest_all(segments, self.key),
            chars=self.chars,
            chars_by_kind=by_kind,
            parameters={name: digest(value, self.key) for name, value in view.parameters.items()},
            opaque=view.opaque,
            caching=view.caching,
        )
        self._blocks, self._segments = view.blocks, segments
        self._predecessor = call_id
        self._sequence += 1
        return shape

    def note_answer(self, call_id: str, answer: AnswerView) -> None:
        """Remember an answer that may be a summary: one that asks for a tool is none."""
        if not answer.output.tool_requests:
            self.answers.note(call_id, answer.text)

    def _common(self, blocks: Sequence[Block]) -> int:
        shared = 0
        for old, new in zip(self._blocks, blocks, strict=False):
            if old.cache_life != new.cache_life or old.failed != new.failed or not old.same_as(new):
                break
            shared += 1
        return shared


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


def _digest_all(segments: Sequence[Segment], key: bytes) -> str:
    joined = "".join([segment.digest for segment in segments])
    return hashlib.blake2b(joined.encode(), digest_size=8, key=key).hexdigest()


def _chars_by_kind(segments: Sequence[Segment]) -> dict[str, int]:
    counted: dict[str, int] = {}
    for segment in segments:
        kind = segment.kind
        counted[kind] = counted.get(kind, 0) + segment.chars
    return counted
