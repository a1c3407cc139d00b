"""Limits: what a task or a process may spend, as users say it, and the exception that stops a call."""

import inspect
import math
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Literal, TypeAlias

from msgspec import Struct

Unit = Literal["usd", "tokens", "seconds", "calls", "repeats"]
Amount: TypeAlias = Decimal | float | int


NAMES = (
    "budget_usd",
    "budget_tokens",
    "budget_seconds",
    "max_calls",
    "max_repeats",
    "on_budget",
    "unpriced",
)
"""What limits are called as arguments of ``task()`` and ``instrument()``."""


class BudgetExceeded(Exception):  # noqa: N818 - it names what happened, and no error of an SDK
    """A model call was not sent, because a budget would not have held.

    ``spent`` and ``reserved`` (by calls under way) are in ``unit``, as are ``limit`` and ``asked``, the most
    that this call could have taken. ``budget`` names the task, or is ``"process"``. ``reason`` says what
    else there is to know, e.g. how ``asked`` was bounded.
    """

    def __init__(
        self,
        unit: Unit,
        limit: Amount,
        spent: Amount,
        reserved: Amount,
        asked: Amount | None,
        budget: str = "",
        reason: str = "",
    ) -> None:
        super().__init__(unit, limit, spent, reserved, asked, budget, reason)
        self.unit, self.limit = unit, limit
        self.spent, self.reserved, self.asked = spent, reserved, asked
        self.budget, self.reason = budget, reason

    @property
    def about(self) -> str:
        """Which budget, and how it stands."""
        whose = f"budget of {self.budget}"
        if self.unit == "repeats":
            return (
                f"{whose}: {self.spent} times the same call in a row, and {self.limit} are allowed"
            )
        said = f"{whose}: {_shown(self.limit, self.unit)}"
        parts = [f"{_shown(self.spent, self.unit)} spent"]
        if self.reserved:
            parts.append(f"{_shown(self.reserved, self.unit)} reserved by calls under way")
        if self.asked and self.unit != "calls":
            parts.append(f"this call may take {_shown(self.asked, self.unit)}")
        reason = f" ({self.reason})" if self.reason else ""
        return f"{said}; {', '.join(parts)}{reason}"

    def __str__(self) -> str:
        return f"{self.about}; the call was not sent"


OnBudget: TypeAlias = Literal["raise", "warn"] | Callable[[BudgetExceeded], object]
"""What happens to a call that a budget does not cover.

``raise``: it raises :class:`BudgetExceeded`. ``warn``: one line in the log, and it is sent. A function is
called with the exception: what it raises reaches the caller and the call is not sent; else it is sent.
"""


class Limits(Struct, frozen=True):
    """What may be spent; ``None`` is no limit, 0 is nothing. Units are in the names."""

    usd: Decimal | None = None
    tokens: int | None = None
    seconds: float | None = None
    calls: int | None = None
    repeats: int | None = None
    on_budget: OnBudget = "raise"
    unpriced: Literal["allow", "block"] = "allow"


def read_limits(
    *,
    budget_usd: object = None,
    budget_tokens: object = None,
    budget_seconds: object = None,
    max_calls: object = None,
    max_repeats: object = None,
    on_budget: Any = "raise",
    unpriced: Any = "allow",
) -> Limits | None:
    """The limits that a user gave; ``None`` when there are none.

    Errors: ``ValueError`` names the argument that cannot be a limit.
    """
    usd = _number("budget_usd", budget_usd)
    seconds = _number("budget_seconds", budget_seconds)
    tokens = _whole("budget_tokens", budget_tokens)
    calls = _whole("max_calls", max_calls)
    repeats = _whole("max_repeats", max_repeats, least=1)
    if on_budget not in ("raise", "warn") and not callable(on_budget):
        raise ValueError(f"on_budget is 'raise', 'warn' or a function, not {on_budget!r}")
    if inspect.iscoroutinefunction(on_budget):
        raise ValueError("on_budget is a plain function: a call waits for its word")
    if unpriced not in ("allow", "block"):
        raise ValueError(f"unpriced is 'allow' or 'block', not {unpriced!r}")
    if all(limit is None for limit in (usd, tokens, seconds, calls, repeats)):
        return None
    return Limits(
        usd=usd,
        tokens=tokens,
        seconds=None if seconds is None else float(seconds),
        calls=calls,
        repeats=repeats,
        on_budget=on_budget,
        unpriced=unpriced,
    )


def limits_of(options: Mapping[str, object]) -> Limits | None:
    """The limits among the options of ``instrument()``. Errors: as :func:`read_limits`."""
    return read_limits(**{name: options[name] for name in NAMES if name in options})


def _number(name: str, value: object) -> Decimal | None:
    if value is None:
        return None
    known = isinstance(value, (int, float, Decimal)) and not isinstance(value, bool)
    if not known or not math.isfinite(value) or value < 0:  # type: ignore[arg-type, operator]
        raise ValueError(f"{name} is a number from 0 on, or None for no limit, not {value!r}")
    return Decimal(str(value))


def _whole(name: str, value: object, least: int = 0) -> int | None:
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ValueError(
            f"{name} is a whole number from {least} on, or None for no limit, not {value!r}"
        )
    return value


def _shown(amount: Amount, unit: Unit) -> str:
    if unit == "usd":
        return f"${amount:.6f}"
    if unit == "seconds":
        return f"{amount:.1f} s"
    return f"{amount:,} {unit}"
