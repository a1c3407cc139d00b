"""Every cause of a cache miss: where it begins, how many tokens, which account, how much money."""

import pytest
from msgspec.structs import replace

from tests.accounting.build import (
    GPT,
    HAIKU,
    OPUS,
    SYSTEM,
    TOOLS,
    after,
    call,
    seg,
    usage,
    usd,
)
from tests.accounting.pairs import FIRST, MORE, START, only_miss, then, verdict_of


def test_a_first_call_is_all_work() -> None:
    verdict = verdict_of(FIRST)

    assert (verdict.cache_state, verdict.misses) == ("cold", ())
    assert (verdict.reusable_tokens, verdict.missed_tokens) == (0, 0)


def test_appending_and_reading_everything_is_warm() -> None:
    verdict = verdict_of(FIRST, then(MORE, used=usage(0, 3000, 1, {"5m": 1000})))

    assert (verdict.cache_state, verdict.misses) == ("warm", ())
    assert (verdict.reusable_tokens, verdict.read_tokens) == (3000, 3000)


def test_a_changed_tool_definition_loses_everything_behind_it() -> None:
    other = seg("other tools", 4000, "tools")
    miss = only_miss(FIRST, then(other, SYSTEM, seg("goal"), MORE, shared=0))

    assert (miss.cause, miss.tax, miss.kind) == ("tools_changed", "cache_miss", "tools")
    assert (miss.segment, miss.token, miss.tokens) == (0, 0, 2000)
    assert miss.usd == 2000 * (usd("6.25") - usd("0.5")) / 1_000_000
    assert miss.detail == "tool definition 1 differs"


def test_a_tool_added_or_removed_behind_the_others_is_a_changed_tool_list() -> None:
    new = seg("new", 400, "tools", tool_name="look")
    added = only_miss(FIRST, then(new, SYSTEM, seg("goal"), shared=1))
    longer = call("c1", 0, [TOOLS, new, *START[1:]], usage(0, 0, 1, {"5m": 3100}))
    removed = only_miss(longer, call("c2", 60, START, usage(0, 0, 1, {"5m": 3000})))

    assert (added.cause, added.segment) == ("tools_changed", 1)
    assert added.detail == "tool definition 2 (look) was added"
    assert (removed.cause, removed.segment) == ("tools_changed", 1)
    assert removed.detail == "tool definition 2 (look) was removed"


def test_a_changed_system_prompt_keeps_the_tools() -> None:
    clock = seg("system at 12:01", 4000, "system")
    made = then(clock, seg("goal"), MORE, shared=1, used=usage(0, 1000, 1, {"5m": 3000}))
    verdict = verdict_of(FIRST, made)
    (miss,) = verdict.misses

    assert verdict.cache_state == "partial"
    assert (miss.cause, miss.segment, miss.token, miss.tokens) == ("system_changed", 1, 1000, 1000)
    assert (verdict.reusable_tokens, verdict.missed_tokens) == (2000, 1000)


def test_an_edited_history_names_the_segment() -> None:
    long = call("c1", 0, [*START, seg("a"), seg("b"), seg("c")], usage(0, 0, 1, {"5m": 6000}))
    edited = after(long, 3, seg("a, shortened"), seg("b"), seg("c"), MORE)
    used = usage(0, 3000, 1, {"5m": 4000})
    miss = only_miss(long, call("c2", 60, context=edited, used=used))

    assert (miss.cause, miss.segment, miss.token, miss.tokens) == ("history_edited", 3, 3000, 2000)
    assert (miss.kind, miss.basis) == ("user", "estimated")


def test_a_summary_at_the_change_is_compaction() -> None:
    long = call("c1", 0, [*START, seg("a"), seg("b")], usage(0, 0, 1, {"5m": 5000}))
    compacted = after(long, 2, seg("summary", 4000, "summary"), seg("b"))
    made = call("c2", 60, context=compacted, used=usage(0, 2000, 1, {"5m": 2000}))
    miss = only_miss(long, made)

    assert (miss.cause, miss.tax, miss.tokens) == ("compacted", "compaction", 1000)


def test_a_changed_parameter_loses_the_level_it_invalidates() -> None:
    first = replace(FIRST, context=replace(FIRST.context, parameters={"tool_choice": "x"}))
    shape = after(first, 3, MORE, parameters={"tool_choice": "y"})
    made = call("c2", 60, context=shape, used=usage(0, 2000, 1, {"5m": 2000}))
    miss = only_miss(first, made)

    assert (miss.cause, miss.kind, miss.detail) == (
        "parameters_changed",
        "parameter",
        "tool_choice",
    )
    assert (miss.segment, miss.token, miss.tokens) == (2, 2000, 1000)


def test_a_changed_model_costs_at_most_what_staying_would_have_saved() -> None:
    cheap = call("c1", 0, START, usage(0, 0, 1, {"5m": 5000}), model=HAIKU)
    segments = [seg(s.digest, 8000, s.kind) for s in START]
    cheap = replace(cheap, context=replace(cheap.context, new=tuple(segments)))
    to_dear = replace(then(MORE), context=after(cheap, 3, MORE), model=OPUS)
    to_dear = replace(to_dear, usage=usage(0, 0, 0, {"5m": 6000}))
    to_cheap = replace(to_dear, model=HAIKU)
    dear = replace(cheap, model=OPUS)
    up, down = only_miss(cheap, to_dear), only_miss(dear, to_cheap)

    assert (up.cause, up.tax, up.detail) == ("model_changed", "cache_miss", f"{HAIKU} -> {OPUS}")
    assert up.usd == up.tokens * (usd("6.25") - usd("0.5")) / 1_000_000
    # On the old model: reads at 0.50 and 858 tokens uncached at 5; here 6,000 written at 1.25.
    stayed = down.tokens * usd("0.5") + (6000 - down.tokens) * usd("5")
    paid = 6000 * usd("1.25")
    assert down.usd == max(usd("0"), (paid - stayed) / 1_000_000)
    assert down.usd < down.tokens * (usd("1.25") - usd("0.1")) / 1_000_000


def test_another_account_or_endpoint_is_rerouting() -> None:
    miss = only_miss(replace(FIRST, scope="one"), then(MORE, scope="two"))

    assert (miss.cause, miss.tax, miss.tokens) == ("rerouted", "rerouting", 3000)


def test_an_entry_that_ran_out_is_expired() -> None:
    miss = only_miss(FIRST, then(MORE, at_s=600))

    assert (miss.cause, miss.tax, miss.tokens) == ("expired", "cache_expired", 3000)
    assert miss.detail == "599 s after the call before; an entry lives 300 s"
    assert miss.basis == "derived"


@pytest.mark.parametrize("days", [1, 40, 400])
def test_a_call_before_is_known_however_long_ago_it_was(days: int) -> None:
    miss = only_miss(FIRST, then(MORE, at_s=days * 86_400))

    assert (miss.cause, miss.tax, miss.tokens) == ("expired", "cache_expired", 3000)
    assert miss.detail == f"{days * 86_400 - 1} s after the call before; an entry lives 300 s"


def test_a_gap_that_may_or_may_not_have_been_too_long_is_not_decided() -> None:
    miss = only_miss(FIRST, then(MORE, at_s=300.5))

    assert (miss.cause, miss.tax) == ("expired_or_evicted", "unexplained")


def test_an_hour_long_entry_outlives_ten_minutes() -> None:
    first = replace(FIRST, usage=usage(0, 0, 1, {"1h": 3000}))
    miss = only_miss(first, then(MORE, at_s=600))

    assert (miss.cause, miss.tax, miss.tokens) == ("evicted", "unexplained", 3000)


def test_a_read_keeps_an_entry_alive() -> None:
    kept = call("k", 250, context=after(FIRST, 3), used=usage(0, 3000, 1))
    late = call("c2", 500, context=after(kept, 3, MORE), used=usage(0, 0, 1, {"5m": 4000}))

    assert only_miss(FIRST, kept, late).cause == "evicted"


def test_parallel_calls_that_write_the_same_prefix() -> None:
    shared = [TOOLS, replace(SYSTEM, cache_life="5m")]
    first, second, third = (
        call(
            name, at_s, [*shared, seg(f"brief {name}")], usage(1000, 0, 10, {"5m": 2000}),
            agent_id=f"sub {name}", lasts_s=5,
        )
        for name, at_s in (("a", 0), ("b", 1), ("c", 9))
    )  # fmt: skip

    assert verdict_of(first).misses == ()
    miss = only_miss(first, second)
    assert (miss.cause, miss.tax, miss.tokens) == ("concurrent_write", "subagent_fanout", 2000)
    assert miss.usd == usd("0.0115")
    late = replace(third, usage=usage(1000, 2000, 10))
    assert verdict_of(first, second, late).cache_state == "warm"


def test_a_history_longer_than_the_look_back() -> None:
    start = [TOOLS, replace(SYSTEM, cache_life="5m")]
    first = call("c1", 0, start, usage(0, 0, 1, {"5m": 2000}))
    new = [seg(f"block {i}", 400) for i in range(30)]
    new[-1] = replace(new[-1], cache_life="5m")
    kept_mark = call("c2", 60, context=after(first, 2, *new), used=usage(0, 0, 1, {"5m": 5000}))

    # The mark on the system prompt still stands in this request: it should have been found.
    assert only_miss(first, kept_mark).cause == "evicted"
    bare = [TOOLS, SYSTEM]
    moved = call("c2", 60, [*bare, *new], usage(0, 0, 1, {"5m": 5000}))
    miss = only_miss(first, moved)
    assert (miss.cause, miss.tax, miss.tokens) == ("lookback_exceeded", "cache_miss", 2000)


def test_an_early_edit_behind_the_only_breakpoint_loses_what_lies_before_it_too() -> None:
    long = call("c1", 0, [*START, seg("a"), seg("b")], usage(0, 0, 1, {"5m": 5000}))
    edited = after(long, 3, seg("a, other"), seg("b"))
    made = call("c2", 60, context=edited, used=usage(0, 0, 1, {"5m": 5000}))

    assert [(m.cause, m.tokens, m.segment) for m in verdict_of(long, made).misses] == [
        ("history_edited", 4000, 3)
    ]


def test_a_change_and_a_lost_entry_are_two_misses() -> None:
    long = call("c1", 0, [*START, seg("a"), seg("b")], usage(0, 0, 1, {"5m": 5000}))
    edited = after(long, 3, seg("a, other"), seg("b"))
    made = call("c2", 900, context=edited, used=usage(0, 0, 1, {"5m": 5000}))

    assert [(m.cause, m.tax, m.tokens) for m in verdict_of(long, made).misses] == [
        ("expired", "cache_expired", 3000),
        ("history_edited", "cache_miss", 1000),
    ]


@pytest.mark.parametrize(("read", "causes"), [(2944, []), (2560, ["evicted"])])
def test_implicit_caches_read_whole_blocks(read: int, causes: list[str]) -> None:
    first = call("c1", 0, START, usage(3000), model=GPT, provider="openai", caching="implicit")
    made = call(
        "c2", 60, context=after(first, 3, MORE), used=usage(4000 - read, read), model=GPT,
        provider="openai",
    )  # fmt: skip

    assert [miss.cause for miss in verdict_of(first, made).misses] == causes


def test_an_estimated_boundary_inside_a_block_is_no_miss() -> None:
    long = call(
        "c1", 0, [*START, seg("a"), seg("b")], usage(5000), model=GPT, provider="openai",
        caching="implicit",
    )  # fmt: skip
    edited = after(long, 3, seg("other"), seg("b"))
    made = call(
        "c2", 60, context=edited, used=usage(5000 - 2816, 2816), model=GPT, provider="openai"
    )

    assert [(m.cause, m.tokens) for m in verdict_of(long, made).misses] == [
        ("history_edited", 1000)
    ]
