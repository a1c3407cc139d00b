"""Being inside: while a call, step or task runs, its spans are current and its place is where we stand."""

from contextlib import AbstractContextManager, suppress
from contextvars import Token
from typing import Literal

from touchdown.runtime.guard import failed
from touchdown.runtime.place import Place, reset_place, set_place
from touchdown.runtime.sinks import Opened


class Inside:
    """A context manager, entered once. A broken handle is passed over; nothing raises."""

    __slots__ = ("_entered", "_opened", "_place", "_token")

    def __init__(self, opened: list[Opened], place: Place | None = None) -> None:
        self._opened, self._place = opened, place
        self._entered: list[AbstractContextManager[object]] = []
        self._token: Token[Place | None] | None = None

    def __enter__(self) -> "Inside":
        for handle in self._opened:
            try:
                current = handle.activate()
                current.__enter__()
                self._entered.append(current)
            except Exception:
                failed("sink.activate")
        if self._place is not None:
            self._token = set_place(self._place)
        return self

    def __exit__(self, *_error: object) -> Literal[False]:
        try:
            while self._entered:
                try:
                    self._entered.pop().__exit__(None, None, None)
                except Exception:
                    failed("sink.activate")
        finally:
            if self._token is not None:
                # A coroutine or generator may be closed in another context than it ran in.
                with suppress(ValueError, RuntimeError):
                    reset_place(self._token)
        return False
