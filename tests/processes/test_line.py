"""The line between two processes: what is taken in, and what happens where there is none, or no more."""

import logging
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

import touchdown
from touchdown.live import reception as receptions
from touchdown.live.journal import FORMAT, read_journal
from touchdown.live.reception import Reception
from touchdown.live.teller import Told
from touchdown.live.uplink import Uplink
from touchdown.records import CallStart, ModelCall, ToolCall
from touchdown.runtime import guard
from touchdown.runtime.handing import Ticket

pytestmark = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="needs local sockets")

TOOL = ToolCall("tool-1", "task-1", "task-1", "look", 1, duration_ns=1)
START = CallStart("call-1", "task-1", "task-1", "openai", "gpt-5.4", "chat", 5)


@pytest.fixture(autouse=True)
def said(caplog: pytest.LogCaptureFixture) -> Iterator[Callable[[], list[str]]]:
    guard.forget_warnings()
    caplog.set_level(logging.WARNING, "touchdown")
    yield lambda: [record.getMessage() for record in caplog.records]
    guard.forget_warnings()


class Desk:
    """A reception, and what was taken in."""

    def __init__(self, folder: Path | None = None) -> None:
        self.told: list[Told] = []
        self.reception = Reception(folder, self.told.append)

    def records(self) -> list[object]:
        self.reception.catch_up()
        return [one.record for one in self.told]


@pytest.fixture
def desk() -> Iterator[Desk]:
    made = Desk()
    yield made
    made.reception.close()


def test_what_was_told_is_there_without_waiting(desk: Desk) -> None:
    uplink = Uplink(desk.reception.path, ["/a/journal"])
    uplink.write(TOOL)
    uplink.close()
    assert desk.records() == [TOOL]
    assert desk.told[0].written == {"/a/journal"}


def test_a_call_that_began_and_has_no_end_is_of_unknown_usage(desk: Desk) -> None:
    uplink = Uplink(desk.reception.path, [])
    uplink.open(START)
    assert desk.records() == []
    uplink.close()
    (call,) = desk.records()
    assert isinstance(call, ModelCall)
    assert (call.id, call.status, call.usage.completeness) == ("call-1", "cancelled", "none")


def test_a_path_that_is_too_long_leads_to_files(
    tmp_path: Path, said: Callable[[], list[str]]
) -> None:
    deep = tmp_path / ("d" * 100)
    deep.mkdir()
    desk = Desk(deep)
    for number in range(2):
        uplink = Uplink(desk.reception.path, [])
        uplink.open(START)
        uplink.write(TOOL)
        assert desk.records() == [TOOL] * (number + 1)
    assert len(said()) == 1
    assert "path would be too long" in said()[0]
    desk.reception.close()


def test_a_path_that_is_taken_leads_to_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: Callable[[], list[str]]
) -> None:
    monkeypatch.setattr(receptions.secrets, "token_hex", lambda _bytes: "taken")
    with tempfile.TemporaryDirectory() as short:
        (Path(short) / "taken.sock").write_text("")
        desk = Desk(Path(short))
        Uplink(desk.reception.path, []).write(TOOL)
        assert desk.records() == [TOOL]
        assert len(said()) == 1
        desk.reception.close()


def test_a_parent_that_does_not_read_is_told_by_file(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, said: Callable[[], list[str]]
) -> None:
    monkeypatch.setattr("touchdown.live.uplink.SEND_S", 0.05)
    with desk.reception._lock:
        uplink = Uplink(desk.reception.path, [])
        sent = 0
        while uplink._file is None:
            uplink.write(_tool(sent))
            sent += 1
    uplink.write(_tool(sent))
    found = [record.id for record in desk.records() if isinstance(record, ToolCall)]
    assert found == [f"tool-{number}" for number in range(sent + 1)]
    assert len(said()) == 1


def _tool(number: int) -> ToolCall:
    return ToolCall(f"tool-{number}", "task-1", "task-1", "look" * 250, 1, duration_ns=1)


def test_a_parent_that_is_gone_is_said_once(desk: Desk, said: Callable[[], list[str]]) -> None:
    uplink = Uplink(desk.reception.path, [])
    uplink.write(TOOL)
    desk.reception.close()
    for _ in range(3):
        uplink.write(TOOL)
    late = Uplink(desk.reception.path, [])
    late.write(TOOL)
    assert len(said()) == 1
    assert "takes in no records any more" in said()[0]


def test_a_child_of_another_version_is_said_once_and_not_counted(
    desk: Desk, said: Callable[[], list[str]]
) -> None:
    line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    line.connect(desk.reception.path)
    hello = {"hello": {"format": "touchdown.journal/9", "name": "x", "pid": 1, "writes": []}}
    line.sendall(msgspec.json.encode(hello) + b"\n" + b"{}\n" * 3)
    line.close()
    assert desk.records() == []
    assert len(said()) == 1
    assert "touchdown.journal/9" in said()[0]
    assert FORMAT in said()[0]


def test_lines_that_are_no_records_are_passed_over(
    desk: Desk, said: Callable[[], list[str]]
) -> None:
    uplink = Uplink(desk.reception.path, [])
    uplink.write(TOOL)
    assert uplink._socket is not None
    uplink._socket.sendall(b'nonsense\n[]\n{"kind":"Unknown","record":{}}\n{"kind":\xff}\n')
    uplink.write(TOOL)
    uplink.close()
    assert desk.records() == [TOOL, TOOL]
    assert len(said()) == 1


def test_processes_of_other_users_are_not_listened_to(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, said: Callable[[], list[str]]
) -> None:
    monkeypatch.setattr(receptions, "is_ours", lambda _line: False)
    uplink = Uplink(desk.reception.path, [])
    uplink.write(TOOL)
    assert desk.records() == []
    assert "another user" in said()[0]
    uplink.close()


def test_another_users_socket_is_not_spoken_to(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, said: Callable[[], list[str]]
) -> None:
    monkeypatch.setattr("touchdown.live.uplink.is_ours", lambda _line: False)
    Uplink(desk.reception.path, []).write(TOOL)
    assert desk.records() == []
    assert len(said()) == 1


CHILD = """
import touchdown, sys
touchdown.instrument()
@touchdown.tool
def look(): return "seen"
look()
print(touchdown.current_task().id)
"""


def test_a_child_whose_parent_is_gone_keeps_the_ids_to_join_by(tmp_path: Path) -> None:
    ticket = Ticket("/nowhere/at/all.sock", "task-abc-000001", "agent-abc-000002")
    journal = tmp_path / "journal.jsonl"
    done = subprocess.run(
        [sys.executable, "-c", CHILD],
        env={**os.environ, **ticket.environment(), "TOUCHDOWN_JOURNAL": str(journal)},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert done.stdout.strip() == "task-abc-000001"
    assert done.stderr.count("touchdown:") == 1
    (tool,) = [record for record in read_journal(journal) if isinstance(record, ToolCall)]
    assert tool.task_id == "task-abc-000001"


def test_a_parent_that_stands_still_does_not_hold_its_child() -> None:
    """Stopped by a signal before the child speaks, so that nobody reads."""
    code = (
        "import os, signal, subprocess, sys, touchdown\n"
        "touchdown.instrument()\n"
        "with touchdown.task('goal'):\n"
        f"    child = subprocess.Popen([sys.executable, '-c', {CHILD!r}], stdout=sys.stdout)\n"
        "    os.kill(os.getpid(), signal.SIGSTOP)\n"
        "    child.wait()\n"
        "    print('tools', touchdown.current_task().totals.tool_calls)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    try:
        assert parent.stdout is not None
        assert parent.stdout.readline().startswith("task-")  # the child is through
        parent.send_signal(signal.SIGCONT)
        assert parent.stdout.readline() == "tools 1\n"
        assert parent.wait(60) == 0
    finally:
        parent.kill()
        parent.wait()
        if parent.stdout is not None:
            parent.stdout.close()


def test_threads_that_ask_while_others_tell(desk: Desk) -> None:
    def tell() -> None:
        uplink = Uplink(desk.reception.path, [])
        for number in range(200):
            uplink.write(_tool(number))
        uplink.close()

    threads = [threading.Thread(target=tell, daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 60
    while any(thread.is_alive() for thread in threads) and time.monotonic() < deadline:
        desk.records()
    for thread in threads:
        thread.join(60)
    assert len(desk.records()) == 800


def test_what_a_child_says_of_its_parents_task_is_the_parents_to_keep() -> None:
    code = (
        "import touchdown\ntouchdown.instrument()\ntouchdown.current_task().useless('tests fail')\n"
    )
    touchdown.instrument()
    try:
        with touchdown.task("goal") as task:
            subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
            account = task.totals
            assert (account.task.outcome, account.task.outcome_reason) == ("useless", "tests fail")
            assert account.task.name == "goal"
    finally:
        touchdown.uninstrument()
