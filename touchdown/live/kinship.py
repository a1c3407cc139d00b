"""The processes below and above, known once one is started or this one was."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from touchdown.runtime.handing import Family
from touchdown.runtime.loading import loading

if TYPE_CHECKING:
    from touchdown.runtime.carried import Carried
    from touchdown.runtime.handing import Ticket
    from touchdown.runtime.place import Place


class Kinship:
    """Implements ``runtime.handing.Family`` by another, which ``found`` makes for the first process."""

    def __init__(self, found: Callable[[], Family]) -> None:
        self._found = found
        self._family: Family | None = None
        self._is_closed = False

    @property
    def family(self) -> Family:
        """The one that knows the processes."""
        with loading():
            if self._family is None:
                self._family = self._found()
            return self._family

    def ticket(self, carried: "Carried", traceparent: str = "") -> "Ticket | None":
        """For a process that is started here."""
        return None if self._is_closed else self.family.ticket(carried, traceparent)

    def join(self, ticket: "Ticket", *, program: bool) -> None:
        """Go on where the process above handed over."""
        self.family.join(ticket, program=program)

    def place(self, ticket: "Ticket") -> "Place | None":
        """Where a ticket leads."""
        return self.family.place(ticket)

    def catch_up(self) -> None:
        """Take in what the processes below have told."""
        if self._family is not None:
            self._family.catch_up()

    def before_fork(self, inside: bool) -> None:
        """A fork is near; without work of this process in it the child is nobody's."""
        if self._family is not None or (inside and not self._is_closed):
            self.family.before_fork(inside)

    def after_fork(self) -> None:
        """In the child."""
        if self._family is not None:
            self._family.after_fork()

    def close(self) -> None:
        """End."""
        self._is_closed = True
        if self._family is not None:
            self._family.close()
