"""Budgets: what is spent and reserved under one set of limits, exact over threads and forked processes."""

import contextlib
import importlib.util
import os
import threading
import time
import weakref
from collections.abc import Iterable, MutableSequence
from decimal import ROUND_CEILING, Decimal
from typing import Literal

from msgspec import Struct

from touchdown.prices.cost import EXACT
from touchdown.runtime.guard import failed, must_be_awaited, warn, warn_once
from touchdown.runtime.limits import Amount, BudgetExceeded, Limits, OnBudget, Unit
from touchdown.runtime.shared_cells import SharedBudget, SharedCells

CAN_LOCK = importlib.util.find_spec("fcntl") is not None
"""Whether processes can count together here; elsewhere each has budgets of its own."""

PICO = 12
"""Money is counted in whole millionths of a millionth of a dollar, rounded up."""

WAIT_S = 1.0
"""How long one process waits for another that counts in the same budget."""

_SPENT_USD, _HELD_USD, _SPENT_TOKENS, _HELD_TOKENS, _HELD_CALLS, _CALLS = range(6)


class Amounts(Struct, frozen=True):
    """What one call takes of a budget. Units: pico-dollars and tokens."""

    pico_usd: int = 0
    tokens: int = 0


def pico(usd: Decimal) -> int:
    """US dollars in pico-dollars, rounded up."""
    return int(usd.scaleb(PICO, EXACT).to_integral_value(ROUND_CEILING, EXACT))


def dollars(pico_usd: int) -> Decimal:
    """Pico-dollars in US dollars."""
    return Decimal(pico_usd).scaleb(-PICO, EXACT)


class Wanted(Struct, frozen=True):
    """What a call wants at most, before it is sent. ``unpriced`` says why its price is not known."""

    amounts: Amounts = Amounts()
    unpriced: str = ""
    repeats: int = 0
    """How often in a row this agent has made this very call already."""
    reason: str = ""


class Budget:
    """The state of one set of limits. Every method is called under :data:`COUNTING`, but ``refuse``."""

    def __init__(self, name: str, limits: Limits) -> None:
        self.name, self.limits = name, limits
        self._most_pico = 0 if limits.usd is None else int(limits.usd.scaleb(PICO, EXACT))
        self._began_s = time.monotonic()
        self._cells: MutableSequence[int] = [0] * 6
        self._slot = ("", 0)
        self._warned = False
        with COUNTING:
            _budgets.add(self)

    @classmethod
    def shared(cls, told: SharedBudget) -> "Budget":
        """One of the process above; what is counted here is counted there."""
        usd = None if told.usd is None else Decimal(told.usd)
        on_budget: OnBudget = "warn" if told.on_budget == "warn" else "raise"
        block: Literal["allow", "block"] = "block" if told.unpriced == "block" else "allow"
        limits = Limits(usd, told.tokens, told.seconds, told.calls, told.repeats, on_budget, block)
        budget = cls(told.name, limits)
        budget._began_s = told.began_s
        with COUNTING:
            budget._cells = COUNTING.opened(told.folder).at(told.slot)
            budget._slot = (told.folder, told.slot)
        return budget

    def exceeded_by(self, wanted: Wanted) -> BudgetExceeded | None:
        """What would not hold if this call were sent; ``None`` when all does."""
        limits, cells = self.limits, self._cells
        if limits.calls is not None and cells[_CALLS] >= limits.calls:
            done = cells[_CALLS] - cells[_HELD_CALLS]
            return self._exceeded("calls", limits.calls, done, cells[_HELD_CALLS], 1)
        if limits.seconds is not None:
            passed_s = time.monotonic() - self._began_s
            if passed_s >= limits.seconds:
                return self._exceeded("seconds", limits.seconds, passed_s, 0, None)
        if limits.repeats is not None and wanted.repeats >= limits.repeats:
            return self._exceeded("repeats", limits.repeats, wanted.repeats, 0, 1)
        spent, held, asked = cells[_SPENT_TOKENS], cells[_HELD_TOKENS], wanted.amounts.tokens
        if limits.tokens is not None and spent + held + asked > limits.tokens:
            return self._exceeded("tokens", limits.tokens, spent, held, asked, wanted.reason)
        return self._money_exceeded_by(wanted)

    def _money_exceeded_by(self, wanted: Wanted) -> BudgetExceeded | None:
        limit = self.limits.usd
        if limit is None:
            return None
        if wanted.unpriced:
            if self.limits.unpriced == "block":
                return self._money_exceeded(limit, None, wanted.unpriced)
            warn_once(
                f"budget:unpriced:{wanted.unpriced}",
                "touchdown: a call without a price (%s) does not count in budget_usd; "
                "unpriced='block' stops such calls",
                wanted.unpriced,
            )
            # It takes nothing, but what is spent already may be all there was.
        asked = wanted.amounts.pico_usd
        taken = self._cells[_SPENT_USD] + self._cells[_HELD_USD] + asked
        if taken > self._most_pico or (not limit and not asked):
            return self._money_exceeded(limit, dollars(asked), wanted.reason)
        return None

    def _money_exceeded(self, limit: Decimal, asked: Decimal | None, reason: str) -> BudgetExceeded:
        spent, held = dollars(self._cells[_SPENT_USD]), dollars(self._cells[_HELD_USD])
        return self._exceeded("usd", limit, spent, held, asked, reason)

    def _exceeded(
        self,
        unit: Unit,
        limit: Amount,
        spent: Amount,
        held: Amount,
        asked: Amount | None,
        reason: str = "",
    ) -> BudgetExceeded:
        return BudgetExceeded(unit, limit, spent, held, asked, self.name, reason)

    def hold(self, amounts: Amounts) -> None:
        """Reserve this for a call that is about to be sent."""
        self._cells[_HELD_USD] += amounts.pico_usd
        self._cells[_HELD_TOKENS] += amounts.tokens
        self._cells[_HELD_CALLS] += 1
        self._cells[_CALLS] += 1

    def settle(self, held: Amounts, spent: Amounts, sent: bool) -> None:
        """The call ended: what it really took in the place of what was held for it."""
        self._cells[_HELD_USD] -= held.pico_usd
        self._cells[_HELD_TOKENS] -= held.tokens
        self._cells[_HELD_CALLS] -= 1
        self._cells[_CALLS] -= not sent
        self._cells[_SPENT_USD] += spent.pico_usd
        self._cells[_SPENT_TOKENS] += spent.tokens

    def refuse(self, exceeded: BudgetExceeded) -> None:
        """Do with a call what the user asked for; returns when it is to be sent all the same.

        Errors: the exception itself, or whatever the user's function raises.
        """
        asked = self.limits.on_budget
        if callable(asked):
            if must_be_awaited("on_budget", asked(exceeded)):
                raise exceeded  # it has decided nothing
        elif asked == "raise":
            raise exceeded
        elif not self._warned:
            self._warned = True
            warn("touchdown: %s; calls are sent all the same", exceeded.about)

    def share(self, cells: SharedCells) -> None:
        """Count in memory that children share."""
        if not isinstance(self._cells, list):
            return
        slot = cells.new()
        shared = cells.at(slot)
        for index, count in enumerate(self._cells):
            shared[index] = count
        self._cells, self._slot = shared, (cells.folder, slot)

    def told(self) -> SharedBudget:
        """How another process finds it, once it is shared."""
        limits, (folder, slot) = self.limits, self._slot
        return SharedBudget(
            name=self.name,
            usd=None if limits.usd is None else str(limits.usd),
            tokens=limits.tokens,
            seconds=limits.seconds,
            calls=limits.calls,
            repeats=limits.repeats,
            on_budget="warn" if limits.on_budget == "warn" else "raise",
            unpriced=limits.unpriced,
            began_s=self._began_s,
            folder=folder,
            slot=slot,
        )


class Counting:
    """The lock of all budgets; one lock, so that a call is reserved in all of its budgets or in none."""

    def __init__(self) -> None:
        self.renew()
        self._own: SharedCells | None = None
        self._opened: dict[str, SharedCells] = {}
        """By folder: this process's own, and those of the processes above."""

    def renew(self) -> None:
        """In a forked child: whoever held it is not here."""
        # Re-entrant: a stream that the garbage collector drops settles inside whatever runs.
        self._lock = threading.RLock()
        self._depth = 0

    def __enter__(self) -> None:
        self._lock.acquire()
        self._depth += 1
        if self._opened and self._depth == 1:
            deadline = time.monotonic() + WAIT_S
            for folder in sorted(self._opened):  # in one order, or two would wait for each other
                self._wait(self._opened[folder].lock, deadline)

    def __exit__(self, *_error: object) -> None:
        self._depth -= 1
        if self._opened and not self._depth:
            import fcntl

            for cells in self._opened.values():
                with contextlib.suppress(OSError):
                    fcntl.lockf(cells.lock, fcntl.LOCK_UN)
        self._lock.release()

    def _wait(self, lock: int, deadline: float) -> None:
        """Keep the other processes out; one that stands still is not waited for."""
        import fcntl

        while time.monotonic() < deadline:
            with contextlib.suppress(BlockingIOError, PermissionError):
                fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            time.sleep(0.0005)
        warn_once(
            "budget:lock", "touchdown: another process keeps the budgets; counting without it"
        )

    def opened(self, folder: str) -> SharedCells:
        """The counters in this folder; under the lock."""
        if folder not in self._opened:
            cells = self._opened[folder] = SharedCells(folder)
            self._wait(cells.lock, time.monotonic() + WAIT_S)
        return self._opened[folder]

    def _mine(self) -> SharedCells:
        if self._own is None:
            self._own = SharedCells()
            self._opened[self._own.folder] = self._own
            self._wait(self._own.lock, time.monotonic() + WAIT_S)
        return self._own

    def share(self, budgets: Iterable[Budget]) -> tuple[SharedBudget, ...]:
        """Let processes that are started anew count in these."""
        if not CAN_LOCK:
            return ()
        budgets = tuple(budgets)
        with self:
            for budget in budgets:
                budget.share(self._mine())
        return tuple(budget.told() for budget in budgets)

    def before_fork(self) -> None:
        """Let the children count in the same budgets."""
        self._lock.acquire()
        try:
            budgets = list(_budgets)
            if any(isinstance(budget._cells, list) for budget in budgets):
                with self:
                    for budget in budgets:
                        budget.share(self._mine())
        except Exception:
            failed("budget.share")


COUNTING = Counting()
_budgets: "weakref.WeakSet[Budget]" = weakref.WeakSet()

if hasattr(os, "register_at_fork"):
    # Hooks before a fork run last first: core imports this ahead of the delivery, whose item in hand may
    # still settle before this lock is taken.
    os.register_at_fork(
        before=COUNTING.before_fork,
        after_in_parent=lambda: COUNTING._lock.release(),
        after_in_child=COUNTING.renew,
    )
