"""Prices: the price book of hosted models, the user's own prices, and the arithmetic between."""

from touchdown.prices.book import PriceBook as PriceBook
from touchdown.prices.cost import price_usage as price_usage
from touchdown.prices.override import Override as Override
from touchdown.prices.override import PriceConfigError as PriceConfigError
from touchdown.prices.rates import Prices as Prices
from touchdown.prices.rates import Rates as Rates
from touchdown.prices.rates import Unpriced as Unpriced
