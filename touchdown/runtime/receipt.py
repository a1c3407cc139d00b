"""What a bill can be looked at as; reports, which lie above, make it."""

from typing import Any, Protocol


class Receipt(Protocol):
    """A bill to look at: printable, and the same as data."""

    def __str__(self) -> str:
        """Plain text of 80 columns."""
        ...

    def report(self) -> Any:
        """The envelope ``touchdown.report/1``."""
        ...

    def __rich__(self) -> Any:
        """What rich shows on a terminal."""
        ...
