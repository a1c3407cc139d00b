"""Counters that processes share: slots in a file that is mapped into memory, and a lock file beside it."""

import atexit
import contextlib
import mmap
import os
import shutil
from pathlib import Path
from typing import Any

from msgspec import Struct

from touchdown.runtime.private_folder import hold, let_go, new_folder

SLOT_BYTES = 64
"""Room for eight counters of 8 bytes: one budget that children count in. No slot is used twice."""

_NEXT = 0


class SharedBudget(Struct, frozen=True):
    """A budget as another process is told of it. A function for ``on_budget`` stays with its process."""

    name: str
    usd: str | None
    tokens: int | None
    seconds: float | None
    calls: int | None
    repeats: int | None
    on_budget: str
    unpriced: str
    began_s: float
    """Seconds of the steady clock, which all processes of one boot share."""
    folder: str
    slot: int


class SharedCells:
    """The counters in one folder. Made by one process, opened by others; call it under the lock."""

    def __init__(self, folder: str = "") -> None:
        self.folder = folder or _new_folder()
        hold(Path(self.folder))
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0)
        self.lock = os.open(Path(self.folder) / "lock", flags, 0o600)
        # Another file: closing a mapped one would let go of its locks.
        self._cells = os.open(Path(self.folder) / "cells", flags, 0o600)
        self._pages: dict[int, Any] = {}

    def new(self) -> int:
        """The number of a slot that nobody uses."""
        first = self.at(0)
        first[_NEXT] += 1
        return int(first[_NEXT])

    def at(self, slot: int) -> Any:
        """The counters of a slot, in memory that all processes see."""
        page, within = divmod(slot * SLOT_BYTES, mmap.ALLOCATIONGRANULARITY)
        if page not in self._pages:
            end = (page + 1) * mmap.ALLOCATIONGRANULARITY
            if os.fstat(self._cells).st_size < end:
                os.ftruncate(self._cells, end)
            mapped: Any = mmap.mmap(
                self._cells, mmap.ALLOCATIONGRANULARITY, offset=page * mmap.ALLOCATIONGRANULARITY
            )
            self._pages[page] = memoryview(mapped).cast("q")
        start = within // 8
        return self._pages[page][start : start + SLOT_BYTES // 8]


def _new_folder() -> str:
    folder, process = new_folder("budgets-"), os.getpid()

    def remove() -> None:
        if os.getpid() == process:
            let_go(folder)
            with contextlib.suppress(OSError):
                shutil.rmtree(folder)

    atexit.register(remove)
    return str(folder)
