"""Pools: hardware paid by time. Its bill goes to the tasks whose calls were in flight, and to idling."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from math import lcm

from touchdown.context.shares import apportion

HOUR_NS = 3_600 * 10**9
PICO_IN_USD = 10**12


@dataclass(frozen=True, slots=True)
class Pool:
    """Hardware at a price for each hour that it is open. Units: nanoseconds since the epoch.

    ``exclusive``: kept for whoever holds it, so that its idle time is its sole holder's.
    """

    name: str
    usd_per_hour: Decimal
    opened_ns: int
    closed_ns: int
    exclusive: bool = False

    @property
    def total_pico(self) -> int:
        """What it costs, in whole pico-dollars."""
        open_ns = max(self.closed_ns - self.opened_ns, 0)
        return round(Fraction(self.usd_per_hour) * open_ns * PICO_IN_USD / HOUR_NS)


@dataclass(frozen=True, slots=True)
class Use:
    """A call in flight, or a task that held the pool, for so long. Units: nanoseconds since the epoch."""

    task_id: str
    start_ns: int
    end_ns: int


@dataclass(frozen=True, slots=True)
class PoolBill:
    """The bill of a pool: ``by_task``, ``gpu_waits_on_cpu`` and ``idle_usd`` add up to ``total_usd`` exactly.

    Units: US dollars by task id. ``by_task`` is estimated: calls in flight together share an instant equally.
    """

    pool: Pool
    total_usd: Decimal
    by_task: Mapping[str, Decimal] = field(default_factory=dict)
    gpu_waits_on_cpu: Mapping[str, Decimal] = field(default_factory=dict)
    """What an exclusive pool cost while its sole holder had no call in flight."""
    idle_usd: Decimal = Decimal(0)
    """What nobody used, outside all tasks."""

    def __str__(self) -> str:
        calls, waits = (
            sum(shares.values(), Decimal(0)) for shares in (self.by_task, self.gpu_waits_on_cpu)
        )
        parts = [f"~${calls:,.4f} for calls of {len(self.by_task):,} tasks"]
        parts += [f"${waits:,.4f} waiting for them"] if waits else []
        told = ", ".join([*parts, f"${self.idle_usd:,.4f} idle"])
        return f"{self.pool.name}: ${self.total_usd:,.4f} ({told})"


Weights = defaultdict[tuple[str, str], Fraction]
"""Account (``call``, ``wait``, ``idle``) and task to nanoseconds."""


def bill_pool(pool: Pool, calls: Iterable[Use], holders: Iterable[Use] = ()) -> PoolBill:
    """Split the pool's bill over what happened on it; ``holders`` are tasks while they were open."""
    weights: Weights = defaultdict(Fraction)
    held = list(holders) if pool.exclusive else []
    for start, end, running, holding in _instants(pool, list(calls), held):
        if running:
            for task_id in running:
                weights["call", task_id] += Fraction(end - start, len(running))
        elif len(set(holding)) == 1:
            weights["wait", holding[0]] += end - start
        else:
            weights["idle", ""] += end - start
    shared = _share(pool.total_pico, weights)
    return PoolBill(
        pool=pool,
        total_usd=_usd(pool.total_pico),
        by_task={task: usd for (what, task), usd in shared.items() if what == "call"},
        gpu_waits_on_cpu={task: usd for (what, task), usd in shared.items() if what == "wait"},
        idle_usd=shared.get(("idle", ""), Decimal(0)),
    )


def _instants(
    pool: Pool, calls: Sequence[Use], holders: Sequence[Use]
) -> Iterator[tuple[int, int, list[str], list[str]]]:
    """Stretches in which the same calls run and the same tasks hold the pool."""
    events: list[tuple[int, int, int, str]] = []
    for kind, uses in enumerate((calls, holders)):
        for use in uses:
            start, end = max(use.start_ns, pool.opened_ns), min(use.end_ns, pool.closed_ns)
            if start < end:
                events += [(start, 1, kind, use.task_id), (end, -1, kind, use.task_id)]
    by_time: defaultdict[int, list[tuple[int, int, str]]] = defaultdict(list)
    for at, change, kind, task_id in events:
        by_time[at].append((change, kind, task_id))
    now: tuple[dict[str, int], dict[str, int]] = ({}, {})
    ends = sorted({pool.opened_ns, max(pool.opened_ns, pool.closed_ns), *by_time})
    for start, end in pairwise(ends):
        for change, kind, task_id in by_time[start]:
            now[kind][task_id] = now[kind].get(task_id, 0) + change
        running, holding = (
            [task_id for task_id, number in sorted(state.items()) for _ in range(number)]
            for state in now
        )
        yield start, end, running, holding


def _share(total_pico: int, weights: Weights) -> dict[tuple[str, str], Decimal]:
    accounts = sorted(weights)
    if not accounts:
        return {("idle", ""): _usd(total_pico)}
    scale = lcm(*(weights[account].denominator for account in accounts))
    parts = apportion(total_pico, [int(weights[account] * scale) for account in accounts])
    return {account: _usd(part) for account, part in zip(accounts, parts, strict=True)}


def _usd(pico: int) -> Decimal:
    """Exact, whatever decimal context the host has set."""
    return Decimal(f"{pico}E-12")
