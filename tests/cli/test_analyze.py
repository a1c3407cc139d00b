"""``touchdown analyze``: what it prints, as text and as JSON, and how it ends."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.sessions import claude_lines as claude
from tests.sessions.claude_lines import answer, prompt, usage
from tests.sessions.test_claude_stream import RUN, ended
from tests.sessions.test_pool import conversation, write_fork
from tests.shared_data import shared_data
from touchdown.cli.main import main

pytestmark = pytest.mark.usefixtures("elsewhere")


@pytest.fixture
def sessions(tmp_path: Path) -> Path:
    folder = tmp_path / "sessions"
    claude.write(folder / "one.jsonl", *conversation("one", 0, "m1", "m2"))
    claude.write(folder / "two.jsonl", *conversation("two", 90_000, "m3"))
    return folder


def report(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    assert main(["analyze", "--json", *map(str, arguments)]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def text(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert main(["analyze", *map(str, arguments)]) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    return out


def test_one_session_is_its_receipt(capsys: pytest.CaptureFixture[str], sessions: Path) -> None:
    out = text(capsys, sessions / "two.jsonl")
    assert out.startswith("1 session · 1 model call · 2026-06-02\n")
    assert "amounts are API list prices; what a subscription bills is not known" in out
    assert "anthropic claude-opus-4-8" in out
    assert "\nbill\n" in out


def test_the_only_one_of_several_is_its_receipt_with_time_and_all(
    capsys: pytest.CaptureFixture[str], sessions: Path
) -> None:
    alone = text(capsys, sessions / "two.jsonl")
    (sessions / "one.jsonl").write_text('{"type": "us')
    said = text(capsys, sessions)

    assert "\ntime\n" in alone
    assert said.partition("\nbill\n")[2] == alone.partition("\nbill\n")[2]


@pytest.mark.parametrize(
    "view", ["session", "turn", "day", "week", "month", "model", "project", "5h"]
)
def test_every_view_has_the_totals_per_model(
    capsys: pytest.CaptureFixture[str], sessions: Path, view: str
) -> None:
    out = text(capsys, sessions, "--by", view, "--timezone", "UTC")
    assert "claude-opus-4-8" in out
    assert "where it went" in out
    found = report(capsys, sessions, "--by", view, "--timezone", "UTC")
    groups = found["analysis"]["groups"]
    if view not in ("session", "turn"):
        whole = sum(Decimal(group["money"]["total_usd"]) for group in groups)
        assert whole == Decimal(found["summary"]["total_usd"])
        assert sum(group["model_calls"] for group in groups) == 3
        assert all(group["models"] for group in groups)


def test_a_day_is_one_of_the_time_zone(capsys: pytest.CaptureFixture[str], sessions: Path) -> None:
    def days(zone: str) -> list[str]:
        found = report(capsys, sessions, "--by", "day", "--timezone", zone)
        return [group["key"] for group in found["analysis"]["groups"]]

    assert days("UTC") == ["2026-06-01", "2026-06-02"]
    assert days("America/Los_Angeles") == ["2026-05-31", "2026-06-01"]


def test_dates_and_models_leave_calls_out(
    capsys: pytest.CaptureFixture[str], sessions: Path
) -> None:
    def calls(*asked: str) -> int:
        found = report(capsys, sessions, "--timezone", "UTC", *asked)
        return sum(task["model_calls"] for task in found["tasks"])

    assert calls() == 3
    assert calls("--since", "2026-06-02") == 1
    assert calls("--until", "2026-06-01") == 2
    assert calls("--since", "2026-06-01T05:40:30Z") == 2
    assert calls("--model", "opus") == 3
    assert calls("--model", "haiku") == 0


def test_a_copied_session_is_counted_once(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    write_fork(tmp_path / "fork")
    found = report(capsys, tmp_path / "fork")
    assert {task["id"]: task["model_calls"] for task in found["tasks"]} == {
        "original": 2,
        "copy": 1,
    }


def test_a_source_s_own_total_stands_beside_ours(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    lines = [json.dumps(line) for line in (*RUN, ended(0.5, 9999))]
    (tmp_path / "out").write_text("\n".join(lines) + "\n")
    (compared,) = report(capsys, tmp_path / "out")["analysis"]["comparisons"]
    ours = Decimal(compared["total_usd"])
    assert Decimal(compared["residual_usd"]) == Decimal("0.5") - ours > 0
    assert compared["said_by"] == "total_cost_usd"
    out = text(capsys, tmp_path / "out")
    assert "the source's own total" in out
    assert "why:" in out


def test_an_unknown_model_is_never_priced_as_another(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    said = answer("a", "u", 1, "m", usage(9, 0, 0, 9), model="claude-opus-99", stop="end_turn")
    path = claude.write(tmp_path / "a", prompt("u", None, 0, "go"), said)
    (task,) = report(capsys, path)["tasks"]
    assert (task["money"]["total_usd"], task["money"]["complete"]) == ("0", False)
    assert task["models"][0]["total_usd"] is None
    assert "does not list claude-opus-99" in text(capsys, path)


def test_outcomes_give_the_cost_of_a_useful_session(
    capsys: pytest.CaptureFixture[str], sessions: Path, tmp_path: Path
) -> None:
    outcomes = tmp_path / "outcomes.json"
    outcomes.write_text(json.dumps({"one": {"resolved": True}, "two": {"resolved": False}}))
    found = report(capsys, sessions, "--outcomes", outcomes)
    money = {task["id"]: Decimal(task["money"]["total_usd"]) for task in found["tasks"]}
    summary = found["summary"]
    assert (summary["useful"], summary["useless"], summary["unknown"]) == (1, 1, 0)
    assert Decimal(summary["cost_per_useful_task_usd"]) == money["one"] + money["two"]
    assert Decimal(summary["spent_on_useless_usd"]) == money["two"]


def test_an_outcome_is_found_by_the_session_s_file_and_never_by_a_name_of_two(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = tmp_path / "runs"
    claude.write(folder / "astropy-1.jsonl", *conversation("a", 0, "m1"))
    claude.write(folder / "django-2.jsonl", *conversation("b", 0, "m2"))
    outcomes = tmp_path / "outcomes.json"
    rows = {"one": {"django-2": {"resolved": True}}, "two": {"django-2": {"resolved": False}}}
    rows["one"]["astropy-1"] = {"resolved": True}
    outcomes.write_text(json.dumps(rows))
    found = {task["id"]: task for task in report(capsys, folder, "--outcomes", outcomes)["tasks"]}
    assert found["a"]["outcome"] == "useful"
    assert found["b"]["outcome"] == "unknown"
    assert "one/astropy-1" not in found
    assert found["one/django-2"]["outcome"] == "useful"


def test_outcomes_of_the_real_file_by_hand(capsys: pytest.CaptureFixture[str]) -> None:
    path = shared_data("outcomes", "swe-bench-mini-agent.json")
    found = report(capsys, "--outcomes", path)
    rows = json.loads(path.read_text(), parse_float=Decimal)
    assert len(rows) == 4
    for model, tasks in rows.items():
        spent = sum(task["cost"] for task in tasks.values())
        resolved = sum(task["resolved"] for task in tasks.values())
        wasted = sum(task["cost"] for task in tasks.values() if not task["resolved"])
        told = found["summary"]["by_name"][model]
        assert (told["tasks"], told["useful"]) == (500, resolved)
        assert abs(Decimal(told["total_usd"]) - spent) < Decimal("1e-9")
        assert abs(Decimal(told["spent_on_useless_usd"]) - wasted) < Decimal("1e-9")
        assert abs(Decimal(told["cost_per_useful_task_usd"]) - spent / resolved) < Decimal("1e-9")
    out = text(capsys, "--outcomes", path)
    assert "2,000 tasks known by outcome only" in out


def test_a_cost_of_zero_is_unknown(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "outcomes.json"
    rows = {
        "a": {"resolved": True, "cost": 0.5},
        "b": {"resolved": True, "cost": 0},
        "c": {"cost": 2},
    }
    path.write_text(json.dumps(rows))
    found = report(capsys, "--outcomes", path)
    assert {task["id"]: task["money"]["complete"] for task in found["tasks"]} == {
        "a": True, "b": False, "c": True,
    }  # fmt: skip
    summary = found["summary"]
    assert (summary["complete"], summary["unknown"]) == (False, 1)
    assert (summary["low_usd"], summary["high_usd"])[1] == "1.25"
    assert "the file gives a cost of 0" in text(capsys, "--outcomes", path)


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"a": 1}'])
def test_a_bad_outcomes_file_is_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, content: str
) -> None:
    path = tmp_path / "outcomes.json"
    path.write_text(content)
    assert main(["analyze", "--outcomes", str(path), str(tmp_path)]) == 2
    streams = capsys.readouterr()
    assert not streams.out
    assert len(streams.err.splitlines()) == 1


def test_without_a_path_it_says_where_it_looked(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["analyze"]) == 1
    assert "no sessions in the standard places" in capsys.readouterr().err
    lines = conversation("one", 0, "m1")
    claude.write(tmp_path / "home" / ".claude" / "projects" / "-w" / "one.jsonl", *lines)
    assert "read: ~/.claude/projects" in text(capsys)
    moved = tmp_path / "moved"
    claude.write(moved / "projects" / "-w" / "two.jsonl", *conversation("two", 0, "m2"))
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(moved))
    assert [task["id"] for task in report(capsys)["tasks"]] == ["two"]


def test_bad_files_are_told_and_the_rest_is_analysed(
    capsys: pytest.CaptureFixture[str], sessions: Path, tmp_path: Path
) -> None:
    bad = tmp_path / "bad"
    bad.write_bytes(b"\x00\x01")
    assert main(["analyze", str(bad)]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 2
    assert main(["analyze", "--json", str(bad), str(sessions)]) == 0
    streams = capsys.readouterr()
    assert len(json.loads(streams.out)["tasks"]) == 2
    assert streams.err.splitlines() == [
        f"touchdown analyze: {bad}: is no session that touchdown can read;"
        " docs/new-source.md lists those it can"
    ]


@pytest.mark.parametrize(
    "wrong", [["--by", "hour"], ["--timezone", "Mars"], ["--since", "yesterday"], ["--limit", "x"]]
)
def test_wrong_usage_ends_with_2(capsys: pytest.CaptureFixture[str], wrong: list[str]) -> None:
    assert main(["analyze", *wrong]) == 2
    assert not capsys.readouterr().out


def test_only_some_rows_are_shown(capsys: pytest.CaptureFixture[str], sessions: Path) -> None:
    assert "and 1 cheaper row (--limit 0" in text(capsys, sessions, "--limit", "1")
    assert "cheaper" not in text(capsys, sessions, "--limit", "0")
    assert "and 1 earlier row (--limit 0" in text(capsys, sessions, "--by", "day", "--limit", "1")
