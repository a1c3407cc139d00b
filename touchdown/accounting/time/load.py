"""What a task asks of its host: CPU of agent and tools for each second of a model, and tools at once."""

from collections.abc import Iterable

from msgspec import Struct

from touchdown.accounting.time.intervals import Interval, by_kind
from touchdown.records import ModelCall, TaskRecord


class HostLoad(Struct, frozen=True):
    """CPU and model time of one task or of several.

    Units: nanoseconds. ``cpu_ns`` is what the process and its children used while the task was open, whatever
    ran beside it; ``None`` where the source does not tell. ``tools_busy_ns`` is when any tool ran.
    """

    cpu_ns: int | None = None
    model_ns: int = 0
    tools_ns: int = 0
    tools_busy_ns: int = 0
    tools_peak: int = 0
    client_cpu_ns: int | None = None
    """Of ``cpu_ns``: what threads used inside model calls, before sending and behind the answer; of those
    calls that tell it, so at least this much."""

    @property
    def cores_per_call(self) -> float | None:
        """CPU core-seconds for each second of a model call: cores kept busy by one call in flight."""
        known = self.cpu_ns is not None and self.model_ns > 0
        return (self.cpu_ns or 0) / self.model_ns if known else None

    @property
    def tools_mean(self) -> float | None:
        """Tools that ran at once, on average while any did."""
        return self.tools_ns / self.tools_busy_ns if self.tools_busy_ns else None


def load_of(root: Interval, task: TaskRecord) -> HostLoad:
    """The load of one task, its child tasks counted in."""
    found = by_kind(root)
    tools = found.get("tool", [])
    peak, busy_ns = _at_once(tools)
    cpu_s = None if task.cpu_s is None else task.cpu_s + (task.children_cpu_s or 0.0)
    return HostLoad(
        cpu_ns=None if cpu_s is None else round(cpu_s * 1e9),
        model_ns=sum(call.length_ns for call in found.get("call", [])),
        tools_ns=sum(tool.length_ns for tool in tools),
        tools_busy_ns=busy_ns,
        tools_peak=peak,
        client_cpu_ns=_sum(_client_cpu_ns(call) for call in found.get("call", [])),
    )


def _client_cpu_ns(call: Interval) -> int | None:
    clock = call.record.clock if isinstance(call.record, ModelCall) else None
    return _sum((clock.cpu_before_ns, clock.cpu_after_ns)) if clock is not None else None


def _sum(figures: Iterable[int | None]) -> int | None:
    """Of what is known; ``None`` where nothing is."""
    known = [figure for figure in figures if figure is not None]
    return sum(known) if known else None


def add_loads(loads: Iterable[HostLoad]) -> HostLoad | None:
    """Several tasks as one, those left out whose CPU is not known; ``None`` when none is left."""
    known = [load for load in loads if load.cpu_ns is not None]
    if not known:
        return None
    return HostLoad(
        cpu_ns=sum(load.cpu_ns or 0 for load in known),
        model_ns=sum(load.model_ns for load in known),
        tools_ns=sum(load.tools_ns for load in known),
        tools_busy_ns=sum(load.tools_busy_ns for load in known),
        tools_peak=max(load.tools_peak for load in known),
        client_cpu_ns=_sum(load.client_cpu_ns for load in known),
    )


def _at_once(intervals: Iterable[Interval]) -> tuple[int, int]:
    """The most that ran at one instant, and how long any did."""
    events: list[tuple[int, int]] = []
    for interval in intervals:
        if interval.length_ns:
            events += [(interval.start_ns, 1), (interval.end_ns, -1)]
    running = peak = busy_ns = last = 0
    for at, change in sorted(events):
        busy_ns += at - last if running else 0
        running, last = running + change, at
        peak = max(peak, running)
    return peak, busy_ns
