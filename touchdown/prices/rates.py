"""Rates: what one call's tokens cost, resolved once per model, date and tier."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Protocol

from msgspec import Struct, field

from touchdown.records import CostByClass, ModelCall
from touchdown.records.verdict import Basis


class Rates(Struct, frozen=True):
    """What each class of token costs for one call. Units: US dollars per token, exact decimals.

    ``cache_write`` maps a life (``5m`` ``1h`` ``30m`` ``12h`` ``unknown``) to its rate. A rate the book
    does not have is absent or ``None``; usage in that class then makes the call unpriced.
    """

    uncached: Decimal | None
    output: Decimal | None
    cache_read: Decimal | None = None
    cache_write: Mapping[str, Decimal] = field(default_factory=dict)
    server_tools: Mapping[str, Decimal] = field(default_factory=dict)
    """Server tool (``web_search``, ``web_fetch``, ``file_search``, ...) to US dollars per request."""
    basis: Basis = "derived"
    reason: str | None = None
    """Why the basis is not better, e.g. ``price_assumed_list``."""
    source: str = ""
    """Book and date, or the user's own rule."""


class Unpriced(Struct, frozen=True):
    """No price for a call, and why, in a few words (``unknown model``, ``no price for this host``)."""

    reason: str


class Prices(Protocol):
    """Where the accountant asks for prices. Never raises."""

    @property
    def version(self) -> str:
        """The book's name and date, shown in every report."""
        ...

    def rates_for(self, call: ModelCall) -> Rates | Unpriced:
        """The rates of this call: its model, host, date, tier, speed and geography, its own prompt size."""
        ...

    def price(self, call: ModelCall) -> CostByClass | Unpriced:
        """The cost of this call's usage, known classes only; unpriced when a billed class has no rate."""
        ...

    def offers_elsewhere(self, call: ModelCall) -> Mapping[str, Rates]:
        """List prices at which others sell exactly this model id, by seller, for a call of this size."""
        ...
