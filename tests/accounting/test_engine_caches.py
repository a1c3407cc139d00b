"""The cache of a named serving engine: whole blocks, no life, and one for each worker."""

from dataclasses import replace
from typing import Any

from tests.accounting.build import GPT, SYSTEM, TOOLS, after, call, seg, usage, usd
from tests.accounting.pairs import verdict_of
from touchdown.records import EngineTiming, ModelCall, Segment

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
