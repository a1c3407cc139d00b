"""Cost: usage times rates, exactly."""

from collections.abc import Iterable
from decimal import Context, Decimal

from touchdown.prices.rates import Rates, Unpriced
from touchdown.records import CostByClass, Usage

EXACT = Context(prec=60)
"""Arithmetic that rounds nothing here and does not depend on the host's own decimal context."""

NOT_REPORTED = "usage not reported"


def price_usage(usage: Usage, rates: Rates) -> CostByClass | Unpriced:
    """The cost of what is known of ``usage``; unpriced when a class with tokens in it has no rate."""
    if usage.completeness == "none":
        return Unpriced(NOT_REPORTED)
    missing = _class_without_rate(usage, rates)
    if missing is not None:
        where = f" ({rates.source})" if rates.source else ""
        return Unpriced(f"no rate for {missing}{where}")
    return CostByClass(
        uncached=_times(usage.uncached, rates.uncached),
        cache_read=_times(usage.cache_read, rates.cache_read),
        cache_write=_sum(
            _times(tokens, rates.cache_write.get(life))
            for life, tokens in (usage.cache_write or {}).items()
        ),
        output=_times(usage.output, rates.output),
        server_tools=_sum(
            _times(count, rates.server_tools.get(tool_name(tool)))
            for tool, count in (usage.server_tools or {}).items()
        ),
    )


def tool_name(reported: str) -> str:
    """A server tool's name without the unit some providers put behind it (``web_search_requests``)."""
    return reported.removesuffix("_requests").removesuffix("_calls")


def _class_without_rate(usage: Usage, rates: Rates) -> str | None:
    if usage.uncached and rates.uncached is None:
        return "uncached"
    if usage.cache_read and rates.cache_read is None:
        return "cache_read"
    if usage.output and rates.output is None:
        return "output"
    for life, tokens in (usage.cache_write or {}).items():
        if tokens and life not in rates.cache_write:
            return f"cache_write {life}"
    for tool, count in (usage.server_tools or {}).items():
        if count and tool_name(tool) not in rates.server_tools:
            return f"server tool {tool_name(tool)}"
    return None


def _times(count: int | None, rate: Decimal | None) -> Decimal:
    return EXACT.multiply(rate, count) if count and rate is not None else Decimal(0)


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    total = Decimal(0)
    for amount in amounts:
        total = EXACT.add(total, amount)
    return total
