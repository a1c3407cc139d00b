"""`touchdown prices`."""

import json
import re
from pathlib import Path

import genai_prices
import pytest

from touchdown.cli.prices import main


@pytest.fixture(autouse=True)
def _no_prices_of_the_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TOUCHDOWN_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)


def test_a_table_when_nobody_is_watching(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["claude-haiku-5-5", "--at", "2026-11-20"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "claude-haiku-5-5, anthropic, 2026-11-20 (USD per million tokens)"
    assert " ".join(lines[1].split()) == "terms prompt input cache read write 5m write 1h output"
    assert " ".join(lines[2].split()) == "standard below that 0.1 0.01 0.125 0.2 0.5"
    assert " ".join(lines[3].split()) == "standard above 100,000 0.5 0.05 0.625 1 2.5"
    assert lines[-1].startswith("Source: genai-prices ")
    assert "\x1b" not in "".join(lines)


def test_a_table_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("NO_COLOR", "1")
    assert main(["gpt-6-sol"]) == 0
    out = capsys.readouterr().out
    assert "USD per million tokens" in out
    assert "─" in out
    assert re.search(r"\x1b\[[349]\d", out) is None


def test_the_day_decides(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gpt-5.6-sol", "--at", "2026-08-20", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["schema"] == "touchdown.prices/1"
    assert [row["terms"] for row in report["prices"]] == ["standard", "standard"]
    assert report["prices"][0]["usd_per_million_tokens"] == {
        "input": "5",
        "cache_read": "0.5",
        "cache_write": {"30m": "6.25"},
        "output": "30",
    }


def test_a_host_says_how_sure_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gpt-6-sol", "--host", "localhost:8000", "--json"]) == 0
    row = json.loads(capsys.readouterr().out)["prices"][0]
    assert (row["basis"], row["reason"]) == ("estimated", "price_assumed_list")


def test_own_prices_are_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "touchdown.toml").write_text(
        '[[price]]\nmodel = "mine"\ninput = 3\n[[price]]\nmodel = "x"\n', encoding="utf-8"
    )
    assert main(["mine"]) == 0
    captured = capsys.readouterr()
    assert captured.out.splitlines()[2].split() == ["standard", "any", "3", "-", "-"]
    assert captured.err.count("\n") == 1
    assert "table 2: input: no price" in captured.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["claude-opus-9"], "anthropic does not list claude-opus-9; anthropic has claude-opus-5"),
        (["gpt-5.7-sol", "--json"], "openai does not list gpt-5.7-sol; openai has gpt-5.6-sol"),
        (["zzz"], "seller is not known; name it with --provider"),
        (["gpt-5", "--host", "api.deepseek.com"], "deepseek lists no price for gpt-5"),
    ],
)
def test_an_unknown_model_is_one_line(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"touchdown prices: {said}")
    assert captured.err.count("\n") == 1


def test_without_a_model_it_says_what_it_holds(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    out = capsys.readouterr().out
    assert out.startswith("usage: touchdown prices")
    assert "providers," in out.splitlines()[-1]


def test_a_date_that_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["gpt-5", "--at", "soon"])
    assert "'soon' is not a date like 2026-08-21" in capsys.readouterr().err


def test_no_network_is_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> None:
        raise OSError("Name or service not known\nand more")

    monkeypatch.setattr(genai_prices.UpdatePrices, "fetch", fail)
    assert main(["--update"]) == 1
    assert capsys.readouterr().err == (
        "touchdown prices: no newer prices: Name or service not known\n"
    )


def test_an_update_lasts_for_the_command_and_says_so(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    held = genai_prices.data_snapshot.get_snapshot()
    fresh = genai_prices.data_snapshot.DataSnapshot(held.providers, from_auto_update=True)
    monkeypatch.setattr(genai_prices.UpdatePrices, "fetch", lambda _: fresh)
    try:
        assert main(["--update"]) == 0
        assert "0 of them new and 0 with other prices" in capsys.readouterr().out
        assert main(["gpt-5"]) == 0
        assert ", updated 20" in capsys.readouterr().out
    finally:
        genai_prices.data_snapshot.set_custom_snapshot(None)
