"""The figures by which two ledgers of one task are compared."""

from decimal import Decimal

from touchdown.accounting.account import TaskAccount
from touchdown.accounting.time.account import TimeAccount
from touchdown.records import Figure

SECOND_NS = 10**9

TAX = "tax "
"""Before the id of a tax in the name of a figure."""

TIME_TAX = "seconds of "
"""The same before the time that it took."""


def figures_of(account: TaskAccount) -> dict[str, Figure]:
    """What a task came to; what is unknown is left out. Units: US dollars as doubles, tokens, counts."""
    money, usage, cache = account.money, account.usage, account.cache
    figures: dict[str, Figure | None] = {
        "total": _usd(money.total_usd),
        "work": _usd(money.work_usd),
        "unexplained": _usd(money.unexplained_usd),
        "complete": money.complete,
        "unpriced calls": money.unpriced_calls,
        "prices": account.policies.get("prices"),
        "dropped records": account.dropped_records or None,
        "model calls": account.model_calls,
        "tool calls": account.tool_calls,
        "agents": account.agents,
        "peak tokens": account.context.peak_tokens,
        "uncached_input": usage.uncached_input,
        "cache_read": usage.cache_read,
        "cache_write": None if usage.cache_write is None else sum(usage.cache_write.values()),
        "output": usage.output,
        "reasoning": usage.reasoning,
        "reusable": cache.reusable,
        "read": cache.read,
        "missed": cache.missed,
    }
    figures |= {f"{TAX}{tax}": _usd(usd) for tax, usd in money.taxes.items()}
    figures |= _seconds_of(account.time)
    return {name: value for name, value in figures.items() if value is not None}


def _seconds_of(time: TimeAccount) -> dict[str, Figure | None]:
    """The wall time by account; nothing where the end of the task is not known. Units: seconds."""
    if time.total_ns is None:
        return {}
    return {
        "wall time": time.total_ns / SECOND_NS,
        "working time": time.work_ns / SECOND_NS,
        "unexplained time": time.unexplained_ns / SECOND_NS,
        **{f"{TIME_TAX}{tax}": ns / SECOND_NS for tax, ns in time.taxes.items()},
    }


def is_money(name: str) -> bool:
    """Whether a figure is an amount, which depends on the price book."""
    return name in ("total", "work", "unexplained") or name.startswith(TAX)


def _usd(amount: Decimal) -> float:
    return float(amount)
