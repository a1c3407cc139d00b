"""Tiers, speeds, places, dates, lives of cache writes and server tools."""

from datetime import date
from decimal import Decimal, localcontext

import pytest

from tests.prices.calls import is_listed, make_call, ns, usage
from touchdown.prices import PriceBook, Rates, Unpriced
from touchdown.prices.terms import DISPUTED, FREE_TOOLS, MULTIPLIERS

BOOK = PriceBook()
M = Decimal(1_000_000)


def rates(model: str, vendor: str = "anthropic", **given: object) -> Rates:
    found = BOOK.rates_for(make_call(model, vendor, **given))
    assert isinstance(found, Rates), found
    return found


def input_price(model: str, vendor: str = "anthropic", **given: object) -> Decimal:
    found = rates(model, vendor, **given).uncached
    assert found is not None
    return found * M


def refusal(model: str, vendor: str = "anthropic", **given: object) -> str:
    found = BOOK.price(make_call(model, vendor, **given))
    assert isinstance(found, Unpriced), found
    return found.reason


@pytest.mark.parametrize(
    ("model", "day", "price"),
    [
        ("gpt-5.6-sol", "2026-08-20T23:59:59", 5),
        ("gpt-5.6-sol", "2026-08-21", 4),
        ("o3", "2025-06-09", 10),
        ("o3", "2025-06-10", 2),
    ],
)
def test_the_price_is_that_of_the_calls_day(model: str, day: str, price: int) -> None:
    assert input_price(model, "openai", day=day) == price


@pytest.mark.parametrize(
    ("day", "tokens", "price"),
    [
        ("2026-03-12", 200_000, 5),
        ("2026-03-12", 200_001, 10),
        ("2026-03-13", 200_001, 5),
    ],
)
def test_the_long_prompt_premium_of_opus_4_6_ended(day: str, tokens: int, price: int) -> None:
    assert input_price("claude-opus-4-6", day=day, usage=usage(uncached=tokens)) == price


@pytest.mark.parametrize(
    ("parts", "price"),
    [
        ({"uncached": 100_000}, "0.1"),
        ({"uncached": 100_001}, "0.5"),
        ({"uncached": 1, "cache_read": 99_999}, "0.1"),
        ({"uncached": 1, "cache_read": 99_999, "cache_write": {"1h": 1}}, "0.5"),
    ],
)
def test_the_whole_input_of_the_call_decides_its_tier(parts: dict[str, object], price: str) -> None:
    assert input_price("claude-haiku-5-5", usage=usage(**parts)) == Decimal(price)


def test_a_prompt_of_unknown_size_is_an_estimate_where_size_matters() -> None:
    found = rates("claude-haiku-5-5", usage=usage(completeness="none"))
    assert (found.basis, found.reason) == ("estimated", "prompt_size_unknown")


def test_peak_hours() -> None:
    night, day = (
        input_price("deepseek-chat", "openai", host="api.deepseek.com", day=f"2026-11-20T{hour}")
        for hour in ("20:00:00", "12:00:00")
    )
    assert night != day
    edge = {"host": "api.deepseek.com", "day": "2026-11-20T16:30:00"}
    assert input_price("deepseek-chat", "openai", **edge) == night


@pytest.mark.parametrize("tier", [None, "default", "auto", "standard"])
def test_standard_tiers_have_the_standard_price(tier: str | None) -> None:
    assert input_price("gpt-5", "openai", service_tier=tier) == Decimal("1.25")


@pytest.mark.parametrize(
    ("model", "vendor", "terms", "said"),
    [
        ("claude-opus-5", "anthropic", {"service_tier": "priority"}, "service_tier priority"),
        ("claude-sonnet-5", "anthropic", {"speed": "fast"}, "speed fast"),
        ("claude-opus-5", "anthropic", {"speed": "fast", "batch": True}, "with"),
        ("claude-opus-4-5", "anthropic", {"geography": "us"}, "inference_geo us"),
        ("claude-opus-5", "anthropic", {"geography": "eu"}, "inference_geo eu"),
        ("gpt-5.6-sol", "openai", {"service_tier": "ultrafast"}, "service_tier ultrafast"),
        ("gpt-5", "openai", {"service_tier": "scale"}, "service_tier scale"),
        ("gpt-5", "openai", {"service_tier": "flex", "day": "2026-10-11"}, "before 2026-10-12"),
        ("gpt-5-nano", "openai", {"service_tier": "priority"}, "service_tier priority"),
    ],
)
def test_terms_without_a_price_are_never_the_standard_price(
    model: str, vendor: str, terms: dict[str, object], said: str
) -> None:
    reason = refusal(model, vendor, **terms)
    assert reason.startswith("no list price for")
    assert said in reason


def test_inference_in_the_us_costs_a_tenth_more_on_tokens_only() -> None:
    plain, us = rates("claude-opus-5"), rates("claude-opus-5", geography="us")
    assert us.uncached == plain.uncached * Decimal("1.1")  # type: ignore[operator]
    assert us.cache_write["1h"] == plain.cache_write["1h"] * Decimal("1.1")
    assert us.server_tools == plain.server_tools
    assert "data-residency" in us.source


def test_us_goes_with_fast() -> None:
    both = rates("claude-opus-4-7", geography="us", speed="fast")
    assert both.uncached is not None
    assert both.uncached * M == 33


@pytest.mark.parametrize("place", ["global", "not_available", None])
def test_inference_anywhere_costs_nothing_more(place: str | None) -> None:
    assert input_price("claude-opus-5", geography=place) == 5


def test_batch_before_the_books_own_rows_is_half() -> None:
    early = {"day": "2026-01-05"}
    assert input_price("claude-opus-4-5", batch=True, **early) * 2 == input_price(
        "claude-opus-4-5", **early
    )
    assert rates("claude-opus-4-5", service_tier="batch", **early) == rates(
        "claude-opus-4-5", batch=True, **early
    )


def test_every_row_of_terms_names_its_source_and_day() -> None:
    for row in (*MULTIPLIERS, *FREE_TOOLS, *DISPUTED):
        assert row.source.startswith("https://")
        assert "(2026-" in row.source
    for row in (*MULTIPLIERS, *FREE_TOOLS):
        assert row.since <= date(2026, 11, 23)


def test_every_model_named_in_terms_is_in_the_book() -> None:
    for row in (*MULTIPLIERS, *DISPUTED):
        listed = {m.id for p in BOOK.volume.providers if p.id == row.provider for m in p.models}
        unlisted = row.models - listed
        assert not unlisted or BOOK.version.startswith("genai-prices 0.1"), unlisted


@pytest.mark.parametrize(
    ("tokens", "price"), [(272_000, (2, Decimal("0.2"), 10)), (272_001, (4, Decimal("0.4"), 15))]
)
def test_a_long_prompt_of_gpt_6_is_dearer_as_a_whole(
    tokens: int, price: tuple[Decimal, ...]
) -> None:
    if not is_listed("openai", "gpt-6-sol"):
        pytest.skip("an older book")
    found = rates("gpt-6-sol", "openai", usage=usage(uncached=1, cache_read=tokens - 1))
    assert None not in (found.uncached, found.cache_read, found.output)
    assert tuple(rate * M for rate in (found.uncached, found.cache_read, found.output)) == price  # type: ignore[operator]


def test_a_premium_that_sources_disagree_on_is_an_estimate() -> None:
    short, long = (
        rates("claude-sonnet-4-5", usage=usage(uncached=tokens)) for tokens in (200_000, 200_001)
    )
    assert (short.basis, short.reason) == ("derived", None)
    assert (long.basis, long.reason) == ("estimated", "sources_disagree")


@pytest.mark.parametrize("told", [None, "flex"])
def test_a_tier_that_was_asked_for_counts_only_as_it_is_told(told: str | None) -> None:
    found = rates("gpt-5.4", "openai", request={"service_tier": "flex"}, service_tier=told)
    if told is None:
        assert (found.basis, found.reason) == ("estimated", "service_tier_not_reported")
        assert found.uncached == rates("gpt-5.4", "openai").uncached
    else:
        assert (found.basis, found.reason) == ("derived", None)
        assert found.uncached == rates("gpt-5.4", "openai", service_tier="flex").uncached


@pytest.mark.parametrize(
    ("vendor", "tier"), [("openai", "auto"), ("anthropic", "standard_only"), ("openai", "default")]
)
def test_asking_for_the_standard_tier_leaves_nothing_open(vendor: str, tier: str) -> None:
    model = "gpt-5.4" if vendor == "openai" else "claude-opus-5"
    assert rates(model, vendor, request={"service_tier": tier}).basis == "derived"


def test_writes_by_life() -> None:
    claude = rates("claude-opus-5-5").cache_write
    assert {life: rate * M for life, rate in claude.items()} == {"5m": 5, "1h": 8, "unknown": 5}
    sol = rates("gpt-6-sol", "openai").cache_write
    assert {life: rate * M for life, rate in sol.items()} == {
        "30m": Decimal("2.5"),
        "unknown": Decimal("2.5"),
    }


@pytest.mark.parametrize("model", ["gpt-4o", "gpt-4.1", "gpt-5", "gpt-5.5", "o3", "o4-mini"])
def test_openai_charged_no_premium_on_writes_before_gpt_5_6(model: str) -> None:
    found = rates(model, "openai", usage=usage(uncached=1, cache_write={"unknown": 5}))
    assert set(found.cache_write.values()) == {found.uncached}
    assert found.basis == "derived"


def test_a_life_not_reported_is_taken_as_the_usual_one() -> None:
    counts = usage(uncached=1, cache_write={"unknown": 1_000_000}, output=1)
    call = make_call("claude-opus-5-5", usage=counts)
    found, cost = BOOK.rates_for(call), BOOK.price(call)
    assert isinstance(found, Rates)
    assert (found.basis, found.reason) == ("estimated", "cache_write_life_assumed")
    assert not isinstance(cost, Unpriced)
    assert cost.cache_write == 5


@pytest.mark.parametrize(
    ("model", "vendor", "counts", "said"),
    [
        ("gpt-6-sol", "openai", {"cache_write": {"12h": 5}}, "cache_write 12h"),
        ("o1-pro", "openai", {"cache_read": 5}, "cache_read"),
        ("text-embedding-3-small", "openai", {"output": 5}, "output"),
        ("claude-opus-5", "anthropic", {"server_tools": {"code_execution": 1}}, "code_execution"),
        ("whisper-1", "openai", {}, "uncached"),
    ],
)
def test_a_class_without_a_rate_is_named(
    model: str, vendor: str, counts: dict[str, object], said: str
) -> None:
    assert f"no rate for {said}" in refusal(
        model, vendor, usage=usage(uncached=5, **counts)
    ).replace("server tool ", "")


def test_server_tools_are_paid_by_request() -> None:
    tools = {"web_search_requests": 3, "web_fetch_requests": 9}
    cost = BOOK.price(make_call("claude-opus-5", usage=usage(uncached=0, server_tools=tools)))
    assert not isinstance(cost, Unpriced)
    assert cost.total == cost.server_tools == Decimal("0.03")


def test_other_modalities_hidden_in_the_counts_make_an_estimate() -> None:
    found = rates("gpt-audio", "openai")
    assert (found.basis, found.reason) == ("estimated", "text_rate_assumed")


def test_the_hosts_own_decimal_context_changes_nothing() -> None:
    call = make_call("claude-opus-5-5", usage=usage(uncached=1_234_567, output=7_654_321))
    plain = BOOK.price(call)
    with localcontext() as context:
        context.prec = 3
        fresh = PriceBook().price(call)
    assert fresh == plain


def test_dates_are_exact_to_the_nanosecond() -> None:
    change = ns("2026-08-21")
    call = make_call("gpt-5.6-sol", "openai", sent_at_ns=change - 1)
    assert (
        rates("gpt-5.6-sol", "openai", sent_at_ns=change).uncached != BOOK.rates_for(call).uncached
    )  # type: ignore[union-attr]
