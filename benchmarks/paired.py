"""Differences between states that take turns in one process, with their spread."""

import gc
import random
import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """The middle of some differences, and the quartiles around it. Units: microseconds."""

    median: float
    low: float
    high: float

    @property
    def resolved(self) -> bool:
        """Whether the figure stands out of its own noise."""
        return self.low > 0 and self.high - self.low < self.median

    def __str__(self) -> str:
        return f"{self.median:.1f} ({self.low:.1f} to {self.high:.1f})"


def figure(values: Iterable[float]) -> Figure:
    """The quartiles of these values."""
    found = sorted(values)
    if len(found) < 2:
        return Figure(found[0], found[0], found[0])
    low, median, high = statistics.quantiles(found, n=4, method="inclusive")
    return Figure(median, low, high)


def ratio(upper: Figure, lower: Figure) -> float | None:
    """How many times `lower` is in `upper`; ``None`` where either is lost in its noise."""
    return upper.median / lower.median if upper.resolved and lower.resolved else None


def shown(value: float | None) -> str:
    """A ratio for people."""
    return "not resolved" if value is None else f"{value:.2f}"


def calls_us(call: Callable[[], object], calls: int) -> list[float]:
    """Some calls, each in microseconds of this thread, with garbage collection off."""
    call()
    gc.collect()
    gc.disable()
    spent = []
    for _ in range(calls):
        began = time.thread_time_ns()
        call()
        spent.append(time.thread_time_ns() - began)
    gc.enable()
    return [ns / 1000 for ns in spent]


def call_us(call: Callable[[], object], calls: int) -> float:
    """The middle one of these."""
    return statistics.median(calls_us(call, calls))


def take_turns(
    switch: Callable[[str], object],
    states: tuple[str, ...],
    measure: Callable[[], float],
    pairs: int,
) -> dict[str, Figure]:
    """What each state adds to the first one, measured anew in every round, in changing order."""
    first, *others = states
    added: dict[str, list[float]] = {state: [] for state in others}
    for round_ in range(pairs):
        order = list(states)
        random.Random(round_).shuffle(order)
        found = {}
        for state in order:
            switch(state)
            found[state] = measure()
        for state in others:
            added[state].append(found[state] - found[first])
    return {state: figure(values) for state, values in added.items()}
