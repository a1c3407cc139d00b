"""Cost: usage times rates, exactly."""

from collections.abc import Callable, Mapping
from decimal import Context, Decimal, localcontext

from touchdown.prices.rates import Rates, Unpriced
from touchdown.records import CostByClass, Usage

EXACT = Context(prec=60)
"""Arithmetic that rounds nothing here and does not depend on the host's own decimal context."""

NOT_REPORTED = "usage not reported"


_NOTHING = Decimal(0)


def price_usage(usage: Usage, rates: Rates) -> CostByClass | Unpriced:
    """The cost of what is known of ``usage``; unpriced when a class with tokens in it has no rate."""
    with localcontext(EXACT):
        return price_exactly(usage, rates)


def price_exactly(usage: Usage, rates: Rates) -> CostByClass | Unpriced:
    """The same for a caller whose own decimal context rounds nothing."""
    total = sum_exactly(usage, rates)
    return split_exactly(usage, rates) if isinstance(total, Decimal) else total


def sum_exactly(usage: Usage, rates: Rates) -> Decimal | Unpriced:
    """What all classes come to together; for a caller whose own decimal context rounds nothing."""
    if usage.completeness == "none":
        return Unpriced(NOT_REPORTED)
    if (missing := _class_without_rate(usage, rates)) is not None:
        where = f" ({rates.source})" if rates.source else ""
        return Unpriced(f"no rate for {missing}{where}")
    total = _NOTHING
    if usage.uncached and rates.uncached is not None:
        total = rates.uncached * usage.uncached
    if usage.cache_read and rates.cache_read is not None:
        total += rates.cache_read * usage.cache_read
    if usage.cache_write:
        total += _times_each(usage.cache_write, rates.cache_write)
    if usage.output and rates.output is not None:
        total += rates.output * usage.output
    if usage.server_tools:
        total += _times_each(usage.server_tools, rates.server_tools, tool_name)
    return total


def split_exactly(usage: Usage, rates: Rates) -> CostByClass:
    """The cost by class of usage that has a rate for each, for such a caller."""
    return CostByClass(
        uncached=_times(usage.uncached, rates.uncached),
        cache_read=_times(usage.cache_read, rates.cache_read),
        cache_write=_times_each(usage.cache_write, rates.cache_write)
        if usage.cache_write
        else _NOTHING,
        output=_times(usage.output, rates.output),
        server_tools=_times_each(usage.server_tools, rates.server_tools, tool_name)
        if usage.server_tools
        else _NOTHING,
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
    if usage.cache_write:
        for life, tokens in usage.cache_write.items():
            if tokens and life not in rates.cache_write:
                return f"cache_write {life}"
    if usage.server_tools:
        for tool, count in usage.server_tools.items():
            if count and tool_name(tool) not in rates.server_tools:
                return f"server tool {tool_name(tool)}"
    return None


def _times(count: int | None, rate: Decimal | None) -> Decimal:
    return rate * count if count and rate is not None else _NOTHING


def _times_each(
    counts: Mapping[str, int] | None,
    rates: Mapping[str, Decimal],
    named: Callable[[str], str] | None = None,
) -> Decimal:
    total = _NOTHING
    for name, count in counts.items() if counts else ():
        total += _times(count, rates.get(name if named is None else named(name)))
    return total
