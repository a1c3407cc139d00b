"""What the book loads, and when."""

import json
import subprocess
import sys
from pathlib import Path

import genai_prices
import pytest

from tests.prices.calls import make_call
from touchdown.prices import PriceBook, Rates

HEAVY = ("genai_prices", "pydantic", "rich", "httpx2")


def test_importing_and_building_loads_nothing_heavy() -> None:
    program = f"""
import sys, touchdown.prices
book = touchdown.prices.PriceBook([touchdown.prices.Override(model="m", input=1)])
print([name for name in {HEAVY!r} if name in sys.modules])
book.version
print("genai_prices" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.split("\n")[:2] == ["[]", "True"]


def test_the_second_lookup_asks_the_book_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    book = PriceBook()
    first = [book.price(make_call("claude-haiku-5-5", batch=batch)) for batch in (True, False)]

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("asked again")

    monkeypatch.setattr(genai_prices.types.ModelInfo, "get_prices", refuse)
    monkeypatch.setattr(genai_prices.types.ModelInfo, "calc_price", refuse)
    monkeypatch.setattr(genai_prices.types.ModelPrice, "calc_price", refuse)
    monkeypatch.setattr(genai_prices.types.ClauseEquals, "is_match", refuse)
    monkeypatch.setattr(genai_prices.data_snapshot, "get_snapshot", refuse)
    again = [book.price(make_call("claude-haiku-5-5", batch=batch)) for batch in (True, False)]
    assert again == first


def test_names_without_end_do_not_fill_the_memory() -> None:
    book = PriceBook()
    for number in range(9000):
        book.rates_for(make_call(f"model-{number}", "nobody", host="gateway.example"))
    assert len(book._found) <= 4096


def test_the_version_names_book_and_age() -> None:
    version = PriceBook().version
    assert version.startswith(f"genai-prices {genai_prices.__version__} (models to 20")


def test_a_book_can_be_pinned_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "prices.json"
    model = {
        "id": "gpt-x",
        "match": {"equals": "gpt-x"},
        "prices": {
            "input_mtok": "3",
            "output_mtok": {"base": "4", "tiers": [{"start": 9, "price": "5"}]},
        },
    }
    provider = {
        "id": "openai",
        "name": "O",
        "api_pattern": "https://api\\.openai\\.com",
        "models": [model],
    }
    path.write_text(json.dumps([provider]), encoding="utf-8")
    book = PriceBook(book_path=path)
    found = book.rates_for(make_call("gpt-x", "openai"))
    assert isinstance(found, Rates)
    assert (str(found.uncached), str(found.output)) == ("0.000003", "0.000005")
    assert book.version == "prices.json"
