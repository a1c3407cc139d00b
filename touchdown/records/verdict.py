"""What the accountant says of one model call when it is folded: provisional until the task closes."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Literal

from msgspec import Struct, field

CacheState = Literal["cold", "warm", "partial", "missed", "off", "unknown"]
"""``cold``: no predecessor; ``warm``: all that could be read was; ``partial``/``missed``: some or none of
it was; ``off``: no caching offered or asked for; ``unknown``: the provider reported no cache figures."""

Basis = Literal["measured", "derived", "estimated"]
RANK: tuple[Basis, ...] = ("measured", "derived", "estimated")
"""Best first."""


def worst(parts: Iterable[Basis]) -> Basis:
    """The basis of a sum: it is known as well as its worst part."""
    return max(parts, key=RANK.index, default="derived")


class CostByClass(Struct, frozen=True):
    """The cost of one call by what was billed. Units: US dollars, exact decimals."""

    uncached: Decimal = Decimal(0)
    cache_read: Decimal = Decimal(0)
    cache_write: Decimal = Decimal(0)
    output: Decimal = Decimal(0)
    server_tools: Decimal = Decimal(0)

    @property
    def total(self) -> Decimal:
        """All classes together."""
        return self.uncached + self.cache_read + self.cache_write + self.output + self.server_tools


class Miss(Struct, frozen=True):
    """Tokens that stood in the base and were paid above the cache-read rate, with one cause.

    Units: ``tokens`` tokens; ``usd`` what was paid above the read rate, ``None`` when unpriced.
    ``segment`` is the index in the context at which the miss begins, ``token`` its token position.
    """

    cause: str
    tax: str
    tokens: int
    usd: Decimal | None
    segment: int
    token: int
    kind: str = ""
    detail: str = ""
    basis: Basis = "estimated"


class CallVerdict(Struct, frozen=True):
    """Cost, cache state and make-up of one model call.

    Units: tokens and US dollars. ``cost`` is ``None`` when the call is unpriced; ``unpriced`` then says why.
    """

    call_id: str
    cost: CostByClass | None = None
    unpriced: str | None = None
    price_basis: Basis = "derived"
    price_reason: str | None = None
    """E.g. ``price_assumed_list`` when a list price was taken for an unknown host."""
    price_source: str | None = None
    cache_state: CacheState = "unknown"
    reusable_tokens: int | None = None
    read_tokens: int | None = None
    missed_tokens: int | None = None
    misses: tuple[Miss, ...] = ()
    context_tokens: int | None = None
    tokens_by_kind: Mapping[str, int] = field(default_factory=dict)
    """Token shares of the context by segment kind; they add up to ``context_tokens``."""
    shares_basis: Basis = "estimated"
