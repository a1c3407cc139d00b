"""What a serving engine told of a call elsewhere than in its answer, on its way to the ledgers."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from touchdown.records import EngineReport

if TYPE_CHECKING:
    from touchdown.runtime.core import Runtime


class Reported:
    """Goes behind the queue: the call's own record is there by then. ``lost``: no ledger takes it."""

    __slots__ = ("_lost", "_report", "_runtime")

    def __init__(self, runtime: "Runtime", report: EngineReport, lost: Callable[[], None]) -> None:
        self._runtime, self._report, self._lost = runtime, report, lost

    def deliver(self) -> None:
        """Let a ledger have it."""
        if not self._runtime.accountant.note(self._report):
            self._lost()

    def drop(self) -> None:
        """The queue was full: a call is as if no engine had spoken of it."""
        self._lost()
