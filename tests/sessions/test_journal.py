"""The journal as a source: the ledger of each root task, and bad lines said and left out."""

from pathlib import Path

import pytest

import touchdown
from tests.live.test_journal import run_agent
from touchdown.accounting.ledger import refold
from touchdown.live.journal import Journal
from touchdown.prices.book import PriceBook
from touchdown.records import Record, TaskRecord
from touchdown.sessions.discovery import find_sources
from touchdown.sessions.readers import BY_NAME
from touchdown.sessions.source import Problems, Session
from touchdown.testing import Fault, Provider, Reply, ToolUse, capture


def read(path: Path) -> tuple[list[Session], list[str]]:
    problems = Problems()
    (source,) = find_sources([str(path)], problems)
    assert source.reader == "journal"
    sessions = list(BY_NAME[source.reader].read(source, problems))
    return sessions, [str(problem) for problem in problems]


def test_it_gives_the_ledger_of_the_live_run(tmp_path: Path) -> None:
    anthropic = pytest.importorskip("anthropic")
    path = tmp_path / "run.dat"
    script = [Reply(tool_uses=[ToolUse("search", {"pattern": "x"})]), Fault(429), "done"]
    with Provider(script) as provider, capture(journal=path):
        client = anthropic.Anthropic(base_url=provider.url, api_key="k")
        with client, touchdown.task("journal") as task:
            run_agent(client, "look")
            task.useful()
    live = task.totals
    (session,), problems = read(path)
    assert problems == []
    assert session.name == "journal"
    assert live.money.total_usd > 0
    assert refold(session.records, PriceBook()).account() == live


def test_what_a_crash_cut_off_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    write(path, TaskRecord("one", "one", 1))
    with path.open("ab") as file:
        file.write(b'{"kind":"TaskRe')
    write(path, TaskRecord("two", "two", 2))
    sessions, problems = read(path)
    assert [session.id for session in sessions] == ["one", "two"]
    assert problems == []


def write(path: Path, *records: Record) -> None:
    journal = Journal(path)
    for record in records:
        journal.write(record)
    journal.close()


def test_a_child_task_lies_in_its_root_whatever_the_order(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    write(
        path,
        TaskRecord("grandchild", "three", 3, 1, parent_id="child"),
        TaskRecord("other", "four", 4, 1),
        TaskRecord("child", "two", 2, 1, parent_id="root"),
        TaskRecord("root", "one", 1, 1),
    )
    sessions, _ = read(path)
    assert {session.id: len(list(session.records)) for session in sessions} == {
        "other": 1,
        "root": 3,
    }


def test_a_bad_line_is_told_and_the_rest_is_read(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    write(path, TaskRecord("one", "one", 1))
    with path.open("ab") as file:
        file.write(b'{"kind":"Nothing"}\n')
    write(path, TaskRecord("two", "two", 2))
    with path.open("ab") as file:
        file.write(b'{"kind":"TaskRe')
    sessions, problems = read(path)
    assert [session.id for session in sessions] == ["one", "two"]
    (told,) = problems
    assert told.startswith(f"{path}:3: not a line of a journal")
