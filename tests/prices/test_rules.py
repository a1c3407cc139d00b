"""Which of the five rules decides, and that none of them guesses a model."""

import pytest

from tests.prices.calls import make_call, usage
from touchdown.prices import Override, PriceBook, Rates, Unpriced

BOOK = PriceBook()


def rates(book: PriceBook, model: str, vendor: str = "openai", **given: object) -> Rates:
    found = book.rates_for(make_call(model, vendor, **given))
    assert isinstance(found, Rates), found
    return found


def refusal(model: str, vendor: str = "openai", **given: object) -> str:
    found = BOOK.rates_for(make_call(model, vendor, **given))
    assert isinstance(found, Unpriced), found
    return found.reason


def test_the_users_price_goes_before_everything() -> None:
    own = Override(model="gpt-5", host="api.openai.com", input=7, output="8")
    found = rates(PriceBook([own], capacity_hosts=["api.openai.com"]), "gpt-5")
    assert str(found.uncached) == "0.000007"
    assert "own price" in found.source


def test_a_host_sold_by_capacity_is_not_priced_by_token() -> None:
    book = PriceBook(capacity_hosts=["gpu.example:8000", "farm.example"])
    here = make_call("gpt-5", "openai", host="GPU.example", port=8000)
    assert book.rates_for(here) == Unpriced("priced by capacity")
    assert book.rates_for(make_call("gpt-5", "openai", host="farm.example", port=1)) == Unpriced(
        "priced by capacity"
    )
    elsewhere = make_call("gpt-5", "openai", host="gpu.example", port=9000)
    assert isinstance(book.rates_for(elsewhere), Rates)


@pytest.mark.parametrize(
    ("host", "model", "seller"),
    [
        ("api.anthropic.com", "claude-opus-5-5", "anthropic/claude-opus-5-5"),
        ("API.OpenAI.com", "gpt-6-sol", "openai/gpt-6-sol"),
        ("api.deepseek.com", "deepseek-chat", "deepseek/deepseek-chat"),
        ("api.minimax.io", "MiniMax-M2.1", "minimax/MiniMax-M2"),
        ("openrouter.ai", "openai/gpt-5", "openrouter/openai/gpt-5"),
        (
            "bedrock-runtime.us-east-1.amazonaws.com",
            "us.anthropic.claude-opus-4-5-20251101-v1:0",
            "aws/",
        ),
    ],
)
def test_a_known_host_sells_at_its_own_price(host: str, model: str, seller: str) -> None:
    found = rates(BOOK, model, "openai", host=host)
    assert f": {seller}" in found.source
    assert (found.basis, found.reason) == ("derived", None)


def test_a_reseller_at_anothers_list_price_is_an_estimate() -> None:
    found = rates(BOOK, "gpt-4o", host="x.openai.azure.com", provider="azure.ai.openai")
    assert (found.basis, found.reason) == ("estimated", "price_assumed_list")
    assert "openai/gpt-4o" in found.source


@pytest.mark.parametrize(
    "host",
    ["localhost", "127.0.0.1", "eu.api.openai.com", "gateway.example", "api.openai.com.example"],
)
def test_an_unknown_host_gets_the_vendors_list_price(host: str) -> None:
    found = rates(BOOK, "gpt-5-2025-08-07", host=host)
    assert (found.basis, found.reason) == ("estimated", "price_assumed_list")
    assert found.uncached == rates(BOOK, "gpt-5").uncached


def test_without_a_host_the_provider_named_is_taken_and_said_so() -> None:
    found = rates(BOOK, "claude-opus-5", "", provider="anthropic", host="")
    assert (found.basis, found.reason) == ("estimated", "host_unknown")


def test_a_private_endpoint_of_a_cloud_has_the_clouds_list_price() -> None:
    found = rates(
        BOOK,
        "anthropic.claude-opus-4-5-20251101-v1:0",
        "anthropic",
        provider="aws.bedrock",
        host="vpce-1.bedrock-runtime.us-east-1.vpce.amazonaws.com",
    )
    assert ": aws/" in found.source
    assert found.reason == "price_assumed_list"


@pytest.mark.parametrize(
    "model",
    [
        "my-gpt-4o-clone",
        "gpt-4o-2099-01-01",
        "gpt-4o-mine",
        "gpt-5-nano-mine",
        "openai/gpt-4o",
        "MiniMax-M2.1",
        "text-moderation-clone",
        "ft:gpt-4o-2024-08-06:org::1",
        "claude-opus-5",
        "llama-3",
        "o3-mine",
    ],
)
def test_nothing_is_priced_as_another_model_at_an_unknown_host(model: str) -> None:
    assert "openai does not list" in refusal(model, host="localhost")


@pytest.mark.parametrize(
    "model", ["claude-opus-4-5-mine", "claude-opus-4-10", "not-claude-v2", "claude-sonnet-4-5x"]
)
def test_nor_under_a_prefix_of_the_vendors_names(model: str) -> None:
    assert "anthropic does not list" in refusal(model, "anthropic", host="localhost")


def test_a_prefix_does_not_end_inside_a_number() -> None:
    assert (
        refusal("claude-opus-4-10", "anthropic") == "anthropic lists no price for claude-opus-4-10"
    )


def test_a_reseller_does_not_guess_either() -> None:
    reason = refusal("claude-opus-4-5-mine", host="x.openai.azure.com", provider="azure.ai.openai")
    assert reason == "azure lists no price for claude-opus-4-5-mine"


def test_a_known_host_is_not_helped_out_by_the_vendors_list() -> None:
    assert refusal("gpt-5", host="api.deepseek.com") == "deepseek lists no price for gpt-5"


def test_the_model_that_answered_is_priced() -> None:
    call = make_call("gpt-5", "openai", response_model="gpt-5-mini-2025-08-07")
    found = BOOK.rates_for(call)
    assert isinstance(found, Rates)
    assert "openai/gpt-5-mini" in found.source


def test_no_model_no_price() -> None:
    assert refusal("") == "model not reported"


def test_a_book_that_cannot_be_read_prices_nothing_and_raises_nothing(tmp_path: object) -> None:
    book = PriceBook(book_path=f"{tmp_path}/missing.json")
    found = book.price(make_call("gpt-5", "openai"))
    assert found == Unpriced("price book cannot be read (FileNotFoundError)")
    assert book.version == "no price book (FileNotFoundError)"


def test_usage_that_was_not_reported_has_no_cost() -> None:
    call = make_call("gpt-5", "openai", usage=usage(completeness="none"))
    assert BOOK.price(call) == Unpriced("usage not reported")


def test_what_is_known_of_a_cut_stream_is_priced() -> None:
    counts = usage(uncached=1000, output=None, completeness="input_only")
    cost = BOOK.price(make_call("claude-opus-5", usage=counts))
    assert not isinstance(cost, Unpriced)
    assert (str(cost.uncached), cost.output) == ("0.005000", 0)


def test_embeddings_cost_their_input() -> None:
    call = make_call(
        "text-embedding-3-small",
        "openai",
        api="embeddings",
        operation="embeddings",
        usage=usage(uncached=1_000_000),
    )
    cost = BOOK.price(call)
    assert not isinstance(cost, Unpriced)
    assert cost.total == cost.uncached == BOOK.price(call).total  # type: ignore[union-attr]
    assert format(cost.total.normalize(), "f") == "0.02"
