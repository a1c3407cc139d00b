"""``touchdown.capacity``: hardware of your own, priced by the hour, and the calls that were sent to it."""

import threading
import weakref
from collections.abc import Iterable, Sequence
from decimal import Decimal
from types import TracebackType

from touchdown.accounting.time.phases import engine_phases
from touchdown.accounting.time.pool import Pool, PoolBill, Use, bill_pool
from touchdown.records import CallVerdict, Miss, ModelCall, Record, TaskRecord
from touchdown.runtime import core
from touchdown.runtime.guard import warn_once
from touchdown.runtime.identity import now_ns

MOST_USES = 1_000_000
"""Calls that one pool remembers; further ones are counted as idling, with a warning."""

MOST_POOLS = 100
"""Pools that the summary tells of, the latest."""

_open: list["Capacity"] = []
_known: list["Capacity"] = []
_choosing = threading.Lock()


class Capacity:
    """A pool that is open from now until it is closed, or its ``with`` block is left."""

    def __init__(
        self, name: str, usd_per_hour: Decimal, hosts: Iterable[str], exclusive: bool
    ) -> None:
        self.name = name
        self._usd_per_hour, self._exclusive = usd_per_hour, exclusive
        self._hosts = frozenset(hosts)
        self._opened_ns = now_ns()
        self._closed_ns: int | None = None
        self._lock = threading.Lock()
        self._calls: list[Use] = []
        self._tasks: dict[str, Use] = {}
        runtime = core.active()
        self._runtime = None if runtime is None else weakref.ref(runtime)
        with _choosing:
            _open.append(self)
            _known.append(self)
            del _known[:-MOST_POOLS]

    def belongs_to(self, runtime: core.Runtime | None) -> bool:
        """Whether it was opened while this captured, or before anything did."""
        return self._runtime is None or self._runtime() is runtime

    def __enter__(self) -> "Capacity":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """It costs nothing from here on. Calls that ended before are still billed."""
        runtime = core.active()
        if runtime is not None:
            runtime.delivery.drain()
        with _choosing:
            if self._closed_ns is None:
                self._closed_ns = now_ns()
            if self in _open:
                _open.remove(self)

    def bill(self) -> PoolBill:
        """What it cost so far, split over root tasks and idling."""
        runtime = core.active()
        if runtime is not None:
            runtime.delivery.drain()
        return self.bill_of_known()

    def bill_of_known(self) -> PoolBill:
        """The same of what has been folded by now."""
        until = self._closed_ns or now_ns()
        with self._lock:
            calls, tasks = list(self._calls), dict(self._tasks)
        used = {use.task_id for use in calls}
        holders = [
            Use(task, use.start_ns, use.end_ns or until)
            for task, use in tasks.items()
            if task in used
        ]
        pool = Pool(self.name, self._usd_per_hour, self._opened_ns, until, self._exclusive)
        return bill_pool(pool, calls, holders)

    def note(self, record: Record, root_id: str, misses: Sequence[Miss] = ()) -> None:
        """A record that was folded, the root task that it belongs to, and what a call of it missed."""
        with self._lock:
            if isinstance(record, TaskRecord) and record.id == root_id:
                ended = 0 if record.duration_ns is None else record.duration_ns
                end_ns = record.started_at_ns + ended if ended else 0
                self._tasks[root_id] = Use(root_id, record.started_at_ns, end_ns)
            elif isinstance(record, ModelCall) and self._serves(record):
                if len(self._calls) >= MOST_USES:
                    warn_once(
                        f"capacity:{self.name}",
                        "touchdown: pool %r has more than %s calls; further ones count as idling",
                        self.name,
                        f"{MOST_USES:,}",
                    )
                    return
                phases = engine_phases(record, misses)
                self._calls.append(Use(root_id, record.sent_at_ns, record.ended_at_ns, phases))

    def _serves(self, call: ModelCall) -> bool:
        return call.host in self._hosts or f"{call.host}:{call.port}" in self._hosts


def capacity(
    name: str,
    *,
    usd_per_hour: Decimal | float | str,
    hosts: Iterable[str],
    exclusive: bool = False,
) -> Capacity:
    """Open a pool of hardware that you pay by the hour; ``bill()`` says where its money went.

    ``hosts`` are those that model calls are sent to, as ``host`` or ``host:port``. ``exclusive``: it is kept
    for its users, so that a sole holder pays for its idling. Units: US dollars an hour for the whole pool.

    Errors: ``ValueError`` for a price that is negative or no number, or without a host.
    """
    try:
        price = Decimal(str(usd_per_hour))
    except ArithmeticError:
        raise ValueError(f"usd_per_hour is no number: {usd_per_hour!r}") from None
    if not price.is_finite() or price < 0:
        raise ValueError(f"usd_per_hour is no price: {usd_per_hour!r}")
    served = [hosts] if isinstance(hosts, str) else list(hosts)
    if not served:
        raise ValueError("hosts is empty: name the hosts that calls are sent to")
    return Capacity(name, price, served, exclusive)


def note_record(record: Record, root_id: str, verdict: CallVerdict | None = None) -> None:
    """Tell every open pool of a record that was folded, and what the ledger says of it."""
    for pool in tuple(_open):
        pool.note(record, root_id, verdict.misses if verdict is not None else ())


def bills() -> list[PoolBill]:
    """What the pools cost so far that belong to what captures now, in the order in which they were opened."""
    now = core.active()
    with _choosing:
        ours = [pool for pool in _known if pool.belongs_to(now)]
    return [pool.bill_of_known() for pool in ours]
