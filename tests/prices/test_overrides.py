"""The user's own prices, in code and in touchdown.toml."""

import textwrap
from decimal import Decimal
from pathlib import Path

import pytest

from tests.prices.calls import make_call, usage
from touchdown.prices import Override, PriceBook, Rates, Unpriced
from touchdown.prices.location import find_config

M = Decimal(1_000_000)


def write(folder: Path, text: str) -> Path:
    path = folder / "touchdown.toml"
    path.write_text(textwrap.dedent(text), encoding="utf-8")
    return path


def input_price(book: PriceBook, model: str = "mine", **given: object) -> Decimal | str:
    found = book.rates_for(make_call(model, "openai", **{"host": "localhost", **given}))
    if isinstance(found, Unpriced):
        return found.reason
    assert found.uncached is not None
    return found.uncached * M


@pytest.mark.parametrize("amount", ["0.1", 0.1, Decimal("0.1")])
def test_amounts_keep_the_digits_they_were_written_with(amount: object) -> None:
    book = PriceBook([Override(model="mine", input=amount)])  # type: ignore[arg-type]
    assert book.problems == ()
    assert input_price(book) == Decimal("0.1")


def test_every_class_can_be_priced() -> None:
    own = Override(
        model="Mine",
        input=1,
        output=2,
        cache_read="0.5",
        cache_write={"5m": 3, "1h": 4},
        server_tools={"web_search": 10},
    )
    counts = usage(
        uncached=1_000_000,
        output=1_000_000,
        cache_read=1_000_000,
        cache_write={"5m": 1_000_000, "1h": 1_000_000, "unknown": 1_000_000},
        server_tools={"web_search_requests": 100},
    )
    cost = PriceBook([own]).price(make_call("mine", "openai", host="localhost", usage=counts))
    assert not isinstance(cost, Unpriced)
    assert cost.total == Decimal("14.5")


def test_one_price_for_writes_holds_for_every_life() -> None:
    book = PriceBook([Override(model="mine", input=1, cache_write="1.25")])
    found = book.rates_for(
        make_call("mine", "openai", usage=usage(uncached=1, cache_write={"unknown": 9}))
    )
    assert isinstance(found, Rates)
    assert found.basis == "derived"
    assert found.cache_write["12h"] * M == Decimal("1.25")


def test_a_class_left_out_is_not_looked_up_elsewhere() -> None:
    book = PriceBook([Override(model="gpt-5", input=1, output=1)])
    call = make_call("gpt-5", "openai", usage=usage(uncached=1, cache_read=1))
    found = book.price(call)
    assert isinstance(found, Unpriced)
    assert found.reason == "no rate for cache_read (own price (prices=[...], entry 1))"


def test_the_closest_rule_holds_whatever_the_order() -> None:
    rules = [
        Override(model="*", host="localhost", input=1),
        Override(model="mine", input=2),
        Override(model="mine", host="localhost", input=3),
        Override(model="mine", host="localhost:8000", input=4),
        Override(model="*", provider="aws", input=5),
    ]
    for given in (rules, rules[::-1]):
        book = PriceBook(given)
        assert input_price(book, host="LOCALHOST", port=8000) == 4
        assert input_price(book, port=9000) == 3
        assert input_price(book, host="elsewhere") == 2
        assert input_price(book, "other") == 1
        assert input_price(book, "other", host="vpc", provider="aws.bedrock") == 5


def test_the_file_stands_behind_the_code(tmp_path: Path) -> None:
    write(
        tmp_path,
        """
        [budget]
        usd = 3

        [[price]]
        model = "mine"
        input = 1.10

        [[price]]
        model = "other"
        host = "localhost"
        input = "2"
        cache_write = { 5m = 1, 1h = "2" }
        """,
    )
    book = PriceBook.configured([Override(model="mine", input=9)], start=tmp_path / "a" / "b")
    assert book.problems == ()
    assert input_price(book) == 9
    assert input_price(book, "other") == 2


@pytest.mark.parametrize(
    ("row", "line"),
    [
        ('model = "m"\ninput = -1', "input: -1 is negative; write US dollars per million tokens"),
        ('model = "m"\ninput = "cheap"', "input: 'cheap' is not a number; write US dollars"),
        ('model = "m"\ninput = nan', "input: Decimal('NaN') is not a number; write US dollars"),
        ('model = "m"\ninput = true', "input: True is not a number; write US dollars"),
        ('model = "m"\ninputs = 1', "inputs: unknown key; did you mean input?"),
        (
            'model = "m"\ncolour = 1',
            "colour: unknown key; the keys are model, host, provider, input",
        ),
        ("input = 1", 'model: missing; name it, e.g. model = "my-model"'),
        ("model = 5\ninput = 1", "model: missing; name it"),
        ('model = "*"\ninput = 1', 'model: "*" would price everything; name a host or a provider'),
        ('model = "m"', "input: no price; give input or output in US dollars per million tokens"),
        ('model = "m"\ninput = 1\nhost = "https://x/v1"', "host: 'https://x/v1' is a URL; write"),
        ('model = "m"\ninput = 1\nhost = "x:http"', "host: 'http' is not a port; write a host"),
        (
            'model = "m"\ninput = 1\ncache_write = { 2h = 1 }',
            "cache_write: unknown life '2h'; use 5m",
        ),
        ('model = "m"\ninput = 1\nserver_tools = 3', "server_tools: not a table; write e.g."),
    ],
)
def test_a_bad_row_is_one_clear_line_and_the_others_are_kept(
    tmp_path: Path, row: str, line: str
) -> None:
    path = write(tmp_path, f'[[price]]\nmodel = "mine"\ninput = 1\n[[price]]\n{row}\n')
    book = PriceBook.configured(start=tmp_path)
    assert input_price(book) == 1
    (problem,) = book.problems
    assert str(problem).startswith(f"{path}, [[price]] table 2: {line}")
    assert "\n" not in str(problem)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[[price]\n", "file: not TOML ("),
        (
            "[price]\nmodel = 'x'\n",
            "price: not a list of tables; write [[price]] with two brackets",
        ),
        ("price = [1]\n", "[[price]] table 1: price: not a table; write [[price]]"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_clear_line(tmp_path: Path, text: str, line: str) -> None:
    write(tmp_path, text)
    (problem,) = PriceBook.configured(start=tmp_path).problems
    assert line in str(problem)
    assert "\n" not in str(problem)


def test_a_bad_price_in_code_is_named_by_its_entry() -> None:
    book = PriceBook([Override(model="mine", input=1), Override(model="", input=1), "x"])  # type: ignore[list-item]
    assert [str(problem) for problem in book.problems] == [
        'prices=[...], entry 2: model: missing; name it, e.g. model = "my-model"',
        'prices=[...], entry 3: entry: a str; write {"model": "...", "input": "...", "output": "..."}',
    ]
    assert input_price(book) == 1


def test_a_price_in_code_may_be_a_mapping_with_the_keys_of_the_file() -> None:
    book = PriceBook([{"model": "mine", "input": "1.5"}, {"model": "mine", "imput": 1}])
    assert input_price(book) == Decimal("1.5")
    assert [str(problem) for problem in book.problems] == [
        "prices=[...], entry 2: imput: unknown key; did you mean input?"
    ]


def test_the_file_is_found_upward_or_where_the_variable_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TOUCHDOWN_CONFIG", raising=False)
    path = write(tmp_path, "")
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    assert find_config(inner) == path.resolve()
    monkeypatch.chdir(inner)
    assert find_config() == path.resolve()
    monkeypatch.setenv("TOUCHDOWN_CONFIG", str(tmp_path / "missing.toml"))
    (problem,) = PriceBook.configured(start=inner).problems
    assert "cannot be read (No such file or directory); mend it or unset TOUCHDOWN_CONFIG" in str(
        problem
    )
