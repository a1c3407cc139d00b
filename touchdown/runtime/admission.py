"""Admission: what is asked of budgets before a call is sent, and what was reserved for it."""

from collections.abc import Mapping
from typing import Protocol

from msgspec import Struct, field

from touchdown.records import CallVerdict, ModelCall
from touchdown.runtime.budget import Budget
from touchdown.runtime.place import Place
from touchdown.runtime.reading import CallReader


class Admission(Protocol):
    """What was reserved for one call; closed once, by whoever comes first."""

    place: Place

    def settle(self, record: ModelCall | None, verdict: CallVerdict | None) -> None:
        """The call ended like this; without a record all that was reserved counts as spent."""
        ...

    def release(self) -> None:
        """The call was never sent."""
        ...

    def changed(self, asked: "Asked") -> None:
        """Something else goes out than was asked for: reserve for this in its place.

        Errors: as :meth:`Gate.admit`; the call must not be sent, and is settled all the same.
        """
        ...


class Asked(Struct):
    """A call that is about to be sent, as far as budgets must know it. Not frozen: see ``CallStart``."""

    __repr__ = object.__repr__

    reader: CallReader
    vendor: str
    provider: str
    model: str
    host: str
    port: int | None
    body: Mapping[str, object]
    copies: Mapping[str, object] = field(default_factory=dict)
    """What a gate copied of the body, by name: it need not be copied again."""
    compared_as_sent: bool = False
    """Whether these copies are compared with what goes out, and :meth:`Admission.changed` told where it is
    another: a history is then taken for the agent's last one by its ends, and compared once, not twice."""


class Gate(Protocol):
    """Asked before every call for which there is a budget."""

    budgets: tuple[Budget, ...]
    """Those of the process."""

    def admit(self, place: Place, asked: Asked) -> Admission | None:
        """Reserve what the call may take.

        Errors: :class:`BudgetExceeded`, or what the user's own function raises: the call is not sent.
        """
        ...

    def after_fork(self) -> None:
        """In a child: fresh locks."""
        ...

    def add(self, budgets: tuple[Budget, ...]) -> None:
        """Those of the process above hold here, too."""
        ...

    def prepare(self) -> None:
        """A budget exists now: get ready what its first call would wait for."""
        ...
