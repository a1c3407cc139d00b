"""The phases of one model call: what the client saw of it, refined by what an engine says of it."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from touchdown.accounting.facts import CallFacts
from touchdown.accounting.taxes.jitter import excess_ns
from touchdown.accounting.taxes.queue import asked_to_wait
from touchdown.accounting.time.accounts import (
    AGENT,
    MODEL,
    OVERHEAD,
    Part,
    Phase,
    taken_in_turn,
    tax,
)
from touchdown.context.shares import apportion
from touchdown.records import Attempt, CallClock, EngineTiming, Miss, ModelCall, Usage

NO_CLOCK = CallClock()
NO_ENGINE = EngineTiming()

ENGINE_TAXES: Mapping[str, str] = {
    "frontend_ns": "runtime_overhead",
    "queue_ns": "queue",
    "kv_load_ns": "kv_offload",
    "fabric_ns": "fabric_transfer",
    "starved_ns": "decode_starved",
    "prefill_beside_ns": "prefill_blocks_decode",
}
"""What an engine tells of a call, and the tax of seconds that it is."""


def estimated_by_engines(calls: Iterable[CallFacts]) -> frozenset[str]:
    """Taxes of seconds that rest on what an engine only estimates."""
    found: set[str] = set()
    for facts in calls:
        if facts.call.engine is None:
            continue
        basis = facts.call.engine.basis
        found |= {name for field, name in ENGINE_TAXES.items() if basis.get(field) == "estimated"}
        if basis.get("prefill_ns") == "estimated":
            found |= {miss.tax for miss in facts.misses}
    return frozenset(found)


def estimated_by_lateness(calls: Iterable[CallFacts]) -> frozenset[str]:
    """What rests on how late an event loop was, which a timer only samples."""
    for facts in calls:
        clock, ended = facts.call.clock, facts.call.ended
        if (clock is not None and clock.late_ns) or (ended is not None and ended.late_ns):
            return frozenset({OVERHEAD.name})
    return frozenset()


def phases_of(facts: CallFacts, claimed_by: str | None = None, prefill_ns: int = 0) -> list[Phase]:
    """The phases in order; they cover the call from end to end.

    ``claimed_by`` is the tax that takes the whole call: what the model did is then that tax's.
    ``prefill_ns`` is what computing its input took, where that can be estimated.
    """
    call = facts.call
    length = max(call.duration_ns, 0)
    model = MODEL if claimed_by is None else tax(claimed_by)
    if prefill_ns <= 0 and _is_plain(call):
        began = call.sent_at_ns
        return [Phase(began, began + length, ((model, length),))] if length else []
    sent, answered, received = _instants(call, length)
    unread = _within(0, (call.clock or NO_CLOCK).unread_ns or 0, answered - sent[1])
    told = facts if claimed_by is None else None
    waiting, streaming = _claims(call, told, prefill_ns, answered - sent[1] - unread)
    began = call.sent_at_ns
    marks = [
        (began, began + sent[0], [(OVERHEAD, length)], OVERHEAD),
        (began + sent[0], began + sent[1], list(_attempts(call)), OVERHEAD),
        (began + sent[1], began + answered - unread, waiting, model),
        (began + answered - unread, began + answered, [], OVERHEAD),
        (began + answered, began + received, streaming, model),
        (began + received, began + length, [(OVERHEAD, length)], OVERHEAD),
    ]
    return [
        Phase(start, end, taken_in_turn(end - start, claims, rest))
        for start, end, claims, rest in marks
        if start < end
    ]


def _is_plain(call: ModelCall) -> bool:
    """Whether nothing is known but when it began and ended, as in most recordings."""
    told = call.clock is not None or call.engine is not None
    return not told and call.first_chunk_ns is None and not call.attempts


def _claims(
    call: ModelCall, told: CallFacts | None, prefill_ns: int, waited_ns: int
) -> tuple[list[Part], list[Part]]:
    """What is claimed of the wait for the answer, and of its stream, where the call itself is not claimed.

    A stream may begin before its first content: what fills the wait for that goes on in it.
    """
    clock = call.clock or NO_CLOCK
    waiting = [] if told is None else _before_first_token(told, prefill_ns)
    decoding = [] if told is None else _decoding(call)
    if call.first_chunk_ns is None:
        waiting, decoding = [*waiting, *decoding], []
    waiting, later = _split([(OVERHEAD, clock.pool_ns or 0), *waiting], waited_ns)
    later, _ = _split(later, clock.before_content_ns or 0)
    return waiting, [(AGENT, clock.consumer_ns or 0), *later, *decoding]


def _instants(call: ModelCall, length: int) -> tuple[tuple[int, int], int, int]:
    """When the first and the last attempt were sent, the answer began, and all of it was there."""
    clock = call.clock or NO_CLOCK
    failed = sum(part for _, part in _attempts(call))
    first = _within(0, clock.first_sent_ns or 0, length)
    last = _within(
        first, first + failed if clock.last_sent_ns is None else clock.last_sent_ns, length
    )
    if call.first_chunk_ns is not None:
        answered = _within(last, call.first_chunk_ns, length)
        return (first, last), answered, _within(answered, _last_chunk(call, answered), length)
    received = length if clock.received_ns is None else clock.received_ns
    answered = _within(last, received, length)
    return (first, last), answered, answered


def _last_chunk(call: ModelCall, answered: int) -> int:
    """When the last chunk was there; the whole call's length where the waits were not looked at."""
    clock = call.clock or NO_CLOCK
    if clock.consumer_ns is None:
        return call.duration_ns
    waits = sum(gap.total_ns for gap in clock.gaps) + (clock.before_content_ns or 0)
    return answered + clock.consumer_ns + waits


def _split(claims: Iterable[Part], length_ns: int) -> tuple[list[Part], list[Part]]:
    """Claims on a stretch of this length, and what of them is left for the one behind it."""
    found: tuple[list[Part], list[Part]] = [], []
    left = length_ns
    for account, ns in claims:
        taken = min(max(ns, 0), left)
        found[0].append((account, taken))
        found[1].append((account, max(ns, 0) - taken))
        left -= taken
    return found


def _within(low: int, value: int, high: int) -> int:
    return min(max(low, value), high)


def _attempts(call: ModelCall) -> Iterator[Part]:
    for attempt in call.attempts:
        yield tax("queue" if asked_to_wait(attempt) else "retries"), _lost_ns(attempt)


def _lost_ns(attempt: Attempt) -> int:
    return max(round((attempt.backoff_s + (attempt.lasted_s or 0.0)) * 1e9), 0)


def _before_first_token(facts: CallFacts, prefill_ns: int) -> list[Part]:
    """What an engine says that happened before the first token, in the order of the method."""
    engine = facts.call.engine or NO_ENGINE
    return [
        (OVERHEAD, engine.frontend_ns or 0),
        (tax("queue"), engine.queue_ns or 0),
        (tax("kv_offload"), engine.kv_load_ns or 0),
        (tax("fabric_transfer"), engine.fabric_ns or 0),
        *prefill_parts(
            facts.call.usage,
            facts.misses,
            prefill_ns if engine.prefill_ns is None else engine.prefill_ns,
        ),
    ]


def engine_phases(call: ModelCall, misses: Sequence[Miss]) -> tuple[tuple[str, int], ...]:
    """What a serving engine says that the call's time there went to, by account; empty where none tells."""
    engine = call.engine
    if engine is None:
        return ()
    beside = (engine.starved_ns or 0) + (engine.prefill_beside_ns or 0)
    parts: list[Part] = [
        (OVERHEAD, engine.frontend_ns or 0),
        (tax("queue"), engine.queue_ns or 0),
        (tax("kv_offload"), engine.kv_load_ns or 0),
        (tax("fabric_transfer"), engine.fabric_ns or 0),
        *prefill_parts(call.usage, misses, engine.prefill_ns or 0),
        (tax("decode_starved"), engine.starved_ns or 0),
        (tax("prefill_blocks_decode"), engine.prefill_beside_ns or 0),
        (MODEL, (engine.decode_ns or 0) - beside),
    ]
    found = Counter[str]()
    for account, ns in parts:
        found[account.name] += max(ns, 0)
    return tuple((name, ns) for name, ns in sorted(found.items()) if ns)


def prefill_parts(usage: Usage, misses: Sequence[Miss], prefill_ns: int) -> list[Part]:
    """A prefill by what was computed in it: tokens that were missed, by their tax, and new ones."""
    computed = (usage.uncached or 0) + usage.written_tokens
    missed = [(miss.tax, miss.tokens) for miss in misses if miss.tax not in ("", "unexplained")]
    rest = computed - sum(tokens for _, tokens in missed)
    if prefill_ns <= 0 or not missed or rest < 0:
        return [(MODEL, prefill_ns)]
    *shares, new = apportion(prefill_ns, [*(tokens for _, tokens in missed), rest])
    taxes = [(tax(name), ns) for (name, _), ns in zip(missed, shares, strict=True)]
    return [*taxes, (MODEL, new)]


def _decoding(call: ModelCall) -> list[Part]:
    engine = call.engine or NO_ENGINE
    clock = call.clock or NO_CLOCK
    excess = excess_ns(clock.gaps) or 0
    late = min(max((clock.late_ns or 0) - (clock.consumer_ns or 0), 0), excess)
    named = (engine.starved_ns or 0) + (engine.prefill_beside_ns or 0) + late
    return [
        (tax("decode_starved"), engine.starved_ns or 0),
        (tax("prefill_blocks_decode"), engine.prefill_beside_ns or 0),
        (OVERHEAD, late),
        (tax("jitter"), max(excess - named, 0)),
    ]
