"""The registry: a source that was added only in part is told."""

import importlib
import re
from pathlib import Path

import pytest

from touchdown.sessions.discovery import standard_places
from touchdown.sessions.history import History
from touchdown.sessions.readers import READERS, recognise
from touchdown.sessions.segments import said
from touchdown.sessions.source import Head, Reader

REPOSITORY = Path(__file__).parents[2]
ROWS = re.findall(r"^\| `([^`]+)` \|", (REPOSITORY / "docs/new-source.md").read_text(), re.M)


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
def test_a_reader_has_its_file_its_test_and_its_row(reader: Reader) -> None:
    name = reader.name.replace("-", "_")
    importlib.import_module(f"touchdown.sessions.{name}")
    assert type(reader).__module__.startswith(f"touchdown.sessions.{name}")
    assert (REPOSITORY / f"tests/sessions/test_{name}.py").exists()
    assert reader.name in ROWS
    assert reader.title


def test_every_row_has_its_reader() -> None:
    assert [reader.name for reader in READERS] == ROWS


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00" * 100,
        b"{",
        b"[1, 2]\n" * 10,
        b'{"type": 3}\n',
        b"\xff\xfe{\x00}\x00",
        b"[" * 60000,
    ],
)
def test_nothing_that_is_no_session_is_recognised(data: bytes) -> None:
    assert recognise(Head("x", data, len(data))) is None


def test_the_standard_places_are_those_that_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    wanted = (".claude/projects", ".codex/sessions", ".codex/archived_sessions", ".gemini/tmp")
    assert standard_places({}) == []
    for name in wanted:
        (tmp_path / name).mkdir(parents=True)
    assert standard_places({}) == [tmp_path / name for name in wanted]
    moved = tmp_path / "elsewhere"
    (moved / "sessions").mkdir(parents=True)
    assert moved / "sessions" in standard_places({"CODEX_HOME": str(moved)})


def test_a_history_that_becomes_another_keeps_what_they_share() -> None:
    history = History()
    one, two, three = (said("user", words) for words in ("one", "two", "three"))
    history.become([one, two])
    assert history.shape("a").new == (one, two)
    history.become([one, three, two])
    shape = history.shape("b")
    assert (shape.shared, shape.new, shape.chars) == (1, (three, two), 11)
