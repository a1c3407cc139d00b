"""The context of one model call: what the model was made to read, as shapes and digests, never as content."""

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct, field

SegmentKind = Literal[
    "tools",
    "system",
    "user",
    "assistant",
    "thinking",
    "tool_use",
    "tool_result",
    "media",
    "summary",
    "opaque",
    "other",
]
"""What a segment holds. ``opaque``: input the client cannot see (server-side state)."""


class Segment(Struct, frozen=True):
    """One piece of the context: a tool definition, a system block or one block of one message.

    Units: ``chars`` characters of the content as sent. ``digest`` is keyed per root task and covers the
    whole block; ``result_digest`` covers only the text of a tool result, so that it can be compared with
    what a decorated tool returned.
    """

    kind: SegmentKind
    chars: int
    digest: str
    role: str = ""
    call_id: str | None = None
    tool_name: str | None = None
    failed: bool = False
    """The protocol's own error flag of a tool result."""
    cache_life: str | None = None
    """The life asked for by a cache breakpoint that stands on this segment."""
    result_digest: str = ""
    answer_of: str = ""
    """Id of an earlier call whose answer stands in this segment, looked for where a history was cut."""
    tokens: int = 0
    """About how many tokens it is, estimated from its content; 0: not estimated, ``chars`` stand for it."""


class ContextShape(Struct, frozen=True):
    """The context of one call, told as what is new since a named predecessor of the same agent.

    The segments of the call, in the provider's cache order, are the first ``shared`` segments of
    ``predecessor`` followed by ``new``. Without a predecessor (a keyframe) ``new`` is everything.
    """

    predecessor: str | None = None
    """Id of the model call whose first segments are repeated."""
    shared: int = 0
    new: tuple[Segment, ...] = ()
    sequence: int = 0
    """Position of this call among the calls of its agent, from 0."""
    digest: str = ""
    """Digest of the digests of all segments: a reader of exported spans sees a gap by it."""
    chars: int = 0
    chars_by_kind: Mapping[str, int] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    """Digests of the parameters that invalidate caches, by name (``tool_choice``, ``thinking``, ...)."""
    opaque: str | None = None
    """Why part of the input cannot be seen from the client; ``None`` when all of it can."""
    caching: str | None = None
    """How caching was asked for: ``explicit``, ``automatic``, ``implicit`` (no request needed), ``off``."""

    @property
    def segments(self) -> int:
        """How many segments the context has."""
        return self.shared + len(self.new)
