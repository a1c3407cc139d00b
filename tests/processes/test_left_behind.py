"""The private folders of processes that were killed: a later start removes them, and nothing else."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.exits.cells import REPOSITORY, clean_environment
from touchdown.runtime import private_folder
from touchdown.runtime.private_folder import OWNER, hold, let_go, new_folder, sweep

pytestmark = pytest.mark.skipif(not private_folder.HAS_LOCKS, reason="needs locks of files")

PARENT = """
import multiprocessing, time
import touchdown
touchdown.instrument()

def main():
    with touchdown.task("goal", max_calls=5):
        child = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(120,))
        child.start()
        print(child.pid, flush=True)
        time.sleep(120)

if __name__ == "__main__":
    main()
"""

LATER = """
import subprocess, sys, threading
import touchdown
touchdown.instrument()
with touchdown.task("later"):
    subprocess.run([sys.executable, "-S", "-c", ""], check=True)
watching = [thread for thread in threading.enumerate() if thread.name == "touchdown family"]
touchdown.uninstrument()
for thread in watching:
    thread.join()
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An own place for temporary files, not swept yet."""
    monkeypatch.setattr(private_folder.tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(private_folder, "_swept", False)
    before = set(private_folder._held)
    yield tmp_path
    for folder in set(private_folder._held) - before:
        let_go(Path(folder))


def dead() -> int:
    """The number of a process that was."""
    gone = subprocess.Popen([sys.executable, "-S", "-c", ""])
    gone.wait()
    return gone.pid


def left_behind(place: Path, name: str = "touchdown-abcd1234", owner: str | None = None) -> Path:
    """A folder as a killed process leaves it."""
    folder = place / name
    folder.mkdir(mode=0o700)
    (folder / "some.task").write_text("{}")
    told = f"{dead()} {os.uname().nodename}" if owner is None else owner
    (folder / OWNER).write_text(told)
    return folder


@contextmanager
def running(program: Path, source: str, place: Path) -> Iterator[subprocess.Popen[str]]:
    program.write_text(source)
    environment = {**clean_environment(), "TMPDIR": str(place), "PYTHONPATH": str(REPOSITORY)}
    process = subprocess.Popen(
        [sys.executable, str(program)], env=environment, stdout=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("place", ["t", "t" * 80])
def test_a_killed_parent(place: str | Path, tmp_path: Path) -> None:
    """What it left goes with a later start, once its children have ended; by socket and by files."""
    place = tmp_path / place
    place.mkdir()

    def start_later() -> set[str]:
        with running(tmp_path / "later.py", LATER, place) as later:
            assert later.wait(120) == 0
        return {path.name for path in place.iterdir() if path.name.startswith("touchdown-")}

    with running(tmp_path / "parent.py", PARENT, place) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        folders = {path.name for path in place.iterdir() if path.name.startswith("touchdown-")}
        assert len(folders) == 2  # the socket's and the budgets'
        assert start_later() == folders  # its parent lives
        parent.kill()
        parent.wait()
        still = start_later()
        os.kill(child, signal.SIGKILL)
        while private_folder.is_alive(child):
            os.sched_yield()
    assert still <= folders
    assert start_later() == set()


def test_folders_of_the_dead_go(place: Path) -> None:
    for name in ("touchdown-abcd1234", "touchdown-budgets-abcd_234", "touchdown-run-abcd1234"):
        left_behind(place, name)
    own_number = left_behind(place, "touchdown-00000000", f"{os.getpid()} {os.uname().nodename}")
    sweep()
    assert list(place.iterdir()) == []
    assert not own_number.exists()


@pytest.mark.parametrize(
    "owner",
    ["", "no number", f"{os.getppid()} {os.uname().nodename}", "1 another-machine", "9" * 30],
)
def test_what_is_not_certainly_left_behind_stays(place: Path, owner: str) -> None:
    folder = left_behind(place, owner=owner)
    sweep()
    assert (folder / "some.task").exists()


def test_what_somebody_holds_stays(place: Path) -> None:
    own, used = new_folder(), left_behind(place)
    hold(used)
    (own / OWNER).write_text((used / OWNER).read_text())
    private_folder._held.pop(str(used))  # as if another process held it: the lock stays
    sweep()
    assert own.exists()
    assert used.exists()


def test_what_is_not_ours_to_remove_stays(place: Path) -> None:
    elsewhere = place / "precious"
    left_behind(place, "precious")
    (place / "touchdown-linked12").symlink_to(elsewhere)
    readable = left_behind(place, "touchdown-readable")
    readable.chmod(0o755)
    nested = left_behind(place, "touchdown-nested12")
    (nested / "folder").mkdir()
    bare = place / "touchdown-noowner1"
    bare.mkdir(mode=0o700)
    linked_owner = left_behind(place, "touchdown-ownerlnk")
    (linked_owner / OWNER).rename(place / "told")
    (linked_owner / OWNER).symlink_to(place / "told")
    piped = left_behind(place, "touchdown-pipe1234")
    (piped / OWNER).unlink()
    os.mkfifo(piped / OWNER)
    links = left_behind(place, "touchdown-links123")
    (links / "link").symlink_to(elsewhere / "some.task")
    sweep()
    assert not links.exists()
    assert (elsewhere / "some.task").exists()
    for stays in (readable, nested, bare, linked_owner, piped, place / "touchdown-linked12"):
        assert stays.exists(), stays


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_another_users_stay(place: Path) -> None:
    folder = left_behind(place)
    os.chown(folder, 12345, 12345)
    sweep()
    assert (folder / "some.task").exists()


def test_it_is_done_once_and_raises_nothing(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sweep()
    folder = left_behind(place)
    sweep()
    assert folder.exists()
    monkeypatch.setattr(private_folder, "_swept", False)
    monkeypatch.setattr(private_folder.tempfile, "tempdir", str(place / "nowhere"))
    sweep()
    assert folder.exists()


def test_a_number_that_the_hosts_file_has_by_now_is_not_closed(place: Path) -> None:
    folder = new_folder()
    number = private_folder._held[str(folder)]
    hosts = os.open(place / "file", os.O_RDWR | os.O_CREAT)
    os.dup2(hosts, number)  # a host that closes all that it does not know of, and opens its own
    try:
        let_go(folder)
        assert os.fstat(number)
    finally:
        os.close(hosts)
        os.close(number)
