"""The receiver inside this process, as the runtime knows it: ``instrument(collect=True)``."""

from typing import Protocol

DEFAULT_PORT = 4318
"""OTLP's own over HTTP."""

MOST_PORT = 65_535


def port_of(asked: object) -> int | None:
    """The port to collect at; ``None`` for not at all. ``True`` is OTLP's own port, 0 any that is free.

    Errors: ``ValueError`` for anything else.
    """
    if asked is None or asked is False:
        return None
    if asked is True:
        return DEFAULT_PORT
    if isinstance(asked, int) and 0 <= asked <= MOST_PORT:
        return asked
    raise ValueError(f"collect is True, False or a port, not {asked!r}")


class Collecting(Protocol):
    """Takes in what engines export, and tells the runtime of it."""

    @property
    def endpoint(self) -> str:
        """Where engines export to; empty when it could not begin."""
        ...

    @property
    def problem(self) -> str:
        """Why it could not begin; empty when it did."""
        ...

    def drain(self) -> None:
        """Tell of all that has come so far."""
        ...

    def close(self, timeout_s: float) -> list[str]:
        """Stop listening; what was lost, in a few words each."""
        ...

    def after_fork(self) -> None:
        """In a forked child: the parent goes on listening, this process does not."""
        ...
