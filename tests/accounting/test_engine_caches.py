"""The cache of a named serving engine: whole blocks, no life, and one for each worker."""

from typing import Any

import pytest
from msgspec.structs import replace

from tests.accounting.build import (
    GPT,
    SYSTEM,
    TOOLS,
    FixedPrices,
    after,
    call,
    result,
    seg,
    usage,
    usd,
)
from tests.accounting.pairs import verdict_of
from touchdown.accounting.ledger import refold
from touchdown.records import EngineTiming, ModelCall, Segment
from touchdown.records.verdict import Basis

START = [TOOLS, SYSTEM, seg("goal")]
HOURS = 3600


def at(worker: str = "", block: int | None = 16) -> EngineTiming:
    return EngineTiming("dynamo", worker=worker, block_tokens=block)


def first(worker: str = "a", tokens: int = 383, **more: Any) -> ModelCall:
    engine = more.pop("engine", at(worker))
    used = usage(tokens, 0, 10)
    return call(
        "c1",
        0,
        START,
        used,
        provider="openai",
        model=GPT,
        caching="implicit",
        engine=engine,
        **more,
    )


def then(
    name: str, before: ModelCall, worker: str, tokens: int, read: int, *new: Segment, **more: Any
) -> ModelCall:
    shared = 3 if before.context.predecessor is None else 3 + int(before.id[1:]) - 1
    made = call(
        name,
        more.pop("at_s", 60 * int(name[1:])),
        context=after(before, shared, *(new or (seg(f"more {name}"),))),
        used=usage(tokens - read, read, 10),
        provider="openai",
        model=GPT,
        engine=more.pop("engine", at(worker)),
    )
    return replace(made, **more)


def found(*calls: ModelCall) -> list[tuple[str, str, int, str]]:
    verdict = verdict_of(*calls)
    return [(miss.cause, miss.tax, miss.tokens, miss.basis) for miss in verdict.misses]


def test_what_is_left_of_the_last_block_is_no_miss() -> None:
    one = first()
    verdict = verdict_of(one, then("c2", one, "a", 538, 368))
    assert (verdict.cache_state, verdict.misses) == ("warm", ())
    assert (verdict.reusable_tokens, verdict.missed_tokens) == (368, 0)


def test_one_block_may_be_lost_to_the_seam_between_prompt_and_answer() -> None:
    one = first(tokens=560)
    assert found(one, then("c2", one, "a", 716, 544)) == []
    assert found(one, then("c2", one, "a", 716, 528)) == [("evicted", "unexplained", 32, "derived")]


def test_another_worker_has_to_compute_it_again() -> None:
    one = first()
    two = then("c2", one, "b", 538, 0)
    assert found(one, two) == [("rerouted", "rerouting", 368, "derived")]
    (miss,) = verdict_of(one, two).misses
    assert miss.detail == "worker a -> b"
    assert miss.usd == 368 * (usd("2") - usd("0.5")) / 1_000_000


def test_a_few_tokens_count_where_the_block_is_known() -> None:
    one = first(tokens=33)
    assert found(one, then("c2", one, "b", 60, 0)) == [("rerouted", "rerouting", 32, "derived")]


def test_back_at_the_first_worker_what_it_still_has_is_read_and_the_rest_was_elsewhere() -> None:
    one = first()
    two = then("c2", one, "b", 535, 0)
    three = then("c3", two, "a", 690, 368)
    assert found(one, two, three) == [("rerouted", "rerouting", 160, "derived")]


def test_what_its_own_worker_had_and_did_not_give_was_evicted() -> None:
    one = first()
    two = then("c2", one, "b", 535, 0)
    three = then("c3", two, "a", 690, 0)
    assert found(one, two, three) == [
        ("evicted", "unexplained", 368, "derived"),
        ("rerouted", "rerouting", 160, "derived"),
    ]


def test_no_entry_dies_of_age() -> None:
    one = first()
    kept = then("c2", one, "a", 538, 368, at_s=24 * HOURS)
    lost = then("c2", one, "a", 538, 0, at_s=24 * HOURS)
    assert found(one, kept) == []
    assert found(one, lost) == [("evicted", "unexplained", 368, "derived")]


def seen_gone(tokens: int, ago_s: float, basis: Basis = "measured") -> EngineTiming:
    return replace(
        at("a"),
        evicted_tokens=tokens,
        evicted_ago_ns=round(ago_s * 1e9),
        basis={"evicted_tokens": basis},
    )


@pytest.mark.parametrize(
    ("timing", "basis", "words"),
    [
        (seen_gone(368, 20), "measured", "368 tokens were seen to be evicted, the last 20.0 s"),
        (seen_gone(368, 20, "derived"), "derived", "before the call, while run, look ran"),
        (seen_gone(160, 20), "estimated", "160 tokens"),
        (seen_gone(368, 3600), "measured", "3600.0 s before the call"),
    ],
)
def test_an_eviction_that_the_engine_told_of_has_its_moment_and_its_tools(
    timing: EngineTiming, basis: Basis, words: str
) -> None:
    one = first()
    ran = [result("t1", name="run"), result("t2", name="look"), seg("go on")]
    lost = then("c2", one, "a", 738, 0, *ran, engine=timing)
    assert found(one, lost) == [("eviction_seen", "cache_expired", 368, basis)]
    (miss,) = verdict_of(one, lost).misses
    assert words in miss.detail
    assert ("ran" in miss.detail) == (timing.evicted_ago_ns == 20 * 10**9)


def test_an_eviction_between_calls_without_a_tool_and_its_finding() -> None:
    one = first()
    lost = then("c2", one, "a", 538, 0, engine=seen_gone(368, 20))
    (miss,) = verdict_of(one, lost).misses
    assert miss.detail.endswith("20.0 s before the call, after the one before")
    account = refold([one, lost], FixedPrices()).account()
    (finding,) = [finding for finding in account.findings if finding.tax == "cache_expired"]
    assert "because the engine needed the room of the cache for others" in finding.why
    assert (finding.tokens, finding.saves_usd) == (368, None)


def test_without_worker_ids_a_lost_cache_is_not_said_to_be_rerouted() -> None:
    one = first("")
    assert found(one, then("c2", one, "", 538, 0)) == [("evicted", "unexplained", 368, "derived")]
    assert found(first("a"), then("c2", first("a"), "", 538, 0))[0][0] == "evicted"


def test_without_the_block_an_entry_may_reach_as_far_as_its_prompt() -> None:
    one = first(engine=at("a", None))
    two = then("c2", one, "b", 538, 0, engine=at("b", None))
    assert found(one, two) == [("rerouted", "rerouting", 383, "estimated")]
    warm = then("c2", one, "a", 538, 368, engine=at("a", None))
    assert found(one, warm) == []  # 15 tokens: less than a block may have


def test_a_changed_tool_is_a_miss_whatever_the_worker() -> None:
    one = first(tokens=3000)
    two = then("c2", one, "b", 3000, 0)
    changed = replace(
        two, context=after(one, 0, seg("other tools", 4000, "tools"), SYSTEM, seg("goal"))
    )
    causes = {cause for cause, *_ in found(one, changed)}
    assert causes == {"tools_changed"}


def test_a_prefix_that_another_worker_still_computed_was_asked_for_too_early() -> None:
    before = call("c0", -10, START, usage(383, 0, 10), provider="openai", model=GPT, engine=at("a"))
    one = first(lasts_s=100)
    two = then("c2", one, "b", 538, 0, at_s=10)
    assert [cause for cause, *_ in found(before, one, two)] == ["concurrent_write"]
