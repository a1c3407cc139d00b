"""What a serving engine says of one request: where its time went and what its cache held."""

import re
from collections.abc import Mapping
from typing import Literal

from msgspec import Struct, field
from msgspec.structs import replace

from touchdown.records.usage import Usage
from touchdown.records.verdict import Basis

JoinedBy = Literal["parent", "trace", "request_id", "window"]
"""How an engine's request was found to be of a call: its span lies below the call's; it is the only one
that fits in the call's trace; one id names both; or, inferred, time and token counts fit this call alone."""


class EngineTiming(Struct, frozen=True):
    """One model call as the engine that served it saw it: durations and counts, never moments.

    The phases are disjoint; what an engine merges stands in the one that holds most of it, and
    ``not_observable`` says of the others why they are ``None``. Their sum may be less than the total.

    Units: nanoseconds and tokens.
    """

    engine: str = ""
    """Its id, e.g. ``vllm``; empty when it was not recognised."""
    worker: str = ""
    """Whose cache and scheduler served the request, in the router's own words; empty when unknown."""
    block_tokens: int | None = None
    """The cache keeps whole blocks of so many tokens."""
    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    """Of the prompt: taken from the cache. The engine's own figure, not its router's forecast."""
    computed_tokens: int | None = None
    """Of the prompt: prefilled for this request."""
    frontend_ns: int | None = None
    """Parsing, tokenising and routing before the scheduler; of some engines also handing over the end."""
    queue_ns: int | None = None
    """Waiting to be scheduled."""
    kv_load_ns: int | None = None
    """Loading the prefix from a slower tier of memory."""
    fabric_ns: int | None = None
    """Moving the KV cache from the worker that prefilled to the one that decodes."""
    prefill_ns: int | None = None
    decode_ns: int | None = None
    """From the first to the last token."""
    prefill_beside_ns: int | None = None
    """Of ``decode_ns``, what the prefill of other requests took."""
    starved_ns: int | None = None
    """Of ``decode_ns``, what one named long prefill took."""
    starved_by: str = ""
    """The request with the long context that did."""
    total_ns: int | None = None
    """From the engine's receiving the request to its last token."""
    evicted_tokens: int | None = None
    """Of ``computed_tokens``: were in the cache before, and evicted."""
    evicted_ago_ns: int | None = None
    """The last of them so long before the call was sent; 0 for later."""
    requeues: int | None = None
    """How often the request was thrown out of the running batch and queued again."""
    basis: Mapping[str, Basis] = field(default_factory=dict)
    """By the name of the field above."""
    evidence: Mapping[str, str] = field(default_factory=dict)
    """By the name of the field: what the engine called it."""
    not_observable: Mapping[str, str] = field(default_factory=dict)
    """By the name of the field: why it is unknown, and what would show it."""

    @property
    def phases_ns(self) -> dict[str, int]:
        """The phases that are known, in the order in which a request passes them."""
        told = {name: getattr(self, name) for name in PHASES}
        return {name: value for name, value in told.items() if value is not None}


PHASES = (
    "frontend_ns",
    "queue_ns",
    "kv_load_ns",
    "fabric_ns",
    "prefill_ns",
    "decode_ns",
)

WITHIN_DECODE = ("prefill_beside_ns", "starved_ns")

COUNTS = ("prompt_tokens", "cached_tokens", "computed_tokens", "evicted_tokens", "requeues")

FIGURES = (*COUNTS, *PHASES, *WITHIN_DECODE, "total_ns")
"""Fields that have a basis where they are known, and a reason where they are not."""


class EngineReport(Struct, frozen=True):
    """What an engine said of one call elsewhere than in its answer: in spans of its own.

    ``routed``: it handed the request on to another engine, whose times lie within its own.
    """

    task_id: str
    call_id: str
    timing: EngineTiming
    joined_by: JoinedBy = "parent"
    routed: bool = False
    span_id: str = ""
    """Of the engine's own span: two of one engine are two requests."""


_KIND = re.compile(r"^(chatcmpl|cmpl|resp|msg)[-_]")


def bare_id(name: str) -> str:
    """An id without what an API puts in front of it, e.g. ``chatcmpl-``."""
    return _KIND.sub("", name)


def told_by_engine(usage: Usage, timing: EngineTiming | None) -> Usage:
    """The usage with the engine's own figure of the cache, where the answer's usage has none.

    Both must agree on the prompt: an engine that counts another one is not speaking of this input.
    """
    if timing is None or timing.cached_tokens is None or usage.cache_read is not None:
        return usage
    if usage.uncached is None or usage.input_tokens != timing.prompt_tokens:
        return usage
    uncached = usage.uncached - timing.cached_tokens
    if uncached < 0:
        return usage
    return replace(usage, uncached=uncached, cache_read=timing.cached_tokens)
