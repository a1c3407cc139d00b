"""Outcomes told by a task's id: late, from another process, and for tasks that nobody knows."""

import logging
from pathlib import Path
from typing import Any

import pytest

import touchdown
from touchdown.accounting.ledger import refold
from touchdown.cli.main import main
from touchdown.live import ledgers
from touchdown.live.journal import read_journal
from touchdown.prices.book import PriceBook
from touchdown.records import TaskOutcome
from touchdown.testing import Provider, capture


@touchdown.tool
def step() -> str:
    return "done"


def test_a_late_word_holds_over_the_tasks_own_and_the_last_over_those_before(
    tmp_path: Path,
) -> None:
    path = tmp_path / "journal.jsonl"
    with capture(journal=path) as seen:
        with touchdown.task("goal") as task:
            step()
            task.useless("too early")
        touchdown.outcome(task.id, useful=True, reason="CI is green", score=0.9)
        touchdown.outcome(task.id, score=1)
        told = seen.account.task
        assert (told.outcome, told.outcome_reason, told.score) == ("useful", "CI is green", 1.0)
        assert seen.summary.useful == 1
        assert task.totals.task == told
        live = task.totals
    assert refold(read_journal(path), PriceBook()).account() == live


def test_while_the_task_is_open_and_inside_another() -> None:
    with capture() as seen, touchdown.task("outer") as outer:
        with touchdown.task("inner") as inner:
            touchdown.outcome(inner.id, useful=False, reason="no")
            touchdown.outcome(outer.id, useful=True)
            inner.useful()
        assert inner.totals.task.outcome == "useless"
        assert outer.totals.task.outcome == "useful"
    assert seen.account.task.outcome == "useful"


def test_the_account_of_a_task_whose_ledger_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledgers, "MAX_CLOSED", 0)
    with capture() as seen:
        with touchdown.task("old") as task:
            step()
        _ = seen.accounts
        touchdown.outcome(task.id, useful=True)
        assert seen.account.task.outcome == "useful"


def test_another_process_appends_to_the_journal_and_analyze_takes_it_in(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    anthropic = pytest.importorskip("anthropic")
    path = tmp_path / "journal.jsonl"
    with Provider(["fine"]) as provider, capture(journal=path):
        client = anthropic.Anthropic(base_url=provider.url, api_key="k")
        with client, touchdown.task("goal") as task:
            ask: Any = {"role": "user", "content": "x"}
            client.messages.create(model="claude-sonnet-5", max_tokens=9, messages=[ask])
    touchdown.outcome(task.id, useful=True, journal=path)  # as a process without instrument() does
    assert [type(one) for one in read_journal(path)][-1] is TaskOutcome
    assert main(["analyze", str(path), "--json"]) == 0
    assert '"outcome":"useful"' in capsys.readouterr().out.replace(" ", "")


def test_an_unknown_id_is_said_once_and_kept(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "journal.jsonl"
    with caplog.at_level(logging.WARNING, "touchdown"), capture(journal=path) as seen:
        for _ in range(2):
            touchdown.outcome("task-of-yesterday", useful=True)
        assert seen.accounts == []
        assert caplog.text.count("no task of this process, is kept in the journal") == 1
    kept = [one for one in read_journal(path) if isinstance(one, TaskOutcome)]
    assert [one.task_id for one in kept] == ["task-of-yesterday"] * 2


def test_a_journal_with_nothing_but_unknown_outcomes_has_no_session(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "journal.jsonl"
    touchdown.outcome("task-of-yesterday", useful=True, journal=path)
    main(["analyze", str(path)])
    told = capsys.readouterr()
    assert "an outcome of task-of-yesterday, a task that is not in this file" in (
        " ".join((told.out + told.err).split())
    )


def test_nowhere_to_keep_it_is_said(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TOUCHDOWN_JOURNAL", raising=False)
    with caplog.at_level(logging.WARNING, "touchdown"):
        touchdown.outcome("task-1", useful=True)
    assert "an outcome is lost" in caplog.text


@pytest.mark.parametrize(
    ("task_id", "said"),
    [
        ("", {"useful": True}),
        (None, {"useful": True}),
        ("task-1", {}),
        ("task-1", {"useful": "yes"}),
        ("task-1", {"score": float("nan")}),
        ("task-1", {"score": "9"}),
    ],
)
def test_what_says_nothing_is_refused(task_id: Any, said: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"task|outcome|score"):
        touchdown.outcome(task_id, **said)


def test_an_exception_leaves_the_outcome_unknown_and_a_late_word_decides() -> None:
    with capture() as seen:
        with pytest.raises(RuntimeError), touchdown.task("goal") as task:
            raise RuntimeError
        assert seen.account.task.outcome == "unknown"
        touchdown.outcome(task.id, useful=True)
        assert seen.account.task.outcome == "useful"


def test_the_span_has_an_evaluation_event_for_each_thing_said() -> None:
    with capture() as seen:
        with touchdown.task("goal") as task:
            task.useless("tests fail")
            task.score(0.25)
        with touchdown.task("silent"):
            pass
        events = {
            span.name: [(e.name, dict(e.attributes or {})) for e in span.events]
            for span in seen.spans
        }
    said = "gen_ai.evaluation.result"
    assert events == {
        "invoke_workflow goal": [
            (
                said,
                {
                    "gen_ai.evaluation.name": "touchdown.outcome",
                    "gen_ai.evaluation.score.label": "useless",
                    "gen_ai.evaluation.explanation": "tests fail",
                },
            ),
            (
                said,
                {
                    "gen_ai.evaluation.name": "touchdown.score",
                    "gen_ai.evaluation.score.value": 0.25,
                },
            ),
        ],
        "invoke_workflow silent": [],
    }
