"""What takes down the records that an accountant folds."""

from collections.abc import Collection
from pathlib import Path
from typing import Protocol

from touchdown.records import Kept


class Keeper(Protocol):
    """What takes down every record: a journal, or the line to the process above."""

    path: Path
    lost: int
    keeps: bool
    """Whether what it takes down outlasts this process."""

    def write(self, record: Kept) -> None:
        """Take down a record of this process."""
        ...

    def pass_on(self, record: Kept, written: Collection[str]) -> None:
        """Take down what a process below told, which wrote it to the journals named itself."""
        ...

    def after_fork(self) -> None:
        """In a forked child."""
        ...

    def close(self) -> None:
        """End."""
        ...
