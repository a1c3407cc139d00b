"""The gate before every call that has a budget: reserve what it may take, settle what it took."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Collection

from msgspec import Struct, field

from touchdown.context.blocks import RequestView
from touchdown.live.bounds import (
    Counted,
    Yardsticks,
    bound_input,
    hidden_input,
    terms_of,
)
from touchdown.live.reservation import Reservation
from touchdown.live.sizing import RatesBefore, Read, read_after
from touchdown.prices.rates import Prices
from touchdown.records import ModelCall
from touchdown.runtime.admission import Admission, Asked
from touchdown.runtime.budget import COUNTING, Amounts, Budget, Wanted
from touchdown.runtime.carried import start_apart
from touchdown.runtime.guard import failed, guarded
from touchdown.runtime.limits import BudgetExceeded
from touchdown.runtime.loading import loading
from touchdown.runtime.place import Place, TaskState

NONE: frozenset[Budget] = frozenset()

MOST_AGENTS = 1_000
"""Agents whose latest call is remembered; for others the whole input is estimated again."""


class _Agent(Struct):
    """What is remembered of one agent: its latest call, and the latest one that was counted."""

    read: Read | None = None
    """The latest request that was read, whether it was sent or not."""
    view: RequestView | None = None
    model: str = ""
    repeats: int = 0
    """How often the latest call was made in a row, itself counted."""
    running: int = 0
    counted: dict[str, Counted] = field(default_factory=dict)
    """By model: each counts in its own way."""


class BudgetGate:
    """Implements ``runtime.admission.Gate``. What fails in it lets the call pass; only budgets stop one."""

    def __init__(
        self,
        prices: Prices,
        process: Budget | None,
        settle_pending: Callable[[], object],
        note_refused: Callable[[TaskState], object],
    ) -> None:
        self.budgets: tuple[Budget, ...] = () if process is None else (process,)
        self._prices = prices
        self._settle_pending = settle_pending
        self._note_refused = note_refused
        # Re-entrant: a stream that the garbage collector drops settles inside whatever runs.
        self._lock = threading.RLock()
        self._agents: OrderedDict[str, _Agent] = OrderedDict()
        self._yardsticks = Yardsticks()
        self._rates = RatesBefore(prices)
        self._prepared = False
        if process is not None:
            self.prepare()

    def prepare(self) -> None:
        """Read the price book beside the program: the first call would wait a third of a second for it."""
        if not self._prepared:
            self._prepared = True
            start_apart(threading.Thread(target=self._warm, name="touchdown prices", daemon=True))

    def add(self, budgets: tuple[Budget, ...]) -> None:
        """Those of the process above hold here, too."""
        self.budgets = (*self.budgets, *budgets)
        if budgets:
            self.prepare()

    @guarded("budgets.prices")
    def _warm(self) -> None:
        with loading():
            self._prices.version  # noqa: B018 - opens the book

    def after_fork(self) -> None:
        """In a child: its calls are its own; what its agents said before is remembered still."""
        self._lock = threading.RLock()

    # -- before a call ---------------------------------------------------------------------------

    def admit(self, place: Place, asked: Asked) -> Admission | None:
        """Reserve what the call may take in each of its budgets, or stop it."""
        budgets, process = place.task.budgets, self.budgets
        budgets = (*budgets, *process) if budgets and process else budgets or process
        reserved = self._size(place, asked, budgets)
        refusal = None if reserved is None else self._hold(reserved, NONE)
        if refusal is not None and asked.compared_as_sent:
            asked.compared_as_sent = False  # refused is only what was compared
            reserved = self._size(place, asked, budgets)
            refusal = None if reserved is None else self._hold(reserved, NONE)
        if reserved is None:
            return None
        if refusal is not None:
            self._refused(reserved, refusal)
        try:
            self._note_sent(reserved)
        except Exception:
            failed("budgets.note")
        return reserved

    def changed(self, reserved: Reservation, asked: Asked) -> None:
        """Something else goes out than this was reserved for. Errors: as :meth:`admit`."""
        again = self._size(reserved.place, asked, reserved.budgets)
        if again is None:
            return
        try:
            with COUNTING:
                reserved.exchange(again)
                refusal = self._try(reserved, NONE)
        except Exception:
            failed("budgets.hold")
            return
        if refusal is not None:
            try:
                self._refused(reserved, refusal)
            except BaseException:
                self.note_ended(reserved, None)
                raise

    def _refused(
        self, reserved: Reservation, refusal: tuple[Budget, BudgetExceeded] | None
    ) -> None:
        """A budget does not hold: what the user asked for then decides."""
        allowed: set[Budget] = set()
        while refusal is not None:
            budget, exceeded = refusal
            try:
                budget.refuse(exceeded)
            except BaseException:
                self._note_refused(reserved.place.task)
                raise
            allowed.add(budget)
            refusal = self._hold(reserved, allowed)

    def _size(self, place: Place, asked: Asked, budgets: tuple[Budget, ...]) -> Reservation | None:
        sized = counts_repeats = False
        for budget in budgets:
            limits = budget.limits
            sized = sized or limits.usd is not None or limits.tokens is not None
            counts_repeats = counts_repeats or limits.repeats is not None
        try:
            if not (sized or counts_repeats):
                return Reservation(self, place, asked.model, budgets)
            if counts_repeats:
                asked.compared_as_sent = False
            with self._lock:
                agent = self._agent(place.agent_id)
                before = agent.read
            read = agent.read = read_after(before, asked)
            reserved = Reservation(self, place, asked.model, budgets, read.view)
            repeats = self._repeats(agent, asked.model, read.view) if counts_repeats else 0
            if sized:
                self._bound(reserved, agent, read, asked, repeats)
            elif repeats:
                reserved.wanted = Wanted(repeats=repeats)
        except Exception:
            failed("budgets.size")
            return None
        return reserved

    def _bound(
        self, reserved: Reservation, agent: _Agent, read: Read, asked: Asked, repeats: int
    ) -> None:
        """The most that the call may take."""
        view, before = read.view, agent.counted.get(asked.model)
        tokens = bound_input(asked.model, view, before, self._yardsticks)
        if view.previous_response_id:
            tokens += hidden_input(view, before)
        rates, terms = self._rates.of(asked, tokens, _tier(view)), read.terms
        if terms is None or terms.told is not rates:
            terms = read.terms = terms_of(view, asked.reader.operation, rates)
        reserved.terms, reserved.input_tokens = terms, tokens
        amounts = Amounts(terms.pico_usd(tokens), tokens + terms.output_tokens)
        reserved.wanted = Wanted(amounts, terms.unpriced, repeats, terms.reason)

    def _repeats(self, agent: _Agent, model: str, view: RequestView) -> int:
        """How often in a row this very call was made; one still under way is sampled, not repeated."""
        if self._same(agent, model, view, running=True):
            self._settle_pending()
        return self._same(agent, model, view, running=False)

    def _same(self, agent: _Agent, model: str, view: RequestView, *, running: bool) -> int:
        with self._lock:
            if agent.model != model or bool(agent.running) is not running:
                return 0
            before, repeats = agent.view, agent.repeats
        return repeats if before is not None and _is_same(before, view) else 0

    def _hold(
        self, reserved: Reservation, allowed: Collection[Budget]
    ) -> tuple[Budget, BudgetExceeded] | None:
        try:
            refusal = self._try(reserved, allowed)
            if refusal is not None and not allowed:
                self._settle_pending()  # calls that ended may have taken less than was held for them
                refusal = self._try(reserved, allowed)
        except Exception:
            failed("budgets.hold")
            return None
        return refusal

    def _try(
        self, reserved: Reservation, allowed: Collection[Budget]
    ) -> tuple[Budget, BudgetExceeded] | None:
        with COUNTING:
            wanted = reserved.wanted
            for budget in reserved.budgets:
                exceeded = None if budget in allowed else budget.exceeded_by(wanted)
                if exceeded is not None:
                    return budget, exceeded
            for budget in reserved.budgets:
                budget.hold(wanted.amounts)
            reserved.held = True
        return None

    # -- what is remembered of agents ------------------------------------------------------------

    def _note_sent(self, reserved: Reservation) -> None:
        if reserved.view is None or not reserved.held:
            return
        with self._lock:
            agent = self._agent(reserved.place.agent_id)
            agent.model, agent.view = reserved.model, reserved.view
            agent.repeats = reserved.wanted.repeats + 1
            agent.running += 1

    def _agent(self, agent_id: str) -> _Agent:
        """Under the lock."""
        agent = self._agents.get(agent_id)
        if agent is None:
            agent = self._agents[agent_id] = _Agent()
            if len(self._agents) > MOST_AGENTS:
                self._agents.popitem(last=False)
        self._agents.move_to_end(agent_id)
        return agent

    def note_ended(self, reserved: Reservation, record: ModelCall | None) -> None:
        """A call ended; what the provider counted helps to bound the agent's next one."""
        if reserved.view is None:
            return
        with self._lock:
            agent = self._agents.get(reserved.place.agent_id)
            if agent is None:
                return
            agent.running = max(0, agent.running - 1)
            tokens = None if record is None else record.usage.input_tokens
            if record is not None and tokens:
                output = record.usage.output or 0
                hidden = reserved.view.previous_response_id or reserved.view.opaque
                if reserved.model not in agent.counted and not hidden:
                    self._yardsticks.learn(reserved.model, reserved.view.blocks, tokens)
                agent.counted[reserved.model] = Counted(reserved.view.blocks, tokens, output)


def _is_same(before: RequestView, view: RequestView) -> bool:
    return (
        len(before.blocks) == len(view.blocks)
        and before.parameters == view.parameters
        and before.request == view.request
        and before.previous_response_id == view.previous_response_id
        and all(old.same_as(new) for old, new in zip(before.blocks, view.blocks, strict=True))
    )


def _tier(view: RequestView) -> str | None:
    asked = view.request.get("service_tier")
    return asked if isinstance(asked, str) else None
