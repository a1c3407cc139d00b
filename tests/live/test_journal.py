"""The journal: refolded it is the same ledger; a disk that refuses is said once."""

import contextlib
import errno
import logging
import multiprocessing
import os
from pathlib import Path
from typing import Any

import pytest

import touchdown
from touchdown.accounting.account import TaskAccount
from touchdown.accounting.ledger import refold
from touchdown.live.accountant import LiveAccountant
from touchdown.live.journal import Journal, JournalError, read_journal
from touchdown.prices.book import PriceBook
from touchdown.records import Record, TaskRecord, ToolCall
from touchdown.runtime import guard
from touchdown.testing import Fault, Provider, Reply, Request, ToolUse, capture


@touchdown.tool
def search(pattern: str) -> str:
    return pattern * 100


ASKED: dict[str, Any] = {"model": "claude-sonnet-5", "max_tokens": 50}


def run_agent(client: Any, goal: str) -> None:
    """Two calls with a tool between them."""
    history: list[Any] = [{"role": "user", "content": f"{goal} " * 2000}]
    answer = client.messages.create(**ASKED, messages=history)
    use = answer.content[-1]
    history += [
        {"role": "assistant", "content": answer.content},
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": use.id, "content": search("x")}],
        },
    ]
    client.messages.create(**ASKED, messages=history)


def test_refolded_it_is_the_same_ledger(tmp_path: Path) -> None:
    anthropic = pytest.importorskip("anthropic")
    path = tmp_path / "deep" / "journal.jsonl"
    script = [Reply(tool_uses=[ToolUse("search", {"pattern": "x"})]), Fault(429), "done", "cut"]
    with Provider(script) as provider, capture(journal=path):
        client = anthropic.Anthropic(base_url=provider.url, api_key="k")
        with touchdown.task("journal") as task:
            run_agent(client, "look")
            asked: Any = {**ASKED, "messages": [{"role": "user", "content": "y"}]}
            with client.messages.stream(**asked) as stream:
                next(iter(stream))
            task.useful()
    live = task.totals
    assert live.money.total_usd > 0
    assert (live.attempts_retried, live.money.complete) == (1, False)
    assert refold(read_journal(path), PriceBook()).account() == live


def again(*paths: Path) -> list[TaskAccount]:
    """The accounts of all root tasks in these journals, folded anew in reverse order."""
    records = [record for path in paths for record in read_journal(path)]
    accountant = LiveAccountant(PriceBook())
    for record in sorted(records, key=_closed_first):
        accountant.fold(record)
    return accountant.accounts()


def _closed_first(record: Record) -> tuple[bool, str]:
    """Parents are known before their children's records, as they are live; all else is upside down."""
    return not isinstance(record, TaskRecord), record.id


def test_every_kind_of_task_is_refolded(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    anthropic = pytest.importorskip("anthropic")

    @touchdown.agent("reviewer")
    def review(client: Any) -> None:
        run_agent(client, "reviewing")

    @touchdown.tool(failed=lambda result: not result)
    def fails() -> str:
        return ""

    def script(request: Request) -> Reply:
        uses = [ToolUse("search", {"pattern": "x"})] if len(request.body["messages"]) == 1 else []
        return Reply("fine", uses)

    with Provider(script) as provider, capture(journal=path) as seen:
        client = anthropic.Anthropic(base_url=provider.url, api_key="k")
        with touchdown.task("whole", tags={"team": "a"}, user="u") as task:
            run_agent(client, "first")
            review(client)
            with touchdown.task("part"):
                review(client)
                fails()
            with contextlib.suppress(ZeroDivisionError), touchdown.task("broken part"):
                raise ZeroDivisionError
        task.useless("not yet")
        task.useful()
        task.score(0.5)
        search("outside")
        run_agent(client, "outside")
        touchdown.flush()
    accounts = seen.accounts
    assert [(a.task.name, a.agents) for a in accounts] == [("whole", 2), ("process", 0)]
    assert [a.task.outcome for a in accounts] == ["useful", "unknown"]
    assert accounts[0].money.taxes["failed_tools"] is not None
    assert again(path) == accounts


def test_what_a_crash_cut_off_is_passed_over_and_a_bad_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"

    def write(*names: str) -> None:
        journal = Journal(path)
        for name in names:
            journal.write(TaskRecord(name, "one", 1))
        journal.close()

    def read() -> list[str]:
        return [record.id for record in read_journal(path)]

    write("a")
    whole = path.read_bytes()
    last = whole.splitlines()[-1].replace(b'"a"', b'"whole"')
    for cut, kept in ((last[:15], []), (b"{", []), (last, ["whole"])):
        path.write_bytes(whole + cut)
        assert read() == ["a"]
        write("b", "c")
        assert read() == ["a", *kept, "b", "c"]
    path.write_bytes(b"")
    assert read() == []
    path.write_bytes(whole[:9])
    assert read() == []
    write("d")
    assert read() == ["d"]
    path.write_bytes(whole + b'{"kind":"Nothing"}\n')
    with pytest.raises(JournalError, match=r"journal\.jsonl:3: .*remove the line"):
        read()
    path.write_bytes(b'{"journal":"touchdown.journal/9"}\n' + whole)
    with pytest.raises(JournalError, match=r"journal\.jsonl:1: .*this reads touchdown\.journal/1"):
        read()


def test_a_line_that_the_disk_cut_does_not_spoil_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "journal.jsonl"
    journal = Journal(path)
    write, room = os.write, [20]

    def little_room(descriptor: int, data: bytes) -> int:
        if not room[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = write(descriptor, data[: room[0]])
        room[0] -= written
        return written

    monkeypatch.setattr(os, "write", little_room)
    for name in ("cut", "lost"):
        journal.write(TaskRecord(name, "one", 1))
    monkeypatch.undo()
    journal.write(TaskRecord("kept", "one", 1))
    journal.close()
    assert ([record.id for record in read_journal(path)], journal.lost) == (["kept"], 2)


def test_what_cannot_be_written_down_is_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "journal.jsonl"
    odd: Any = {"team": object()}
    guard.forget_warnings()
    with capture(journal=path) as seen:
        with touchdown.task("odd", tags=odd) as task:
            search("x")
        assert task.totals.tool_calls == len(seen.tools) == 1
    assert [type(record) for record in read_journal(path)] == [ToolCall]
    assert len([m for m in caplog.messages if "cannot be written" in m]) == 1


def write_many(path: Path, name: str) -> None:
    with capture(journal=path), touchdown.task(name) as task:
        for _ in range(200):
            search("x")
        task.useful()


def test_processes_may_share_a_file(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    names = ["one", "two", "three"]
    spawned = multiprocessing.get_context("spawn")
    writers = [spawned.Process(target=write_many, args=(path, name)) for name in names]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    found = {a.task.name: (a.tool_calls, a.task.outcome, a.open) for a in again(path)}
    assert found == dict.fromkeys(names, (200, "useful", False))


def test_a_full_disk_is_said_once_and_the_account_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    guard.forget_warnings()
    with caplog.at_level(logging.WARNING, "touchdown"), capture(journal="/dev/full") as seen:
        with touchdown.task("full") as task:
            search("x")
            search("y")
        assert task.totals.tool_calls == 2
        assert len(seen.tools) == 2
    said = [r.getMessage() for r in caplog.records if "journal" in r.getMessage()]
    assert len(said) == 2
    assert "No space left" in said[0]
    assert said[1] == "touchdown: lost at the end: 5 lines of the journal /dev/full"
