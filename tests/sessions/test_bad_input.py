"""Bad input: one clear line each, the rest is read, and nothing ever raises."""

import json
import os
import random
import re
from pathlib import Path

import pytest

from tests.sessions import claude_lines as claude
from tests.sessions import test_atif as atif
from tests.sessions import test_codex as codex
from tests.sessions import test_gemini as gemini
from tests.sessions import test_mini_swe_agent as mini
from tests.sessions import test_swe_agent as swe_agent
from tests.sessions.claude_lines import answer, prompt, usage
from tests.sessions.reading import read_all
from tests.sessions.test_pool import gather
from tests.shared_data import shared_data
from touchdown.sessions import lines
from touchdown.sessions.discovery import find_sources
from touchdown.sessions.source import Problems

GOOD = [
    prompt("u1", None, 0, "go"),
    answer("a1", "u1", 2, "msg_1", usage(1000, 0, 0, 10), stop="end_turn"),
]


def problems_of(*paths: Path) -> list[str]:
    problems = Problems()
    find_sources([str(path) for path in paths], problems)
    return [str(problem) for problem in problems]


def test_a_file_of_another_kind_is_one_line(tmp_path: Path) -> None:
    for name, data in {
        "picture.png": b"\x89PNG\r\n\x1a\n" + bytes(range(256)),
        "package.json": b'{"name": "x"}\n',
        "empty": b"",
    }.items():
        (tmp_path / name).write_bytes(data)
    told = problems_of(*(tmp_path / name for name in ("picture.png", "package.json", "empty")))
    assert [line.removeprefix(f"{tmp_path}/").split(";")[0] for line in told] == [
        "picture.png: is no session that touchdown can read",
        "package.json: is no session that touchdown can read",
        "empty: is empty",
    ]
    assert problems_of(tmp_path) == [
        f"{tmp_path}: 1 JSON file in it is no session that can be read: package.json"
    ]


def test_text_in_utf_16_is_named(tmp_path: Path) -> None:
    path = claude.write(tmp_path / "a", *GOOD)
    path.write_bytes(path.read_text().encode("utf-16"))
    assert problems_of(path) == [f"{path}: is text in UTF-16, not UTF-8; convert it with iconv"]


def test_what_is_not_there_or_no_file_is_named(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert problems_of(tmp_path / "nothing", tmp_path / "pipe", tmp_path / "*.jsonl") == [
        f"{tmp_path}/nothing: there is no such file or folder",
        f"{tmp_path}/pipe: is no file",
        f"{tmp_path}/*.jsonl: nothing matches",
    ]


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="this user may read anything")
def test_a_folder_without_permission_is_one_line(tmp_path: Path) -> None:
    claude.write(tmp_path / "open" / "a.jsonl", *GOOD)
    closed = tmp_path / "closed"
    closed.mkdir(mode=0)
    try:
        found, told = read_all(tmp_path)
    finally:
        closed.chmod(0o700)
    assert len(found) == 1
    assert told == [f"{closed}: cannot be read (Permission denied); check its permissions"]


def test_a_refused_folder_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same for a user who may read anything: the system call itself refuses."""
    claude.write(tmp_path / "a.jsonl", *GOOD)
    real = os.scandir

    def refuse(path: str) -> object:
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    (tmp_path / "closed").mkdir()
    monkeypatch.setattr(os, "scandir", refuse)
    found, told = read_all(tmp_path)
    assert len(found) == 1
    assert told == [f"{tmp_path}/closed: cannot be read (Permission denied); check its permissions"]


def test_a_line_that_is_too_long_is_left_out_and_never_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = claude.write(tmp_path / "a", *GOOD)
    with path.open("ab") as file:
        file.write(b'{"type":"user","sessionId":"x","message":{"content":"' + b"x" * 5_000_000)
        file.write(b'"}}\n')
    claude.write(tmp_path / "b", answer("a2", "a1", 9, "msg_2", usage(5, 0, 0, 1), stop="end_turn"))
    with path.open("ab") as file:
        file.write((tmp_path / "b").read_bytes())
    longest = 0

    def read(path: str, problems: Problems) -> list[tuple[int, bytes]]:
        nonlocal longest
        found = list(lines.read_lines(path, problems, 2**20))
        longest = max(len(line) for _, line in found)
        return found

    monkeypatch.setattr("touchdown.sessions.claude_code.projects.read_lines", read)
    (session,), told = read_all(path)
    assert [call.id for call in session.calls] == ["msg_1", "msg_2"]
    assert told == [f"{path}:3: a line of more than 1 MiB; it is left out"]
    assert longest < 2**20


def test_a_session_without_usage_is_told(tmp_path: Path) -> None:
    path = claude.write(tmp_path / "a", GOOD[0])
    (session,), told = read_all(path)
    assert session.calls == []
    assert told == [f"{path}: a session with no model call that carries usage"]


def test_many_bad_lines_are_counted(tmp_path: Path) -> None:
    path = claude.write(tmp_path / "a", *GOOD)
    path.write_bytes(path.read_bytes() + b"{broken\n" * 50)
    _, told = read_all(path)
    assert len(told) == 4
    assert told[-1] == f"{path}: and 47 more lines with problems"


def test_lines_out_of_order_count_the_same(tmp_path: Path) -> None:
    lines_ = [
        *GOOD,
        prompt("u2", "a1", 10, "more"),
        answer("a2", "u2", 12, "msg_2", usage(1200, 0, 0, 20), stop="end_turn"),
    ]
    straight = read_all(claude.write(tmp_path / "a", *lines_))[0][0].account().usage
    (session,), told = read_all(claude.write(tmp_path / "b", *reversed(lines_)))
    assert session.account().usage == straight
    assert told == []


def damaged(data: bytes, dice: random.Random) -> bytes:
    """A copy with one kind of damage: cut, shuffled, doubled, bytes changed, or all of it."""
    kind = dice.randrange(5)
    parts = data.split(b"\n")
    if kind in (0, 4):
        dice.shuffle(parts)
    if kind in (1, 4):
        parts += dice.choices(parts, k=len(parts) // 2)
    data = b"\n".join(parts)
    if kind in (2, 4):
        changed = bytearray(data)
        for _ in range(dice.randrange(1, 200)):
            changed[dice.randrange(len(changed))] = dice.randrange(256)
        data = bytes(changed)
    if kind in (3, 4):
        data = data[: dice.randrange(len(data))]
    return data


def changed_value(data: bytes, dice: random.Random) -> bytes:
    """A copy in which a field holds a value of another type; the old one has another name."""
    places = [found.end() for found in re.finditer(rb'":\s?', data)]
    if not places:
        return data
    at = dice.choice(places)
    value = dice.choice([b"null,", b"[1],", b"-7,", b'{"a": 1},', b'"x",', b"1e400,", b"true,"])
    return data[:at] + value + b'"old":' + data[at:]


def one_of_each(folder: Path) -> list[Path]:
    """A small file of every kind whose real ones are not at hand."""
    folder.mkdir()
    files = {
        "gemini.json": {**gemini.HEADER, "messages": gemini.MESSAGES},
        "atif.json": atif.trajectory(*atif.STEPS),
        "swe.traj": swe_agent.document(),
        "mini.traj.json": mini.document(mini.MESSAGES),
    }
    for name, document in files.items():
        (folder / name).write_text(json.dumps(document, indent=1))
    made = [folder / name for name in files]
    made.append(gemini.write(folder / "gemini.jsonl", gemini.HEADER, *gemini.MESSAGES))
    made.append(codex.codex.write(folder / "codex.jsonl", codex.opening()))
    return made


def test_no_damage_to_any_file_raises(tmp_path: Path) -> None:
    """400 damaged copies, 200 of the real files; a traceback would be a problem that says so."""
    real = sorted(shared_data("transcripts").glob("*.jsonl"))
    assert real
    made = one_of_each(tmp_path / "made")
    dice = random.Random(20261124)
    read = 0
    for number in range(400):
        path = tmp_path / f"{number:03}.jsonl"
        source = real[number % len(real)] if number < 200 else made[number % len(made)]
        data = source.read_bytes()
        # Of a document every other copy stays JSON, with a value of another type in it.
        whole = number >= 200 and dice.randrange(2) == 0
        path.write_bytes(changed_value(data, dice) if whole else damaged(data, dice))
        gathered = gather(path)
        told = [str(problem) for problem in gathered.problems]
        assert [line for line in told if "cannot be analysed" in line] == []
        assert gathered.sessions or told
        read += gathered.sessions
        for account in gathered.accounts:
            money = account.money
            parts = [money.work_usd, money.unexplained_usd, *money.taxes.values()]
            assert sum(parts) == money.total_usd
    assert read > 150
