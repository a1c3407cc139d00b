"""``touchdown analyze``: amounts that are estimates or lower bounds are marked wherever they stand."""

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from tests.cli.test_analyze import report, text
from tests.sessions import claude_lines as claude
from tests.sessions.claude_lines import answer, prompt, usage
from tests.sessions.test_pool import gather
from touchdown.report.analysis import LIST_PRICES, Analysis, AnalysisView

KNOWN = "claude-opus-4-8"


@pytest.fixture
def partly_counted(tmp_path: Path) -> Path:
    """A session of one model, of whose answers one was cut off."""
    return claude.write(
        tmp_path / "s.jsonl",
        prompt("u1", None, 0, "go"),
        answer("a1", "u1", 5, "m1", usage(1000, 0, 0, 100), model=KNOWN, stop="end_turn"),
        prompt("u2", "a1", 10, "on"),
        answer("a2", "u2", 15, "m2", usage(1000, 0, 0, 1), model=KNOWN, stop=None),
    )


def test_a_model_s_cost_is_marked_as_the_total_is(
    capsys: pytest.CaptureFixture[str], partly_counted: Path
) -> None:
    for view in ("session", "day"):
        out = text(capsys, partly_counted, "--by", view)
        row = next(line for line in out.splitlines() if f"anthropic {KNOWN}" in line)
        assert row.endswith("~$0.0125+")
        assert out.count("\n  + at least: some of it could not be priced\n") == 1
    (model,) = report(capsys, partly_counted)["tasks"][0]["models"]
    assert (model["total_usd"], model["basis"], model["complete"]) == (
        "0.012525",
        "estimated",
        False,
    )
    (group,) = report(capsys, partly_counted, "--by", "day")["analysis"]["groups"]
    assert group["models"] == [model]


def test_marks_are_explained_where_only_outcomes_are_known(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    rows = {"a": {"resolved": True, "cost": 2}, "b": {"resolved": False, "cost": 1}}
    (tmp_path / "outcomes.json").write_text(json.dumps(rows))
    (tmp_path / "none").mkdir()
    out = text(capsys, tmp_path / "none", "--outcomes", tmp_path / "outcomes.json")
    assert "total        ~$3.00" in out
    assert "  ~ estimated by a stated policy or model" in out


def test_a_narrow_terminal_is_still_told_what_the_amounts_are(partly_counted: Path) -> None:
    """What a subscription bills is not known: the end of it was cut at fewer than 70 columns."""
    view = AnalysisView(Analysis(accounts=gather(partly_counted).accounts))
    console = Console(width=60, file=io.StringIO())
    console.print(view)
    assert isinstance(console.file, io.StringIO)
    assert LIST_PRICES in " ".join(console.file.getvalue().split())
