"""A request's input as its provider caches it: segments in order, and the keys of its prefixes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Literal, TypeAlias

from msgspec import Struct, field

from touchdown.testing.provider.tokens import CHARS_PER_TOKEN

Level: TypeAlias = Literal["tools", "system", "messages"]
LEVELS: tuple[Level, ...] = ("tools", "system", "messages")


class Segment(Struct, frozen=True):
    """One block of the input.

    `label` is compared whole and carries no tokens (role, ids, images); `text` is compared
    character by character. `life` names the life of a cache breakpoint set on the block;
    `ends_message` says where a provider may place a breakpoint of its own.
    """

    label: str
    text: str
    tokens: int
    level: Level = "messages"
    life: str | None = None
    cacheable: bool = True
    ends_message: bool = False


class Prompt(Struct, frozen=True):
    """All segments, the scope entries are private to, and the settings each level depends on."""

    scope: str
    model: str
    segments: tuple[Segment, ...]
    settings: Mapping[Level, str] = field(default_factory=dict)

    @property
    def tokens(self) -> int:
        """Size of the whole input."""
        return sum(segment.tokens for segment in self.segments)

    def ends(self) -> list[tuple[bytes, int]]:
        """Key and length in tokens of the prefix that ends with each segment."""
        found = []
        length = 0
        for segment, chain in self._chain():
            chain.update(_whole(segment))
            length += segment.tokens
            found.append((chain.digest(), length))
        return found

    def blocks(self, block_tokens: int) -> list[tuple[bytes, int]]:
        """Key and length in tokens of the prefix at each full block of `block_tokens`."""
        found = []
        length = 0
        for segment, chain in self._chain():
            chain.update(_framed(segment.label))
            done = 0
            while done < segment.tokens:
                step = min(block_tokens - length % block_tokens, segment.tokens - done)
                start = done * CHARS_PER_TOKEN
                piece = segment.text[start : start + step * CHARS_PER_TOKEN]
                chain.update(piece.encode("utf-8", "surrogatepass"))
                done += step
                length += step
                if length % block_tokens == 0:
                    found.append((chain.digest(), length))
        return found

    def _chain(self) -> Iterator[tuple[Segment, hashlib.blake2b]]:
        """Each segment with the running hash, the settings of its level already mixed in."""
        chain = hashlib.blake2b(_framed(self.scope) + _framed(self.model), digest_size=16)
        entered = 0
        for segment in self.segments:
            depth = LEVELS.index(segment.level) + 1
            for level in LEVELS[entered:depth]:
                chain.update(_framed(self.settings.get(level, "")))
            entered = max(entered, depth)
            yield segment, chain


def _framed(text: str) -> bytes:
    raw = text.encode("utf-8", "surrogatepass")
    return len(raw).to_bytes(8, "big") + raw


def _whole(segment: Segment) -> bytes:
    return _framed(segment.label) + _framed(segment.text)
