"""What others' prefills take of a stream: waits and stretches laid out by hand."""

from dataclasses import dataclass, field

import pytest
from msgspec.structs import replace

from touchdown.engines.beside import LONG_PREFILL_TOKENS, MOST_KEPT, Prefills
from touchdown.records import CallStart, EngineTiming
from touchdown.runtime.clocks import CallClocks
from touchdown.runtime.place import Place, new_task
from touchdown.runtime.waits import Waits

MS = 1_000_000
LONG = LONG_PREFILL_TOKENS
SILENT = EngineTiming("vllm", not_observable={"prefill_beside_ns": "no", "starved_ns": "no"})


@dataclass(eq=False)
class Call:
    """What a host sees of a call."""

    start: CallStart
    place: Place
    first_ns: int | None = None
    clocks: CallClocks = field(default_factory=lambda: CallClocks(new_task("a task")))


def call(
    name: str, sent: int, first: int | None, waits: tuple[int, ...] = (), agent: str = ""
) -> Call:
    """Times in milliseconds; each of the ``waits`` behind the first chunk brought one more."""
    start = CallStart(name, "task", "task", "vllm", "tiny", "chat", 0, agent_name=agent)
    made = Call(start, Place(new_task(f"task of {name}"), "task"), first and first * MS)
    made.clocks.last_sent_ns = sent * MS
    if first is not None:
        made.clocks.waits = Waits([(first - sent) * MS, *(wait * MS for wait in waits)])
        made.clocks.ended_ns = (first + sum(waits)) * MS
    return made


def in_one_piece(name: str, sent: int, received: int) -> Call:
    made = call(name, sent, None)
    made.clocks.received_ns = made.clocks.ended_ns = received * MS
    return made


def prefilled(took: int, tokens: int | None, decode: int = 0) -> EngineTiming:
    return replace(SILENT, prefill_ns=took * MS, decode_ns=decode * MS, computed_tokens=tokens)


STALLED = (10, 10, 10, 210, 10, 10)
"""From 100 ms on: the stall lies between 130 and 340 ms, and is 200 ms above the usual wait."""


def stalled(prefills: Prefills) -> EngineTiming:
    stream = call("stream", 90, 100, STALLED)
    prefills.sent(stream)
    return prefills.beside(stream, SILENT)


def test_a_long_prefill_in_the_stall_is_its_owner() -> None:
    prefills = Prefills()
    reader = in_one_piece("reader", 125, 345)
    prefills.sent(reader)
    assert prefills.beside(reader, prefilled(205, LONG, decode=5)) == prefilled(205, LONG, decode=5)
    told = stalled(prefills)
    assert (told.starved_ns, told.starved_by) == (200 * MS, "reader")
    assert told.basis == {"starved_ns": "estimated"}
    assert told.evidence == {"starved_ns": "prefill of reader of 'task of reader', 8,192 tokens"}
    assert told.prefill_beside_ns is None
    assert told.not_observable == {"prefill_beside_ns": "no"}


def test_only_what_the_prefill_covers_of_the_stall_is_its_doing() -> None:
    prefills = Prefills()
    reader = in_one_piece("reader", 100, 200)
    prefills.beside(reader, prefilled(100, LONG))
    assert stalled(prefills).starved_ns == 70 * MS


def test_the_long_one_is_asked_first_and_short_ones_take_what_is_left() -> None:
    prefills = Prefills()
    prefills.beside(in_one_piece("long", 130, 230), prefilled(100, LONG))
    for number in range(2):
        prefills.beside(in_one_piece(f"short-{number}", 130, 280), prefilled(150, 100 - number))
    told = stalled(prefills)
    assert (told.starved_ns, told.starved_by) == (100 * MS, "long")
    assert told.prefill_beside_ns == 100 * MS
    assert told.evidence["prefill_beside_ns"] == (
        "prefill of short-0 of 'task of short-0', 100 tokens"
    )


@pytest.mark.parametrize(
    "reader",
    [in_one_piece("before", 0, 95), in_one_piece("after", 400, 500), call("stream", 130, 340)],
)
def test_a_prefill_outside_the_stall_or_its_own_took_nothing(reader: Call) -> None:
    prefills = Prefills()
    prefills.beside(reader, prefilled(95, LONG))
    assert stalled(prefills) == SILENT


@pytest.mark.parametrize("told", [SILENT, replace(SILENT, computed_tokens=0)])
def test_a_call_that_failed_or_found_all_in_the_cache_was_not_prefilled(told: EngineTiming) -> None:
    prefills = Prefills()
    prefills.beside(in_one_piece("reader", 130, 340), told)
    assert stalled(prefills) == SILENT


def test_a_stream_that_still_runs_was_prefilled_before_its_first_chunk() -> None:
    prefills = Prefills()
    running, waiting = call("running", 130, 240, agent="indexer"), call("waiting", 130, None)
    prefills.sent(running)
    prefills.sent(waiting)
    told = stalled(prefills)
    assert told.prefill_beside_ns == 110 * MS
    assert "'task of running', agent 'indexer'" in told.evidence["prefill_beside_ns"]


def test_a_call_that_was_dropped_is_forgotten_and_so_are_the_oldest_of_many() -> None:
    prefills = Prefills()
    dropped = call("dropped", 130, 240)
    prefills.sent(dropped)
    del dropped
    assert stalled(prefills) == SILENT
    kept = [call(f"call-{number}", 130, 240) for number in range(MOST_KEPT + 5)]
    for each in kept:
        prefills.sent(each)
    assert len(prefills._underway) == MOST_KEPT
    prefills.after_fork()
    assert stalled(prefills) == SILENT


def test_what_the_engine_tells_itself_stays() -> None:
    prefills = Prefills()
    prefills.beside(in_one_piece("reader", 125, 345), prefilled(205, LONG))
    stream = call("stream", 90, 100, STALLED)
    told = replace(SILENT, prefill_beside_ns=0)
    assert prefills.beside(stream, told) is told


def test_too_few_waits_and_waits_of_one_read_tell_nothing() -> None:
    prefills = Prefills()
    prefills.beside(in_one_piece("reader", 0, 1000), prefilled(1000, LONG))
    for waits in ((), (10, 10, 200), (0,) * 50 + (200,)):
        assert prefills.beside(call("stream", 90, 100, waits), SILENT) == SILENT


def test_what_the_caller_did_between_its_reads_moves_the_waits() -> None:
    prefills = Prefills()
    prefills.beside(in_one_piece("reader", 500, 700), prefilled(200, LONG))
    stream = call("stream", 90, 100, STALLED)
    stream.clocks.ended_ns = (100 + sum(STALLED) + 600) * MS
    assert prefills.beside(stream, SILENT).starved_ns == 170 * MS
