"""``touchdown analyze``: which calls are asked for, and what the header says of them."""

from pathlib import Path

import pytest

from tests.cli.test_analyze import report, text
from tests.sessions import claude_lines as claude
from tests.sessions.test_pool import conversation
from touchdown.cli.main import main

DAY_S = 86_400


pytestmark = pytest.mark.usefixtures("elsewhere")


@pytest.fixture
def days(tmp_path: Path) -> Path:
    """One session with a call on each of three days."""
    lines = [line for day in range(3) for line in conversation("one", day * DAY_S, f"m{day}")]
    for number, line in enumerate(lines):
        line["uuid"] = f"u{number}"
        line["parentUuid"] = f"u{number - 1}" if number else None
    return claude.write(tmp_path / "days.jsonl", *lines)


def calls(capsys: pytest.CaptureFixture[str], path: Path, *asked: str) -> int:
    found = report(capsys, path, "--timezone", "UTC", *asked)
    return sum(task["model_calls"] for task in found["tasks"])


def test_a_day_may_be_written_without_hyphens(
    capsys: pytest.CaptureFixture[str], days: Path
) -> None:
    assert calls(capsys, days, "--until", "20260602") == 2
    assert calls(capsys, days, "--since", "20260602", "--until", "2026-06-02") == 1
    assert calls(capsys, days, "--since", "2026-06-02 00:00") == 2


@pytest.mark.parametrize("wrong", ["20261301", "2026-W23", "2026W231", "2026-06", "noon"])
def test_what_is_no_day_is_refused(
    capsys: pytest.CaptureFixture[str], days: Path, wrong: str
) -> None:
    assert main(["analyze", str(days), "--until", wrong]) == 2
    assert "is not a date like 2026-08-21" in capsys.readouterr().err


def test_a_model_is_named_in_any_case(capsys: pytest.CaptureFixture[str], days: Path) -> None:
    assert calls(capsys, days, "--model", "Opus") == 3


def test_the_header_says_from_when_to_when_the_calls_are(
    capsys: pytest.CaptureFixture[str], days: Path
) -> None:
    def header(*asked: str) -> str:
        return text(capsys, days, "--timezone", "UTC", *asked).splitlines()[0]

    assert header() == "1 session · 3 model calls · 2026-06-01 to 2026-06-03"
    assert header("--since", "2026-06-02") == (
        "1 session · 2 model calls · 2026-06-02 to 2026-06-03"
    )
    assert header("--by", "day", "--until", "2026-06-01") == (
        "1 session · 1 model call · 2026-06-01"
    )


def test_the_outcome_of_a_session_is_not_that_of_each_turn(
    capsys: pytest.CaptureFixture[str], days: Path, tmp_path: Path
) -> None:
    """Three turns of one useful session were three useful tasks, each for a third of its cost."""
    outcomes = tmp_path / "outcomes.json"
    outcomes.write_text('{"one": {"resolved": true, "cost": 1}}')
    assert report(capsys, days, "--outcomes", outcomes)["summary"]["useful"] == 1
    by_turn = report(capsys, days, "--outcomes", outcomes, "--by", "turn")
    assert by_turn["summary"]["useful"] == 0
    assert by_turn["analysis"]["notes"][0].startswith("outcomes are of sessions: ")
    outcomes.write_text('{"one#2": {"resolved": true, "cost": 1}}')
    named = report(capsys, days, "--outcomes", outcomes, "--by", "turn")
    assert [task["outcome"] for task in named["tasks"]] == ["unknown", "useful", "unknown"]


def test_a_place_behind_a_comma_is_below_home_and_every_place_is_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", f"{tmp_path}/none,~/work")
    assert main(["analyze"]) == 1
    said = capsys.readouterr().err
    assert f"standard places: {tmp_path}/none/projects, ~/work/projects, ~/.codex/sessions" in said
    lines = conversation("one", 0, "m1")
    claude.write(tmp_path / "home" / "work" / "projects" / "-w" / "one.jsonl", *lines)
    assert "read: ~/work/projects" in text(capsys)


def test_a_session_that_is_all_copied_has_no_row_of_unknowns(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    claude.write(tmp_path / "b.jsonl", *conversation("b", 0, "m1", "m2"))
    claude.write(tmp_path / "a.jsonl", *conversation("a", 0, "m1", fork=True))
    claude.write(tmp_path / "c.jsonl", *conversation("c", 0, "m3"))
    out = text(capsys, tmp_path)
    table = out[out.index("dearest sessions") : out.index("models ")]
    assert "unknown" not in table
    assert "and 1 session without a model call of its own: " in table


def test_a_place_without_a_session_is_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "home" / ".codex" / "sessions").mkdir(parents=True)
    assert main(["analyze"]) == 1
    said = "touchdown analyze: no session was found in ~/.codex/sessions\n"
    assert capsys.readouterr().err == said


@pytest.mark.parametrize("zone", [[], ["--timezone", "Asia/Tokyo"], ["--timezone", "UTC"]])
def test_the_ends_of_the_calendar_are_no_limit(
    capsys: pytest.CaptureFixture[str], days: Path, zone: list[str]
) -> None:
    ends = ["--since", "0001-01-01", "--until", "9999-12-31"]
    assert report(capsys, days, *ends, *zone)["tasks"][0]["model_calls"] == 3
