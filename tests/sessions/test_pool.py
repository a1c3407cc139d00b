"""Many sources: every call once, in the first that holds it, by one process or several."""

import os
import subprocess
import sys
from datetime import timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.sessions import claude_lines as claude
from tests.sessions.claude_lines import answer, prompt, usage
from touchdown.sessions.discovery import find_sources
from touchdown.sessions.gathering import Gathered
from touchdown.sessions.pool import analyse_all
from touchdown.sessions.question import Question
from touchdown.sessions.source import Problems

REPOSITORY = Path(__file__).parents[2]


def gather(folder: Path, workers: int = 1, **asked: Any) -> Gathered:
    problems = Problems()
    sources = find_sources([str(folder)], problems)
    gathered = Gathered(Question(**asked), problems=list(problems))
    for answered in analyse_all(sources, gathered.question, workers):
        gathered.take(answered)
    gathered.settle()
    return gathered


def conversation(session: str, start: float, *messages: str, fork: bool = False) -> list[Any]:
    """Prompts and answers in turn."""
    own: dict[str, Any] = {"sessionId": session}
    if fork:
        own["forkedFrom"] = {"sessionId": "original"}
    lines: list[Any] = []
    parent = None
    for number, message in enumerate(messages):
        at, name = start + 100 * number, f"{session}-{number}"
        asked = prompt(f"{name}u", parent, at, f"question {number} " * 50, **own)
        used = usage(1000 + number, 0, 0, 10)
        lines += [
            asked,
            answer(f"{name}a", f"{name}u", at + 5, message, used, stop="end_turn", **own),
        ]
        parent = f"{name}a"
    return lines


def write_fork(folder: Path) -> None:
    """A session, and a copy of it under another id that went on."""
    claude.write(folder / "b-original.jsonl", *conversation("original", 0, "m1", "m2"))
    copied = conversation("copy", 0, "m1", "m2", "m3", fork=True)
    claude.write(folder / "a-copy.jsonl", *copied)


def test_a_copied_history_counts_where_it_first_lay(tmp_path: Path) -> None:
    write_fork(tmp_path)
    gathered = gather(tmp_path)
    calls = {account.task.id: account.model_calls for account in gathered.accounts}
    assert calls == {"original": 2, "copy": 1}
    assert gathered.problems == []


def test_a_copy_whose_original_is_gone_counts_itself(tmp_path: Path) -> None:
    write_fork(tmp_path)
    (tmp_path / "b-original.jsonl").unlink()
    assert [account.model_calls for account in gather(tmp_path).accounts] == [3]


def test_a_copy_s_own_total_is_told_to_count_more(tmp_path: Path) -> None:
    write_fork(tmp_path)
    for path in tmp_path.glob("*.jsonl"):
        path.write_text(
            path.read_text().replace('"type": "assistant"', '"type": "assistant", "costUSD": 1')
        )
    compared = {found.task_id: found for found in gather(tmp_path).comparisons}
    assert compared["copy"].reported_usd == 3
    assert compared["copy"].why[0] == "2 of its calls lie in an earlier session, too"
    assert "earlier" not in compared["original"].why[0]


def test_a_second_copy_of_a_file_adds_nothing(tmp_path: Path) -> None:
    lines = conversation("original", 0, "m1", "m2")
    claude.write(tmp_path / "one.jsonl", *lines)
    alone = gather(tmp_path).accounts[0].money
    claude.write(tmp_path / "backup" / "two.jsonl", *lines)
    again = gather(tmp_path)
    assert [account.model_calls for account in again.accounts] == [2]
    assert again.accounts[0].money == alone


def test_what_the_copy_read_is_still_its_context(tmp_path: Path) -> None:
    write_fork(tmp_path)
    copy = next(a for a in gather(tmp_path).accounts if a.task.id == "copy")
    assert copy.money.unexplained_usd == 0
    assert copy.context.by_kind.keys() == {"opaque", "user", "assistant"}


def run(program: str, *arguments: object) -> str:
    """A program in a process of its own: workers are forked where no thread runs."""
    ran = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return ran.stdout


ASK = """
import sys
from pathlib import Path
from tests.sessions.test_pool import gather
for account in gather(Path(sys.argv[1]), int(sys.argv[2]), view="day").accounts:
    print(account.task.id, account.model_calls, account.money.total_usd)
"""


def test_several_processes_answer_like_one(tmp_path: Path) -> None:
    write_fork(tmp_path)
    for number in range(12):
        lines = conversation(f"s{number}", 1000.0 * number, f"x{number}", f"y{number}")
        claude.write(tmp_path / f"s{number}.jsonl", *lines)

    one = run(ASK, tmp_path, 1)
    assert len(one.splitlines()) == 14
    assert run(ASK, tmp_path, 3) == one


KILL = """
import os, sys
from pathlib import Path
from touchdown.sessions import pool
from tests.sessions.test_pool import gather
work, parent = pool._work, os.getpid()
def dies(source, question):
    return work(source, question) if os.getpid() == parent else os._exit(9)
pool._work = dies
for account in gather(Path(sys.argv[1]), 2).accounts:
    print(account.task.id, account.model_calls)
"""


def test_workers_that_are_killed_are_done_without(tmp_path: Path) -> None:
    for number in range(12):
        lines = conversation(f"s{number}", 1000.0 * number, f"x{number}")
        claude.write(tmp_path / f"s{number}.jsonl", *lines)
    assert run(KILL, tmp_path).splitlines() == [f"s{number} 1" for number in range(12)]


def test_views_add_up_and_windows_begin_with_their_first_call(tmp_path: Path) -> None:
    hour = 3600.0
    claude.write(tmp_path / "one.jsonl", *conversation("one", 0, "m1", "m2"))
    claude.write(tmp_path / "two.jsonl", *conversation("two", 4 * hour, "m3"))
    claude.write(tmp_path / "three.jsonl", *conversation("three", 6 * hour, "m4"))
    claude.write(tmp_path / "four.jsonl", *conversation("four", 24 * hour, "m5"))
    total = sum((a.money.total_usd for a in gather(tmp_path).accounts), Decimal(0))
    for view in ("day", "week", "month", "model", "project", "5h"):
        rows = gather(tmp_path, view=view, zone=timezone.utc).groups
        assert sum((row.money.total_usd for row in rows.values()), Decimal(0)) == total
        assert sum(row.model_calls for row in rows.values()) == 5
    found = gather(tmp_path, view="5h", zone=timezone.utc).groups
    assert {name: row.model_calls for name, row in found.items()} == {
        "2026-06-01 05:00": 3,
        "2026-06-01 11:00": 1,
        "2026-06-02 05:00": 1,
    }
    days = gather(tmp_path, view="day", zone=timezone.utc)
    assert days.sizes == {"2026-06-01": 3, "2026-06-02": 1}
    assert list(gather(tmp_path, view="5h", zone=timezone.utc).sizes.values()) == [2, 1, 1]


def test_filters_leave_calls_out_and_causes_as_they_are(tmp_path: Path) -> None:
    claude.write(tmp_path / "one.jsonl", *conversation("one", 0, "m1", "m2"))
    claude.write(tmp_path / "two.jsonl", *conversation("two", 4000, "m3"))
    since = int(claude.START.timestamp() + 50) * 10**9
    gathered = gather(tmp_path, since_ns=since)
    assert [a.model_calls for a in gathered.accounts] == [1, 1]
    assert gather(tmp_path, models=("haiku",)).accounts == []
    assert len(gather(tmp_path, models=("opus-4-8",)).accounts) == 2
    assert [a.model_calls for a in gather(tmp_path, until_ns=since).accounts] == [1]


def test_a_turn_is_a_task(tmp_path: Path) -> None:
    claude.write(tmp_path / "one.jsonl", *conversation("one", 0, "m1", "m2"))
    gathered = gather(tmp_path, view="turn", outcomes={"one": "useful", "one#1": "useless"})
    assert [a.task.name for a in gathered.accounts] == [
        "turn 1 of project one",
        "turn 2 of project one",
    ]
    assert [a.model_calls for a in gathered.accounts] == [1, 1]
    assert [a.task.outcome for a in gathered.accounts] == ["useless", "unknown"]
