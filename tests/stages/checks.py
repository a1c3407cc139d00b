"""What an engine says of calls against what it counted of them, and what the ledger makes of both."""

import time
from collections.abc import Callable, Iterable
from typing import Any

from tests.telemetry.receiver import Receiver
from touchdown.accounting.facts import CallFacts
from touchdown.accounting.time.phases import phases_of
from touchdown.engines.host import EngineHost
from touchdown.prices.rates import Unpriced
from touchdown.records import ModelCall
from touchdown.runtime import core
from touchdown.testing import Capture

SETTLE_S = 60.0


def counted_by(host: EngineHost, figure: str, wanted: float) -> float:
    """What the engine has counted, once it has come to this: its pages lag behind its answers."""
    deadline = time.monotonic() + SETTLE_S
    while True:
        host.look()
        found = host.counted.figures.get(figure, 0.0)
        if found >= wanted or time.monotonic() > deadline:
            return found
        time.sleep(0.2)


def spans_below(
    receiver: Receiver, calls: list[ModelCall], is_one: Callable[[Any], bool]
) -> dict[str, Any]:
    """The engine's own span of each call, by the span that it is a child of."""
    wanted = {call.span_id for call in calls}
    deadline = time.monotonic() + SETTLE_S
    while True:
        told = [span for span in receiver.spans() if is_one(span)]
        found = {span.parent_span_id.hex(): span for span in told}
        if wanted <= found.keys() or time.monotonic() > deadline:
            return {name: found[name] for name in wanted}
        time.sleep(0.2)


def phases_add_up(call: ModelCall) -> None:
    """The phases of a call cover it from end to end, and each has parts that add up to it."""
    phases = phases_of(CallFacts(call, None, Unpriced("no price is asked for"), None))
    at = call.sent_at_ns
    for phase in phases:
        assert phase.start_ns == at
        at = phase.end_ns
        assert sum(ns for _, ns in phase.parts) == phase.end_ns - phase.start_ns
    assert at == call.ended_at_ns


def time_adds_up(seen: Capture) -> None:
    """Every second of the one task is in one account."""
    (account,) = seen.accounts
    whole = account.time
    assert whole.work_ns + sum(whole.taxes.values()) + whole.unexplained_ns == whole.total_ns


def sums_are_counted(host: EngineHost, calls: list[ModelCall]) -> None:
    """The sums over the calls are what the engine's own counters went up by."""
    told = [call.engine for call in calls if call.engine is not None]
    assert len(told) == len(calls)
    assert counted_by(host, "requests", len(calls)) == len(calls)
    cached = sum(timing.cached_tokens or 0 for timing in told)
    assert counted_by(host, "cached_tokens", cached) == cached
    assert host.counted.figures["prompt_tokens"] == sum(t.prompt_tokens or 0 for t in told)
    assert cached == sum(call.usage.cache_read or 0 for call in calls)


def joined_in_process(seen: Capture, how: Iterable[str], wanted: int) -> dict[str, int]:
    """What became of the requests that engines told of, once so many were joined in one of these ways."""
    runtime = core.active()
    assert runtime is not None
    collector: Any = runtime.collector
    assert collector.problem == ""
    deadline = time.monotonic() + SETTLE_S
    while sum(collector.counts.get(name, 0) for name in how) < wanted:
        assert time.monotonic() < deadline, collector.counts
        time.sleep(0.2)
        seen.account  # noqa: B018  takes in what has come
    return dict(collector.counts)
