"""A task's settled ledger as attributes of its span, and its figures again."""

from typing import Any

from opentelemetry.util.types import AttributeValue

from touchdown.accounting.account import TaskAccount
from touchdown.accounting.settled import TAX, TIME_TAX, figures_of
from touchdown.records import Figure
from touchdown.telemetry import attributes as names
from touchdown.telemetry import time_names
from touchdown.telemetry.facts import Attributes, CutError, read_template

_NAMES = {
    "total": names.TASK_TOTAL_USD,
    "work": names.TASK_WORK_USD,
    "unexplained": names.TASK_UNEXPLAINED_USD,
    "complete": names.TASK_COMPLETE,
    "unpriced calls": names.TASK_UNPRICED,
    "prices": names.TASK_PRICES,
    "dropped records": names.TASK_DROPPED,
    "model calls": names.TASK_MODEL_CALLS,
    "tool calls": names.TASK_TOOL_CALLS,
    "agents": names.TASK_AGENTS,
    "peak tokens": names.TASK_PEAK,
    "wall time": time_names.TASK_WALL,
    "working time": time_names.TASK_WORK,
    "unexplained time": time_names.TASK_UNEXPLAINED,
    **{
        counted: names.TASK_USAGE.format(counted=counted)
        for counted in ("uncached_input", "cache_read", "cache_write", "output", "reasoning")
    },
    **{figure: names.TASK_CACHE.format(figure=figure) for figure in ("reusable", "read", "missed")},
}


def settled_attributes(account: TaskAccount) -> dict[str, AttributeValue]:
    """Money by account, tokens by class, calls."""
    return {_name(figure): value for figure, value in figures_of(account).items()}


def read_settled(attributes: Attributes) -> dict[str, Figure]:
    """The figures that a task's span tells of; none when it was not settled."""
    told: dict[str, Any] = {
        figure: attributes[name] for figure, name in _NAMES.items() if name in attributes
    }
    taxes = read_template(names.TASK_TAX_USD, float, attributes)
    told |= {f"{TAX}{tax}": usd for tax, usd in taxes.items()}
    seconds = read_template(names.TASK_TAX_SECONDS, float, attributes)
    told |= {f"{TIME_TAX}{tax}": taken for tax, taken in seconds.items()}
    return {figure: _value(figure, value) for figure, value in told.items()}


def _name(figure: str) -> str:
    if figure.startswith(TAX):
        return names.TASK_TAX_USD.format(tax=figure.removeprefix(TAX))
    if figure.startswith(TIME_TAX):
        return names.TASK_TAX_SECONDS.format(tax=figure.removeprefix(TIME_TAX))
    return _NAMES[figure]


def _value(figure: str, value: Any) -> Figure:
    if figure in ("prices", "complete"):
        return value if isinstance(value, bool) else str(value)
    try:
        number = float(value)
    except (TypeError, ValueError) as error:
        raise CutError(f"{_name(figure)} cannot be read: {error}") from error
    return int(number) if number.is_integer() else number
