"""Ways to break a part: what it does instead of its work."""

import asyncio
import threading
from typing import Any, Literal

Kind = Literal["raises", "nonsense", "nothing", "exits", "interrupts", "cancels", "leaves", "hangs"]

OWN: tuple[Kind, ...] = ("raises", "nothing")
"""What a function of ours may do whose answer the type checker has seen."""

KINDS: tuple[Kind, ...] = ("raises", "nonsense", "nothing")
"""What a part may do that others may write, or that reads what others wrote."""

BESIDE: tuple[Kind, ...] = (*KINDS, "cancels", "leaves")
"""What the host's own code may do that runs in the thread of the call."""

BEHIND: tuple[Kind, ...] = (*BESIDE, "exits", "interrupts", "hangs")
"""What a part may do that runs in a thread of ours, the host's own code above all."""

HANG_S = 60.0


class OnPurposeError(RuntimeError):
    """What is raised on purpose."""


RAISED: dict[Kind, type[BaseException]] = {
    "raises": OnPurposeError,
    "exits": SystemExit,
    "interrupts": KeyboardInterrupt,
    "cancels": asyncio.CancelledError,
    "leaves": GeneratorExit,
}


class Fault:
    """Stands in a part's place; counts how often it was met."""

    def __init__(self, kind: Kind) -> None:
        self.kind: Kind = kind
        self.met = 0
        self._met = threading.Event()
        self._let_go = threading.Event()

    def __call__(self, *_args: object, **_kwargs: object) -> Any:
        self.met += 1
        self._met.set()
        if self.kind in RAISED:
            raise RAISED[self.kind]
        if self.kind == "hangs":
            self._let_go.wait(HANG_S)
        return object() if self.kind == "nonsense" else None

    def wait_until_met(self) -> None:
        """For what happens a moment later, if at all."""
        self._met.wait(0.1)

    def end(self) -> None:
        """Let what hangs go on."""
        self._let_go.set()
