"""Blocks: the pieces of a request in the provider's cache order, with their content, inside the process."""

from collections.abc import Mapping, Sequence

from msgspec import Struct, field
from msgspec.structs import replace

from touchdown.records.answer import AnswerView
from touchdown.records.context import SegmentKind
from touchdown.records.provider import FIRST_CALL, NO_DIVERGENCE, NOT_TOLD, ProviderVerdict

MEDIA_CHARS = 5_000
"""What an image or document counts for when only its bytes are known: about 1,250 tokens (estimated)."""

MEDIA_KEYS = frozenset({"data", "file_data", "image_url", "url"})


class Block(Struct):
    """One piece of a request. ``content`` is never changed, kept only until the agent's next call."""

    __repr__ = object.__repr__

    kind: SegmentKind
    content: object
    role: str = ""
    call_id: str | None = None
    tool_name: str | None = None
    failed: bool = False
    cache_life: str | None = None
    result_text: object = None
    """What a tool returned, as it stands in the request: a string or a list of text parts."""

    def same_as(self, other: "Block") -> bool:
        """Whether the model reads the same. Strings shared with the last call cost a pointer compare."""
        return (
            self.kind == other.kind
            and self.role == other.role
            and bool(self.content == other.content)
        )


class RequestView(Struct):
    """What a reader makes of a request body: its blocks and what else decides about caches."""

    __repr__ = object.__repr__

    blocks: list[Block]
    parameters: dict[str, object] = field(default_factory=dict)
    """The parameters that invalidate caches, as sent."""
    request: dict[str, str | int | float | bool] = field(default_factory=dict)
    """Small parameters worth an attribute."""
    caching: str | None = None
    opaque: str | None = None
    previous_response_id: str = ""
    conversation: str = ""
    compared_with: str | None = None
    """Id of the answer that the provider is asked to compare this request with, for its verdict on the
    cache; empty for a first call, ``None`` when it is not asked."""
    problems: list[str] = field(default_factory=list)
    _lives: frozenset[str] | None = None

    @property
    def cache_lives(self) -> frozenset[str]:
        """The lives that its blocks ask for. Looked for once: of many blocks that takes long."""
        if self._lives is None:
            self._lives = frozenset([b.cache_life for b in self.blocks if b.cache_life])
        return self._lives

    def verdict_in(self, answer: AnswerView) -> ProviderVerdict | None:
        """What the answer says of the cache; ``None`` when nobody asked or there is no answer."""
        told = answer.provider_verdict
        if self.compared_with is None:
            return None if told is None or told.reason == NO_DIVERGENCE else told
        if not answer.response_id:
            return None
        if told is None:
            told = ProviderVerdict(NOT_TOLD)
        elif told.reason == NO_DIVERGENCE and not self.compared_with:
            told = ProviderVerdict(FIRST_CALL)
        return replace(told, compared_with=self.compared_with)


def copied(items: list[object]) -> list[object]:
    """A copy of a list of messages and of each message, not of what is in them."""
    try:
        return [*map(dict.copy, items)]  # type: ignore[arg-type]
    except TypeError:  # not mappings only
        return [dict(item) if isinstance(item, dict) else item for item in items]


def count_chars(content: object) -> int:
    """Characters of some JSON-like content as a model would read it, about. Media count ``MEDIA_CHARS``."""
    if isinstance(content, str):
        return len(content)
    if isinstance(content, Mapping):
        return sum(_chars_of_item(key, value) for key, value in content.items())
    if isinstance(content, (list, tuple)):
        return sum(count_chars(item) for item in content)
    if content is None or isinstance(content, bool):
        return 4
    return len(str(content))


def _chars_of_item(key: object, value: object) -> int:
    if key in MEDIA_KEYS and isinstance(value, (str, bytes)) and len(value) > MEDIA_CHARS:
        return MEDIA_CHARS
    return len(str(key)) + count_chars(value)


def result_text(content: object) -> str | None:
    """The text of a tool result, a string or text parts; ``None`` when it is neither."""
    if isinstance(content, str):
        return content
    if isinstance(content, Sequence):
        parts = [part.get("text") for part in content if isinstance(part, Mapping)]
        if parts and all(isinstance(part, str) for part in parts):
            return "".join(str(part) for part in parts)
    return None
