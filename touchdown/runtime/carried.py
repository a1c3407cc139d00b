"""What goes along when work is handed to another thread: where the caller stands, nothing of the host's."""

import threading
from contextvars import Context, ContextVar, Token
from types import TracebackType

from msgspec import Struct

from touchdown.runtime.place import Place, reset_place, set_place

_trace: ContextVar[str] = ContextVar("touchdown_trace", default="")
carried_trace = _trace.get
"""The local trace of who started this thread; an empty string where there was none."""


class Carried(Struct, frozen=True):
    """A place, or the local trace of a caller that stands in no task."""

    place: Place | None = None
    trace_id: str = ""

    @property
    def is_nothing(self) -> bool:
        """Whether there is anything to take along."""
        return self.place is None and not self.trace_id

    def put(self) -> "Standing":
        """Stand there from here on."""
        return Standing(set_place(self.place), _trace.set(self.trace_id))

    def inside(self) -> "Elsewhere":
        """A context manager: stand there inside it."""
        return Elsewhere(self)


class Standing(Struct, frozen=True):
    """What stood before, to be put back."""

    place: Token[Place | None]
    trace: Token[str]

    def put_back(self) -> None:
        """Stand where we stood before."""
        reset_place(self.place)
        _trace.reset(self.trace)


class Elsewhere:
    """Stands somewhere else as long as it is entered. Entered once."""

    __slots__ = ("_carried", "_standing")

    def __init__(self, carried: Carried) -> None:
        self._carried = carried

    def __enter__(self) -> None:
        self._standing = self._carried.put()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self._standing.put_back()


NOTHING = Carried()


def start_apart(thread: threading.Thread) -> None:
    """Start a thread of our own, which serves all tasks: it takes nothing along, of us or of the host."""
    Context().run(thread.start)
