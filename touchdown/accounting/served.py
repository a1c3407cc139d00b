"""What engines say of a call, in its answer and elsewhere, put together into one timing of it."""

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec.structs import replace

from touchdown.records import EngineReport, EngineTiming, ModelCall
from touchdown.records.engine import FIGURES, told_by_engine
from touchdown.records.verdict import Basis


def with_reports(call: ModelCall, reports: Iterable[EngineReport]) -> ModelCall:
    """The call with all that engines told of it; the order of the reports is of no account.

    What one engine says twice is taken from its answer first. Where a router stands in front, the phases
    are those of the engine behind it, and what the router took beyond them is front end.
    """
    told = sorted(reports, key=lambda one: (-_known(one.timing), repr(one)))
    if not told:
        return call
    by_engine: dict[str, list[EngineTiming]] = {}
    if call.engine is not None:
        by_engine[call.engine.engine] = [call.engine]
    for report in told:
        by_engine.setdefault(report.timing.engine, []).append(report.timing)
    by_engine = {engine: _of_one(engine, timings, told) for engine, timings in by_engine.items()}
    routers = {report.timing.engine for report in told if report.routed}
    if not routers and call.engine is not None:
        routers = {call.engine.engine}
    said = {engine: _filled(timings) for engine, timings in by_engine.items()}
    behind = [timing for engine, timing in said.items() if engine not in routers]
    in_front = [timing for engine, timing in said.items() if engine in routers]
    if len(behind) > 1:
        behind = [_abstain(" and ".join(sorted(said.keys() - routers)), TWO_ENGINES)]
    timing = _filled(behind or in_front)
    if behind and in_front:
        router = _filled(in_front)
        timing = _behind_router(timing, router) if timing.basis else router
    return replace(call, engine=timing, usage=told_by_engine(call.usage, timing))


TWO_REQUESTS = "two requests of the engine are of this call, and nothing says which was answered"
TWO_ENGINES = "two engines say that they served this call"


def _of_one(
    engine: str, timings: list[EngineTiming], told: list[EngineReport]
) -> list[EngineTiming]:
    """What one engine said; only its answer counts where its spans are of two requests."""
    spans = {one.span_id for one in told if one.timing.engine == engine and not one.routed}
    if len(spans - {""}) < 2:
        return timings
    of_spans = [one.timing for one in told]
    return [timing for timing in timings if timing not in of_spans] or [
        _abstain(engine, TWO_REQUESTS)
    ]


def _abstain(engine: str, reason: str) -> EngineTiming:
    return EngineTiming(engine, not_observable=dict.fromkeys(FIGURES, reason))


def _known(timing: EngineTiming) -> int:
    return len(timing.basis)


def _filled(timings: list[EngineTiming]) -> EngineTiming:
    """The first, and from those behind it what it does not tell."""
    first, *others = timings
    for other in others:
        new = [name for name in FIGURES if _is_new(name, first, other)]
        first = _taking(first, {name: getattr(other, name) for name in new}, other)
        first = replace(
            first,
            engine=first.engine or other.engine,
            worker=first.worker or other.worker,
            block_tokens=first.block_tokens or other.block_tokens,
            starved_by=first.starved_by or other.starved_by,
        )
    return first


def _is_new(name: str, first: EngineTiming, other: EngineTiming) -> bool:
    value, known = getattr(other, name), getattr(first, name)
    # A total that holds the front end, too, is the longer one.
    return value is not None and (known is None or (name == "total_ns" and value > known))


def _taking(timing: EngineTiming, values: Mapping[str, int], source: EngineTiming) -> EngineTiming:
    basis = {name: source.basis[name] for name in values if name in source.basis}
    evidence = {name: source.evidence[name] for name in values if name in source.evidence}
    lacking = {**timing.not_observable, **source.not_observable}
    fields: dict[str, Any] = dict(values)
    return replace(
        timing,
        **fields,
        basis={**timing.basis, **basis},
        evidence={**timing.evidence, **evidence},
        not_observable={
            name: reason
            for name, reason in lacking.items()
            if name not in values and getattr(timing, name, None) is None
        },
    )


def _behind_router(engine: EngineTiming, router: EngineTiming) -> EngineTiming:
    """The engine's own phases, and around them what only the router sees."""
    counts = {
        name: getattr(router, name)
        for name in ("prompt_tokens", "cached_tokens", "computed_tokens", "requeues")
        if getattr(engine, name) is None and getattr(router, name) is not None
    }
    found = _taking(engine, counts, router)
    found = replace(
        found,
        engine=router.engine,
        worker=router.worker or engine.worker,
        block_tokens=engine.block_tokens or router.block_tokens,
    )
    if router.total_ns is None or engine.total_ns is None or router.total_ns < engine.total_ns:
        return found
    waited = router.queue_ns or 0
    around = max(0, router.total_ns - engine.total_ns - waited) + (engine.frontend_ns or 0)
    values = {"frontend_ns": around, "total_ns": router.total_ns}
    if waited and engine.queue_ns is not None:
        values["queue_ns"] = engine.queue_ns + waited
    basis: dict[str, Basis] = {name: _weaker(name, engine, router) for name in values}
    evidence = dict.fromkeys(values, f"{router.engine} around {engine.engine}")
    return _taking(found, values, EngineTiming(basis=basis, evidence=evidence))


def _weaker(name: str, engine: EngineTiming, router: EngineTiming) -> Basis:
    """Differences and sums are derived, unless something in them is estimated."""
    parts = [timing.basis.get(part) for timing in (engine, router) for part in ("total_ns", name)]
    return "estimated" if "estimated" in parts else "derived"
