"""The demo, run as a user runs it."""

import json
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("OTEL_")}
    return subprocess.run(
        [sys.executable, "-m", "touchdown", "demo", *arguments],
        cwd=cwd,
        env={**environment, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    ran = run("--json", cwd=tmp_path_factory.mktemp("demo"))
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def test_accounts_add_up_to_the_total(report: dict[str, Any]) -> None:
    for task in report["tasks"]:
        money = task["money"]
        taxes = sum((Decimal(usd) for usd in money["taxes"].values()), Decimal(0))
        parts = Decimal(money["work_usd"]) + taxes + Decimal(money["unexplained_usd"])
        assert parts == Decimal(money["total_usd"]) > 0


def test_names_the_taxes_it_pays(report: dict[str, Any]) -> None:
    written, mended = report["tasks"]
    assert Decimal(written["money"]["taxes"]["cache_miss"]) > 0
    assert Decimal(written["money"]["taxes"]["failed_tools"]) > 0
    causes = {miss["cause"] for miss in written["cache"]["misses"]}
    assert {"tools_changed", "system_changed"} <= causes
    assert Decimal(mended["money"]["taxes"]["cache_miss"]) == 0
    assert Decimal(mended["money"]["total_usd"]) < Decimal(written["money"]["total_usd"])


def test_sees_both_sdks_the_sub_agent_and_each_tool_once(report: dict[str, Any]) -> None:
    written = report["tasks"][0]
    assert {model["provider"] for model in written["models"]} == {"anthropic", "openai"}
    assert [run["name"] for run in written["agent_runs"]] == ["reviewer"]
    assert written["outcome"] == "useful"
    assert (written["model_calls"], written["tool_calls"]) == (10, 8)
    assert sum(tool["failed"] for tool in written["tools"]) == 1


def test_prints_a_receipt_and_keeps_the_repositories_when_asked(tmp_path: Path) -> None:
    ran = run("--keep", "--journal", str(tmp_path / "journal.jsonl"), cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert "the bug is fixed, and its test passes" in ran.stdout
    assert max(len(line) for line in ran.stdout.splitlines()) <= 80
    kept = Path(ran.stderr.rpartition("the repositories are in ")[2].strip())
    assert (kept / "mended" / "shop" / "cart.py").is_file()
    assert (tmp_path / "journal.jsonl").read_text().startswith('{"journal":"touchdown.journal/1"}')
