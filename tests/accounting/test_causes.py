"""Every cause of a cache miss: where it begins, how many tokens, which account, how much money."""

from dataclasses import replace

import pytest

from tests.accounting.build import (
    GPT,
    HAIKU,
    OPUS,
    SYSTEM,
    TOOLS,
    FixedPrices,
    after,
    call,
    seg,
    usage,
    usd,
)
from touchdown.accounting.cache_rules import CACHE_RULES, rule_for
from touchdown.accounting.ledger import refold
from touchdown.records import CallVerdict, Miss, ModelCall, Segment

START = [TOOLS, SYSTEM, seg("goal")]
MORE = seg("more")

FIRST = call("c1", 0, START, usage(0, 0, 100, {"5m": 3000}))


def verdict_of(*calls: ModelCall) -> CallVerdict:
    """What is said of the last one."""
    verdict = refold(calls, FixedPrices()).verdict(calls[-1].id)
    assert verdict is not None
    return verdict


def only_miss(*calls: ModelCall) -> Miss:
    (miss,) = verdict_of(*calls).misses
    return miss


def then(*new: Segment, at_s: float = 60, shared: int = 3, **more: object) -> ModelCall:
    """A second call that keeps ``shared`` segments of the first, adds ``new``, and reads nothing."""
    used = more.pop("used", usage(0, 0, 10, {"5m": (shared + len(new)) * 1000}))
    shape = after(FIRST, shared, *new)
    return replace(call("c2", at_s, context=shape, used=used), **more)  # type: ignore[arg-type]


def test_a_first_call_is_all_work() -> None:
    verdict = verdict_of(FIRST)

    assert (verdict.cache_state, verdict.misses) == ("cold", ())
    assert (verdict.reusable_tokens, verdict.missed_tokens) == (0, 0)


def test_a_first_call_that_reads_was_warmed_by_someone_unseen() -> None:
    verdict = verdict_of(call("c1", 0, START, usage(0, 2000, 1, {"5m": 1000})))

    assert (verdict.cache_state, verdict.reusable_tokens) == ("warm", 2000)


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


def test_a_summary_at_the_change_is_compaction_and_stays_unexplained_for_now() -> None:
    long = call("c1", 0, [*START, seg("a"), seg("b")], usage(0, 0, 1, {"5m": 5000}))
    compacted = after(long, 2, seg("summary", 4000, "summary"), seg("b"))
    made = call("c2", 60, context=compacted, used=usage(0, 2000, 1, {"5m": 2000}))
    miss = only_miss(long, made)
    money = refold([long, made], FixedPrices()).account().money

    assert (miss.cause, miss.tax, miss.tokens) == ("compacted", "unexplained", 1000)
    assert money.unexplained_reasons == {"compacted": miss.usd}


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


def test_caching_that_nobody_asked_for() -> None:
    first = replace(FIRST, usage=usage(3000), context=replace(FIRST.context, caching="off"))
    made = call("c2", 60, context=after(first, 3, MORE), used=usage(4000))
    verdict = verdict_of(first, made)
    (miss,) = verdict.misses

    assert verdict.cache_state == "off"
    assert (miss.cause, miss.tax, miss.tokens) == ("not_requested", "cache_miss", 3000)
    assert miss.usd == usd("0.0135")


def test_below_the_minimum_nothing_is_claimed() -> None:
    short = [seg(s.digest, 600, s.kind) for s in START]
    first = call("c1", 0, short, usage(450), caching="off")
    made = call("c2", 60, context=after(first, 3, seg("m", 600)), used=usage(600))
    verdict = verdict_of(first, made)
    (miss,) = verdict.misses

    assert (miss.cause, miss.tax, miss.tokens, miss.usd) == ("below_minimum", "work", 450, 0)
    assert (verdict.cache_state, verdict.missed_tokens) == ("off", 0)
    assert refold([first, made], FixedPrices()).account().money.taxes["cache_miss"] == 0


def test_a_model_without_cache_reads_offers_nothing() -> None:
    first = call("c1", 0, START, usage(3000), model="no-cache", caching="implicit")
    made = call("c2", 60, context=after(first, 3, MORE), used=usage(4000), model="no-cache")
    verdict = verdict_of(first, made)

    assert [(m.cause, m.tax, m.usd) for m in verdict.misses] == [("not_offered", "work", 0)]
    assert verdict.cache_state == "off"


def test_a_model_whose_rules_are_unknown_is_abstained_from() -> None:
    prices = FixedPrices({"mystery": FixedPrices().by_model[GPT]})
    first = call("c1", 0, START, usage(3000), model="mystery", caching="implicit")
    made = call("c2", 60, context=after(first, 3, MORE), used=usage(4000), model="mystery")
    (miss,) = refold([first, made], prices).account().cache.misses

    assert (miss.miss.cause, miss.miss.tax) == ("unknown", "unexplained")


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


def test_a_missing_predecessor_is_said_and_never_guessed() -> None:
    lost = call("c9", 60, context=after(FIRST, 3, MORE), used=usage(1000, 3000))
    ledger = refold([lost], FixedPrices())
    verdict = ledger.verdict("c9")

    assert verdict is not None
    assert verdict.cache_state == "unknown"
    assert (verdict.reusable_tokens, verdict.missed_tokens) == (None, None)
    assert verdict.tokens_by_kind == {"opaque": 4000}
    assert [(m.cause, m.tax, m.tokens) for m in verdict.misses] == [
        ("unknown_predecessor", "unexplained", 1000)
    ]
    assert ledger.account().money.unexplained_reasons == {"unknown_predecessor": usd("0.0045")}


def test_state_at_the_server_is_one_opaque_segment() -> None:
    first = call("c1", 0, START, usage(3000, output=500))
    made = call("c2", 60, context=after(first, 0, MORE, opaque="previous_response_id"))
    made = replace(made, usage=usage(2000, 3000))
    verdict = verdict_of(first, made)

    # What the first call sent and was answered is the most that can have been missed.
    assert [(m.cause, m.tokens) for m in verdict.misses] == [("opaque_input", 500)]
    assert verdict.tokens_by_kind == {"opaque": 5000}


def test_a_provider_that_reports_no_cache_figures_leaves_it_unknown() -> None:
    first = replace(FIRST, usage=usage(3000, None))
    made = then(MORE, used=usage(4000, None))
    account = refold([first, made], FixedPrices()).account()

    assert verdict_of(first, made).cache_state == "unknown"
    assert "cache_miss" not in account.money.taxes
    assert account.not_observable["cache_miss"] == (
        "no call reported what it read from the prefix cache"
    )
    assert account.money.work_usd == account.money.total_usd


def test_a_clock_that_goes_backwards_decides_nothing() -> None:
    miss = only_miss(replace(FIRST, duration_ns=-(10**9)), then(MORE, at_s=600))

    assert (miss.cause, miss.tax) == ("unknown", "unexplained")
    assert miss.detail == "the clock went backwards"


def test_a_failed_call_without_an_answer_is_no_base() -> None:
    refused = call("r", 30, [seg("all"), seg("other")], status="error", http_status=529)
    refused = replace(refused, usage=replace(usage(), completeness="none", uncached=None))
    made = then(MORE, used=usage(0, 3000, 1, {"5m": 1000}))

    assert verdict_of(FIRST, refused, made).cache_state == "warm"


def test_a_side_call_of_the_same_agent_does_not_hide_its_history() -> None:
    title = call("t", 30, [seg("name this chat", 400)], usage(100), model=HAIKU)
    changed = then(seg("other", 4000, "tools"), SYSTEM, seg("goal"), shared=0)

    assert only_miss(FIRST, title, changed).cause == "tools_changed"
    assert only_miss(FIRST, title, then(MORE, at_s=600)).cause == "expired"


def test_every_rule_has_a_source_and_a_date() -> None:
    for rule in CACHE_RULES:
        assert rule.source.startswith("https://")
        assert len(rule.date) == len("2026-11-23")
        assert rule.default_life in rule.lives


@pytest.mark.parametrize(
    ("provider", "model", "minimum"),
    [
        ("anthropic", "claude-opus-5", (512, 512)),
        ("anthropic", "claude-opus-5-20260801", (512, 512)),
        ("anthropic", "claude-opus-5-5", (None, None)),
        ("anthropic", "claude-opus-4-7", (2048, 4096)),
        ("anthropic", "claude-sonnet-4-5-20250929", (1024, 1024)),
        ("anthropic", "claude-haiku-4-5", (4096, 4096)),
        ("aws.bedrock", "us.anthropic.claude-opus-4-5-v1:0", (None, None)),
        ("openai", "gpt-4.1-mini", (1024, 1024)),
        ("openai", "gpt-6-sol", (1024, 1024)),
    ],
)
def test_the_minimum_is_known_or_abstained_from(
    provider: str, model: str, minimum: tuple[int | None, int | None]
) -> None:
    rule = rule_for(provider, "", model)

    assert rule is not None
    assert (rule.minimum_low, rule.minimum_high) == minimum


def test_no_rule_is_borrowed_from_another_vendor() -> None:
    assert rule_for("openai", "openai", "qwen3-coder") is None
    assert rule_for("deepseek", "openai", "gpt-4.1") is None
    assert rule_for("", "openai", "gpt-4.1") is not None
    assert rule_for("openai", "openai", "gpt-5.6-sol") is not rule_for("openai", "", "gpt-5.5")
