"""Prices: the price book of hosted models, the user's own prices, and the arithmetic between.

The names here are loaded when they are read: what only counts needs no price book.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from touchdown.prices.book import PriceBook as PriceBook
    from touchdown.prices.cost import price_usage as price_usage
    from touchdown.prices.override import Override as Override
    from touchdown.prices.override import PriceConfigError as PriceConfigError
    from touchdown.prices.rates import Prices as Prices
    from touchdown.prices.rates import Rates as Rates
    from touchdown.prices.rates import Unpriced as Unpriced

_WHERE = {
    "Override": "override",
    "PriceBook": "book",
    "PriceConfigError": "override",
    "Prices": "rates",
    "Rates": "rates",
    "Unpriced": "rates",
    "price_usage": "cost",
}


def __getattr__(name: str) -> object:
    module = _WHERE.get(name)
    if module is None:
        raise AttributeError(f"module 'touchdown.prices' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"touchdown.prices.{module}"), name)
