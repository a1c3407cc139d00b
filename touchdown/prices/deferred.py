"""A price book that is opened by the first who asks it."""

from collections.abc import Callable, Mapping

from touchdown.prices.rates import Prices, Rates, Unpriced
from touchdown.records import CostByClass, ModelCall


class DeferredBook:
    """Implements ``Prices`` by another, which ``open_book`` makes when it is first asked."""

    def __init__(self, open_book: Callable[[], Prices]) -> None:
        self._open_book = open_book
        self._book: Prices | None = None

    @property
    def book(self) -> Prices:
        """The book itself."""
        # No lock, which a forked child might find held: two threads at once make the same book twice.
        if self._book is None:
            self._book = self._open_book()
        return self._book

    @property
    def version(self) -> str:
        """The book's name and date."""
        return self.book.version

    def rates_for(self, call: ModelCall) -> Rates | Unpriced:
        """The rates of this call."""
        return self.book.rates_for(call)

    def price(self, call: ModelCall) -> CostByClass | Unpriced:
        """The cost of this call's usage."""
        return self.book.price(call)

    def offers_elsewhere(self, call: ModelCall) -> Mapping[str, Rates]:
        """What others ask for the same model."""
        return self.book.offers_elsewhere(call)
