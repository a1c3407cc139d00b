"""Memory: a long line and many files are read without being held."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sessions import claude_lines as claude
from tests.sessions.test_pool import conversation

MIB = 2**20
pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc")

PEAKS = """
import sys
from pathlib import Path
from touchdown.sessions.discovery import find_sources
from touchdown.sessions.gathering import Gathered
from touchdown.sessions.pool import analyse_all
from touchdown.sessions.question import Question
from touchdown.sessions.source import Problems
for folder in sys.argv[1:]:
    question = Question()
    gathered = Gathered(question)
    for answered in analyse_all(find_sources([folder], Problems()), question, 1):
        gathered.take(answered)
    status = Path("/proc/self/status").read_text()
    peak_kib = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
    print(gathered.sessions, int(peak_kib) * 1024)
"""


def peaks(*folders: Path) -> list[tuple[int, int]]:
    """Sessions read, and the peak of a fresh process after each folder in turn, in bytes."""
    command = [sys.executable, "-c", PEAKS, *map(str, folders)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    pairs = (line.split() for line in ran.stdout.splitlines())
    return [(int(sessions), int(peak)) for sessions, peak in pairs]


def test_a_line_of_half_a_gibibyte_is_never_held(tmp_path: Path) -> None:
    path = claude.write(tmp_path / "a.jsonl", *conversation("a", 0, "m1", "m2"))
    with path.open("r+b") as file:
        file.seek(0, 2)
        file.write(b'{"x":"')
        file.seek(512 * MIB, 1)
        file.write(b'"}\n')
    assert path.stat().st_size > 512 * MIB
    ((sessions, peak),) = peaks(tmp_path)
    assert sessions == 1
    assert peak < 250 * MIB


def write_sessions(folder: Path, count: int, size: int) -> int:
    """Sessions of so many bytes each; all their bytes."""
    for number in range(count):
        name = f"{folder.name}-{number}"
        lines = conversation(name, 60.0 * number, f"m1-{name}", f"m2-{name}")
        padding = {"type": "attachment", "sessionId": name, "attachment": {"x": "y" * size}}
        path = claude.write(folder / f"{name}.jsonl", *lines)
        path.write_text(path.read_text() + json.dumps(padding) + "\n")
    return sum(path.stat().st_size for path in folder.iterdir())


def test_many_files_take_no_more_than_few(tmp_path: Path) -> None:
    write_sessions(tmp_path / "few", 20, 400_000)
    read = write_sessions(tmp_path / "many", 200, 400_000)
    (few, before), (many, after) = peaks(tmp_path / "few", tmp_path / "many")
    assert (few, many) == (20, 200)
    assert read > 75 * MIB
    assert after - before < 16 * MIB
