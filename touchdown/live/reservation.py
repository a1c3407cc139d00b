"""What is held for one call in its budgets, until its bill is known."""

import threading
from typing import Protocol

from msgspec.structs import replace

from touchdown.context.blocks import RequestView
from touchdown.live.bounds import Terms
from touchdown.prices.cost import EXACT
from touchdown.records import CallVerdict, ModelCall
from touchdown.runtime.admission import Asked
from touchdown.runtime.budget import COUNTING, Amounts, Budget, Wanted, pico
from touchdown.runtime.guard import guarded
from touchdown.runtime.identity import this_process
from touchdown.runtime.place import Place

CHARS_PER_TOKEN = 2
"""Output that was read of a call without a count is taken to be no longer than this makes it."""


class Holder(Protocol):
    """Whoever reserves for calls, and is told of them."""

    def note_ended(self, reserved: "Reservation", record: ModelCall | None) -> None:
        """The call ended; without a record nobody knows how."""
        ...

    def changed(self, reserved: "Reservation", asked: Asked) -> None:
        """Something else goes out than this was reserved for. Errors: what a budget raises."""
        ...


NOTHING = Wanted()


class Reservation:
    """What is held for one call in all of its budgets."""

    __slots__ = (
        "_closing",
        "_holder",
        "_process",
        "budgets",
        "held",
        "input_tokens",
        "model",
        "place",
        "terms",
        "view",
        "wanted",
    )

    def __init__(
        self,
        holder: Holder,
        place: Place,
        model: str,
        budgets: tuple[Budget, ...],
        view: RequestView | None = None,
    ) -> None:
        self.place, self.model, self.budgets, self.view = place, model, budgets, view
        self.terms: Terms | None = None
        """What it takes at most, with so much input; ``None`` where nobody needs to know."""
        self.input_tokens = 0
        self.wanted = NOTHING
        self.held = False
        """Whether it stands in the budgets yet."""
        self._holder = holder
        self._process = this_process()
        self._closing = threading.Lock()

    def changed(self, asked: Asked) -> None:
        """Something else goes out: hold what that may take. Errors: what a budget raises."""
        if self.held and not self._closing.locked():
            self._holder.changed(self, asked)

    def exchange(self, other: "Reservation") -> None:
        """Let go of what is held, and want what another one does; it repeats no more than before."""
        with COUNTING:
            for budget in self.budgets:
                budget.settle(self.wanted.amounts, Amounts(), sent=False)
            self.held = False
        self.view, self.terms, self.input_tokens = other.view, other.terms, other.input_tokens
        self.wanted = replace(other.wanted, repeats=self.wanted.repeats)

    @guarded("budgets.settle")
    def settle(self, record: ModelCall | None, verdict: CallVerdict | None) -> None:
        """What the call took stands in the place of what it might have taken."""
        spent = self.wanted.amounts if record is None else self._spent(record, verdict)
        self._close(spent, record)

    @guarded("budgets.release")
    def release(self) -> None:
        """Nothing was sent."""
        self._close(Amounts(), None, sent=False)

    def _close(self, spent: Amounts, record: ModelCall | None, *, sent: bool = True) -> None:
        if self._process != this_process() or not self.held:
            return
        if not self._closing.acquire(blocking=False):
            return
        sent = sent and (record is None or record.status != "not_started")
        with COUNTING:
            for budget in self.budgets:
                budget.settle(self.wanted.amounts, spent, sent)
        self._holder.note_ended(self, record)

    def _spent(self, record: ModelCall, verdict: CallVerdict | None) -> Amounts:
        """The bill of a call; what is not known of it is taken as it was held, the output as far as read."""
        usage, terms = record.usage, self.terms
        if terms is None or _took_nothing(record):
            return Amounts()
        known = usage.completeness == "full"
        read = 0 if known else max(record.chunks, record.output.chars // CHARS_PER_TOKEN)
        output = max(usage.output or 0, min(read, terms.output_tokens))
        given = usage.input_tokens
        tokens = (self.input_tokens if given is None else given) + output
        cost = verdict.cost.total if verdict is not None and verdict.cost is not None else None
        if cost is not None and (known or record.reported_usd is not None):
            return Amounts(pico(cost), tokens)
        if terms.rates is None:
            return Amounts(0 if cost is None else pico(cost), tokens)
        more = EXACT.multiply(terms.rates.output or 0, output - (usage.output or 0))
        if cost is None or given is None:
            more = EXACT.multiply(terms.rates.output or 0, output)
            cost = EXACT.multiply(terms.input_rate, tokens - output)
        return Amounts(pico(EXACT.add(cost, more)), tokens)


def _took_nothing(record: ModelCall) -> bool:
    """Nothing was sent, or nothing was answered but an error: that is not billed. A time-out may be."""
    if record.status == "not_started":
        return True
    if record.status != "error" or record.usage.completeness != "none":
        return False
    return "Timeout" not in (record.error_type or "")
