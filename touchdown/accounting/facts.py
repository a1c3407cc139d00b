"""What the fold knows of one model call."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Protocol

import msgspec
from msgspec import Struct

from touchdown.accounting.cache_rules import CacheRule
from touchdown.accounting.contexts import Context
from touchdown.accounting.places import Places
from touchdown.accounting.pricing import NOTHING, Bill
from touchdown.accounting.ranges import Range
from touchdown.accounting.time.accounts import Phase
from touchdown.context.shares import Shares
from touchdown.prices.rates import Unpriced
from touchdown.records import Miss, ModelCall, Usage
from touchdown.records.verdict import Basis, CacheState


class Missed(Struct, frozen=True):
    """Tokens that were missed, by one cause, before their price is known."""

    cause: str
    ranges: tuple[Range, ...]
    segment: int = 0
    token: int = 0
    kind: str = ""
    detail: str = ""
    basis: Basis = "estimated"


class Diagnosis(Struct, frozen=True):
    """What became of the prefix cache at one call; ``missed`` is ``None`` when it cannot be known."""

    state: CacheState
    reusable: int | None = None
    read: int | None = None
    missed: int | None = None
    misses: tuple[Missed, ...] = ()


class Posting(Struct, frozen=True):
    """One call's money in accounts. ``total`` is their sum; all is empty for an unpriced call."""

    total: Decimal | None = None
    work: Decimal = Decimal(0)
    taxes: Mapping[str, Decimal] = msgspec.field(default_factory=dict)
    unexplained: Mapping[str, Decimal] = msgspec.field(default_factory=dict)
    """By reason."""
    within_work: Mapping[str, Decimal] = msgspec.field(default_factory=dict)
    """Parts of ``work`` by account: they are in it, not beside it."""


class PriceLayer(Struct, frozen=True):
    """What one call was charged, split before any claim: the misses' price layer and the content."""

    total: Decimal
    content: Decimal
    misses: tuple[Decimal, ...] = ()
    table_content: Decimal = Decimal(0)
    """The content by the table, before it was scaled to what the answer says was charged."""
    unsplit: bool = False
    """The answer names a total, but there are no rates to split it with."""
    reported: bool = False
    """The total is what the provider's own answer says."""


class Compaction(Struct, frozen=True):
    """A summary in the place of a history, at the first call that reads it.

    Units: tokens. ``summary`` is where it stands; ``source`` is the call whose answer it is, empty when
    the provider wrote it; ``removed`` is what it keeps out of this call and of those that go on from it.
    """

    summary: tuple[Range, ...]
    source: str
    removed: int


class WrittenPart(Struct, frozen=True):
    """Tokens that one call wrote with one life. Units: seconds; ``max_s`` ``None``: its end is not stated."""

    start: int
    end: int
    max_s: int | None


class CacheWrite(Struct, eq=False):
    """What one call wrote to the cache, and up to which token later calls are known to have read it.

    Units: nanoseconds since the epoch.
    """

    parts: tuple[WrittenPart, ...]
    read_until: int
    written_ns: int | None
    """When its lives began; ``None`` where the writer's clock cannot be trusted."""
    dies_ns: int | None = None
    """When all of it is certain to be gone if nothing reads it; ``None``: never certain."""

    def __post_init__(self) -> None:
        """What every later call on the route asks, worked out once."""
        ends = [self.died_ns(part) for part in self.parts]
        self.dies_ns = None if None in ends else max(end for end in ends if end is not None)

    @property
    def end(self) -> int:
        """The token behind the last one written."""
        return self.parts[-1].end

    def died_ns(self, part: WrittenPart) -> int | None:
        """When a part is certain to be gone; ``None``: never certain."""
        if part.max_s is None or self.written_ns is None:
            return None
        return self.written_ns + part.max_s * 10**9

    def unread(self) -> list[WrittenPart]:
        """The parts that nothing is known to have read."""
        return [
            WrittenPart(max(part.start, self.read_until), part.end, part.max_s)
            for part in self.parts
            if part.end > self.read_until
        ]


class Packed(Protocol):
    """Where the part of a call lies that is packed."""

    def unpack(self, facts: Any) -> None:
        """Give the call back what it had."""
        ...

    def close(self, facts: Any) -> None:
        """Take it away again."""
        ...


_UNKNOWN = Diagnosis("unknown")


class CallFacts(Struct, eq=False):
    """One model call with everything that folding made of it."""

    call: ModelCall
    context: Context | None
    bill: Bill | Unpriced
    rule: CacheRule | None
    base: "CallFacts | None" = None
    common: int = 0
    """How many first segments it has in common with its base."""
    shares: Shares | None = None
    by_kind: Mapping[str, int] | None = None
    """Its tokens by kind of segment, while they were asked for and no later call goes on from them."""
    life: str | None = None
    """The life of the cache entry that this call wrote or read."""
    diagnosis: Diagnosis = _UNKNOWN
    changed: tuple[str, str] | None = None
    """How the context differs from the base's: cause and detail, also where nothing was lost by it."""
    layer: PriceLayer | None = None
    misses: tuple[Miss, ...] = ()
    write: CacheWrite | None = None
    """What it wrote to the cache; ``None`` also once all of it is known to have been read."""
    continues: bool = False
    """Whether it goes on with the conversation of its base: they share messages, or a summary of them."""
    continued: bool = False
    """Whether a later call goes on with it as it is, on the same route."""
    stale: tuple[tuple[int, Range], ...] = ()
    """Numbers and tokens of the tool results that are stale here and dearer than dropping them, by policy."""
    rewriting_usd: Decimal = NOTHING
    """What dropping the outputs that became stale at this call would have cost, once."""
    compaction: Compaction | None = None
    removed: int = 0
    """Tokens that the last compaction keeps out of this call."""
    gaps: tuple[str, ...] = ()
    """Why something that may have cost money is not in the total."""
    standing: Mapping[str, Places] | None = None
    """By tool: where its results stand, here and in calls that go on from this one; ``None``: unpriced."""
    _extent: int | None = None
    posted: tuple[object, Posting] | None = None
    """The last posting, and the claims it was made with: only what claims changed is posted again."""
    phased: tuple[object, Sequence[Phase]] | None = None
    """The same of its phases in time."""
    pack: Packed | None = None
    """Once it was packed: with which others, and at which ``place`` among them."""
    place: int = 0

    key: tuple[int, str] = (0, "")
    """The order of folding."""
    model: str = ""
    """The model that is priced."""
    route: tuple[str, str, str] = ("", "", "")
    """Whose cache, and of which model: entries of other routes cannot be read."""
    answered: bool = False
    """Whether an answer began, so that the call may have written to the cache."""
    is_hidden: bool = False
    """Whether the input that was billed is not the context as it was sent."""
    clock_is_sound: bool = True
    """Whether its times can be compared with others."""
    worker: str = ""
    """Which worker of a serving engine answered; empty when that is not known."""
    input_tokens: int | None = None
    """The whole input; ``None`` when it was not reported."""

    def __post_init__(self) -> None:
        """What is asked again and again by later calls, worked out once."""
        call, usage = self.call, self.call.usage
        self.key = call.sent_at_ns, call.id
        self.model = call.response_model or call.model
        self.route = call.scope, call.provider, self.model
        self.answered = (
            call.status == "ok" or call.first_chunk_ns is not None or usage.completeness != "none"
        )
        self.is_hidden = call.context.opaque is not None or bool(usage.steps and usage.compacted)
        self.clock_is_sound = call.duration_ns >= 0 and (call.first_chunk_ns or 0) >= 0
        if call.engine is not None:
            self.worker = call.engine.worker
        self.input_tokens = usage.input_tokens

    @property
    def ends_conversation(self) -> bool:
        """Whether it is the last call of a conversation of two or more."""
        return self.continues and not self.continued

    @property
    def extent(self) -> int:
        """How many tokens of its input stood in the cache when it was done."""
        if self._extent is None:
            self._extent = _extent(self.call.usage, self.rule)
        return self._extent


def _extent(usage: Usage, rule: CacheRule | None) -> int:
    if rule is not None and rule.ends == "block":
        tokens = usage.input_tokens or 0
        cached = tokens >= (rule.minimum_high or 0)
        return tokens // rule.block * rule.block if cached else 0
    return (usage.cache_read or 0) + usage.written_tokens
