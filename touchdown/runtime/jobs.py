"""Jobs of pools of processes: each says where it was handed over, for the workers serve all."""

from collections.abc import Callable
from typing import Any

from touchdown.runtime import core, handing
from touchdown.runtime.carried import NOTHING, Carried
from touchdown.runtime.guard import guarded
from touchdown.runtime.handing import Ticket

TELL_S = 5.0
"""How long a result may wait for what its job has to tell."""


class Job:
    """A function of the host's that runs where it was handed over: in this process, or in a worker."""

    __slots__ = ("_call", "_where")

    def __init__(self, call: Callable[..., Any], where: Carried | Ticket | None) -> None:
        self._call, self._where = call, where

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            with (_carried(self._where) or NOTHING).inside():
                return self._call(*args, **kwargs)
        finally:
            if isinstance(self._where, Ticket):
                _tell()

    def __reduce__(self) -> tuple[Any, ...]:
        return Job, (self._call, _pickled(self._where))

    def __repr__(self) -> str:
        return repr(self._call)


@guarded("jobs.carried")
def _carried(where: Carried | Ticket | None) -> Carried:
    if isinstance(where, Ticket):
        runtime = core.active()
        family = None if runtime is None else runtime.family
        return NOTHING if family is None else Carried(family.place(where))
    return where or NOTHING


@guarded("jobs.tell")
def _tell() -> None:
    """Before the process above has the result, and may end this one."""
    runtime = core.active()
    if runtime is not None:
        runtime.delivery.drain(TELL_S)


@guarded("jobs.ticket")
def _pickled(where: Carried | Ticket | None) -> object:
    """In whatever thread feeds the workers."""
    runtime = core.active()
    if not isinstance(where, Carried) or runtime is None or runtime.family is None:
        return where if isinstance(where, Ticket) else None
    ticket = runtime.family.ticket(where)
    if ticket is None or handing.entry_of is None:
        return None
    return handing.entry_of(ticket)
