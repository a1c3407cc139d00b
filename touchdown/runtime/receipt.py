"""What a bill can be looked at as; reports, which lie above, make it."""

from typing import TYPE_CHECKING, Any, Protocol

from touchdown.records import TaskRecord

if TYPE_CHECKING:
    from touchdown.accounting.account import TaskAccount


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


def unaccounted(task: TaskRecord) -> "TaskAccount":
    """The account of a task that nobody observes."""
    from touchdown.accounting.account import TaskAccount

    return TaskAccount(task=task, not_observable={"*": "touchdown is not instrumented"})
