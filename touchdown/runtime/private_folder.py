"""Folders for temporary files that are ours alone, each held by a lock for as long as a process uses it.

A process that is killed cannot remove its own; a later one does (:func:`sweep`).
"""

import contextlib
import os
import re
import stat
import tempfile
from itertools import islice
from pathlib import Path

from touchdown.runtime.guard import guarded

HAS_LOCKS = os.name == "posix"
"""Elsewhere nothing is swept."""
if HAS_LOCKS:
    from fcntl import LOCK_EX, LOCK_NB, LOCK_SH, flock

OWNER = "owner"
"""The file that all who use the folder lock together; it names the process that made it."""

MOST_ENTRIES = 20_000
"""Of the place for temporary files that are looked at; what is left behind further down stays."""

_NAME = re.compile(r"touchdown-(?:budgets-|run-)?[0-9a-z_]{8}")
_KEPT_OPEN = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)
_held: dict[str, int] = {}
_swept = False


def new_folder(kind: str = "") -> Path:
    """Make a folder, and hold it until this process ends.

    Errors: ``OSError`` where none can be made.
    """
    folder = Path(tempfile.mkdtemp(prefix=f"touchdown-{kind}"))
    owner = _lock(folder, os.O_CREAT | os.O_EXCL)
    if owner is not None:
        with contextlib.suppress(OSError):
            os.write(owner, f"{os.getpid()} {_machine()}".encode())
    return folder


def hold(folder: Path) -> None:
    """Use a folder that another process made: while this one lives, nobody removes it as left behind."""
    _lock(folder, 0)


def _lock(folder: Path, how: int) -> int | None:
    if not HAS_LOCKS or str(folder) in _held:
        return None
    try:
        owner = os.open(folder / OWNER, os.O_RDWR | _KEPT_OPEN | how, 0o600)
    except OSError:
        return None
    with contextlib.suppress(OSError):
        flock(owner, LOCK_SH | LOCK_NB)
    _held[str(folder)] = owner
    return owner


def let_go(folder: Path) -> None:
    """It is removed, or used no more."""
    owner = _held.pop(str(folder), None)
    # The host may have closed all that it did not know of, and its own file have the number now.
    with contextlib.suppress(OSError):
        if owner is not None and os.path.samestat(os.fstat(owner), os.stat(folder / OWNER)):
            os.close(owner)


@guarded("private_folder.sweep")
def sweep() -> None:
    """Remove the folders of processes that were killed; does so once per process.

    Only those of our user that nobody holds and whose maker, on this machine, is dead. No link is followed.
    """
    global _swept
    if _swept or not HAS_LOCKS:
        return
    _swept = True
    with os.scandir(tempfile.gettempdir()) as entries:
        found = [one.path for one in islice(entries, MOST_ENTRIES) if _NAME.fullmatch(one.name)]
    for path in found:
        with contextlib.suppress(OSError):
            if path not in _held:
                _sweep(path)


def _sweep(path: str) -> None:
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | _KEPT_OPEN)
    try:
        about = os.fstat(folder)
        if about.st_uid == os.geteuid() and stat.S_IMODE(about.st_mode) == 0o700:
            _empty(folder)
            os.rmdir(path)
    finally:
        os.close(folder)


def _empty(folder: int) -> None:
    """Remove what lies in it.

    Errors: ``OSError`` where it is in use, or not all of it is ours to remove.
    """
    owner = os.open(OWNER, os.O_RDWR | os.O_NONBLOCK | _KEPT_OPEN, dir_fd=folder)
    try:
        flock(owner, LOCK_EX | LOCK_NB)
        if not _is_left(os.read(owner, 300)):
            raise BlockingIOError
        for name in os.listdir(folder):
            if name != OWNER:
                os.unlink(name, dir_fd=folder)
        os.unlink(OWNER, dir_fd=folder)  # last: who is cut off here leaves the rest for the next
    finally:
        os.close(owner)


def _is_left(owner: bytes) -> bool:
    """Whether the process that made it is dead; a number that is our own by now was another's."""
    pid, _, machine = owner.decode(errors="replace").partition(" ")
    if not pid.isdecimal() or machine != _machine():
        return False
    return int(pid) == os.getpid() or not is_alive(int(pid))


def is_alive(pid: int) -> bool:
    """Whether a process has this number now."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        pass
    return True


def _machine() -> str:
    return os.uname().nodename
