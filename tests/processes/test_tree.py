"""One task over threads, coroutines, pools, children and a grandchild: the parent's live bill is whole."""

import json
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.exits.cells import REPOSITORY, clean_environment
from touchdown.live.journal import read_journal
from touchdown.records import ModelCall
from touchdown.testing import Provider, Reply, Request

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def answer(request: Request) -> Reply:
    """Every call has its own usage, so that no two mix-ups cancel out."""
    tokens = int(request.headers["x-tokens"])
    usage = {"prompt_tokens": tokens, "completion_tokens": 1, "total_tokens": tokens + 1}
    return Reply("ok", usage=usage)


def run_tree(
    tmp_path: Path, *names: str, journal: bool = False
) -> tuple[dict[str, Any], list[str], str, int]:
    """The task's report, the root tasks of the parent, what it said, and the tokens handed out."""
    config = tmp_path / "touchdown.toml"
    config.write_text('[[price]]\nmodel = "gpt-5.4"\ninput = 1\noutput = 1\ncache_read = 1\n')
    with Provider(answer) as provider:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "tests.processes.tree", *names],
            cwd=REPOSITORY,
            env={
                **clean_environment(),
                **provider.env(),
                "TOUCHDOWN_CONFIG": str(config),
                **({"TOUCHDOWN_JOURNAL": str(tmp_path / "journal.jsonl")} if journal else {}),
            },
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        report, left = done.stdout.splitlines()[-2:]
        handed_out = sum(int(request.headers["x-tokens"]) for request in provider.requests)
    (task,) = [task for task in json.loads(report)["tasks"] if task["name"] == "goal"]
    return task, json.loads(left)["roots"], done.stderr, handed_out


def test_the_live_total_is_all_that_the_provider_handed_out(tmp_path: Path) -> None:
    task, roots, said, handed_out = run_tree(tmp_path, journal=True)
    calls = task["model_calls"]
    assert task["usage"]["uncached_input"] == handed_out
    assert Decimal(task["money"]["total_usd"]) == Decimal(handed_out + calls) / 1_000_000
    assert (task["money"]["complete"], task["outcome"]) == (True, "unknown")
    assert roots == ["goal"]
    assert said == ""
    kept = [r.id for r in read_journal(tmp_path / "journal.jsonl") if isinstance(r, ModelCall)]
    assert len(kept) == len(set(kept)) == calls


def test_of_a_child_that_is_killed_what_it_finished_is_kept_and_the_rest_said_to_be_lost(
    tmp_path: Path,
) -> None:
    task, roots, _, handed_out = run_tree(tmp_path, "killed")
    lost = 200  # the second call of the child that died
    assert task["usage"]["uncached_input"] == handed_out - lost
    known = task["model_calls"] - 1
    assert Decimal(task["money"]["total_usd"]) == Decimal(handed_out - lost + known) / 1_000_000
    assert task["money"]["complete"] is False
    assert task["money"]["unpriced_calls"] == 1
    assert roots == ["goal"]
