"""Where no miss is claimed: nothing could be cached, nothing is known, or no rule says."""

import pytest
from msgspec.structs import replace

from tests.accounting.build import (
    GPT,
    HAIKU,
    SYSTEM,
    FixedPrices,
    after,
    call,
    seg,
    usage,
    usd,
)
from tests.accounting.pairs import FIRST, MORE, START, only_miss, then, verdict_of
from touchdown.accounting.cache_rules import CACHE_RULES, rule_for
from touchdown.accounting.ledger import refold


def test_a_first_call_that_reads_was_warmed_by_someone_unseen() -> None:
    verdict = verdict_of(call("c1", 0, START, usage(0, 2000, 1, {"5m": 1000})))

    assert (verdict.cache_state, verdict.reusable_tokens) == ("warm", 2000)


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
