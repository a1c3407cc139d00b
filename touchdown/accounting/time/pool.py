"""Pools: hardware paid by time. Its bill goes to the tasks whose calls were in flight, and to idling."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from math import lcm

from msgspec import Struct, field

from touchdown.context.shares import apportion

Phases = tuple[tuple[str, int], ...]
"""Account (``model``, or a tax's id) and nanoseconds."""

UNSPLIT = "no engine told its phases"
HOUR_NS = 3_600 * 10**9
PICO_IN_USD = 10**12


class Pool(Struct, frozen=True):
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


class Use(Struct, frozen=True):
    """A call in flight, or a task that held the pool, for so long. Units: nanoseconds since the epoch."""

    task_id: str
    start_ns: int
    end_ns: int
    phases: Phases = ()
    """What the serving engine says that the call's time there went to; empty where none told."""


class PoolBill(Struct, frozen=True):
    """The bill of a pool: ``by_task``, ``gpu_waits_on_cpu`` and ``idle_usd`` add up to ``total_usd`` exactly.

    Units: US dollars by task id. ``by_task`` is estimated: calls in flight together share an instant equally.
    """

    pool: Pool
    total_usd: Decimal
    by_task: Mapping[str, Decimal] = field(default_factory=dict)
    by_phase: Mapping[str, Mapping[str, Decimal]] = field(default_factory=dict)
    """Of each task's share in ``by_task``: what its calls' phases take of it, in proportion; they add up."""
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
    phases: defaultdict[str, Counter[str]] = defaultdict(Counter)
    held = list(holders) if pool.exclusive else []
    for start, end, running, holding in _instants(pool, list(calls), held):
        if running:
            for use in running:
                weights["call", use.task_id] += Fraction(end - start, len(running))
                _add_phases(phases[use.task_id], use, Fraction(end - start, len(running)))
        elif len({use.task_id for use in holding}) == 1:
            weights["wait", holding[0].task_id] += end - start
        else:
            weights["idle", ""] += end - start
    shared = _share(pool.total_pico, weights)
    by_task = {task: pico for (what, task), pico in shared.items() if what == "call"}
    waits = {task: pico for (what, task), pico in shared.items() if what == "wait"}
    return PoolBill(
        pool=pool,
        total_usd=_usd(pool.total_pico),
        by_task={task: _usd(pico) for task, pico in by_task.items()},
        by_phase={task: _by_phase(pico, phases[task]) for task, pico in by_task.items()},
        gpu_waits_on_cpu={task: _usd(pico) for task, pico in waits.items()},
        idle_usd=_usd(shared.get(("idle", ""), 0)),
    )


def _add_phases(phases: Counter[str], use: Use, share: Fraction) -> None:
    """A call's share of a stretch by its phases, to a thousandth of a nanosecond."""
    told = use.phases if sum(ns for _, ns in use.phases) else ((UNSPLIT, 1),)
    parts = apportion(round(share * 1_000), [ns for _, ns in told])
    for (account, _), part in zip(told, parts, strict=True):
        phases[account] += part


def _by_phase(pico: int, phases: Counter[str]) -> dict[str, Decimal]:
    accounts = sorted(phases)
    parts = apportion(pico, [phases[account] for account in accounts])
    return {account: _usd(part) for account, part in zip(accounts, parts, strict=True)}


def _instants(
    pool: Pool, calls: Sequence[Use], holders: Sequence[Use]
) -> Iterator[tuple[int, int, list[Use], list[Use]]]:
    """Stretches in which the same calls run and the same tasks hold the pool."""
    by_time: defaultdict[int, list[tuple[bool, int, int, Use]]] = defaultdict(list)
    for kind, uses in enumerate((calls, holders)):
        for number, use in enumerate(uses):
            start, end = max(use.start_ns, pool.opened_ns), min(use.end_ns, pool.closed_ns)
            if start < end:
                by_time[start].append((True, kind, number, use))
                by_time[end].append((False, kind, number, use))
    now: tuple[dict[int, Use], dict[int, Use]] = ({}, {})
    ends = sorted({pool.opened_ns, max(pool.opened_ns, pool.closed_ns), *by_time})
    for start, end in pairwise(ends):
        for begins, kind, number, use in by_time[start]:
            if begins:
                now[kind][number] = use
            else:
                del now[kind][number]
        yield start, end, list(now[0].values()), list(now[1].values())


def _share(total_pico: int, weights: Weights) -> dict[tuple[str, str], int]:
    accounts = sorted(weights)
    if not accounts:
        return {("idle", ""): total_pico}
    scale = lcm(*(weights[account].denominator for account in accounts))
    parts = apportion(total_pico, [int(weights[account] * scale) for account in accounts])
    return dict(zip(accounts, parts, strict=True))


def _usd(pico: int) -> Decimal:
    """Exact, whatever decimal context the host has set."""
    return Decimal(f"{pico}E-12")
