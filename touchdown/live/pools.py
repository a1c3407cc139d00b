"""``touchdown.capacity``: hardware of your own, priced by the hour, and the calls that were sent to it."""

import threading
from collections.abc import Iterable
from decimal import Decimal
from types import TracebackType

from touchdown.accounting.time.pool import Pool, PoolBill, Use, bill_pool
from touchdown.records import ModelCall, Record, TaskRecord
from touchdown.runtime import core
from touchdown.runtime.guard import warn_once
from touchdown.runtime.identity import now_ns

MOST_USES = 1_000_000
"""Calls that one pool remembers; further ones are counted as idling, with a warning."""

_open: list["Capacity"] = []
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
        with _choosing:
            _open.append(self)

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

    def note(self, record: Record, root_id: str) -> None:
        """A record that was folded, and the root task that it belongs to."""
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
                self._calls.append(Use(root_id, record.sent_at_ns, record.ended_at_ns))

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


def note_record(record: Record, root_id: str) -> None:
    """Tell every open pool of a record that was folded."""
    for pool in tuple(_open):
        pool.note(record, root_id)
