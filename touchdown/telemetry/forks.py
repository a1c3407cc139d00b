"""What must be made anew in a forked child: locks that another thread may have held."""

import os
import weakref
from collections.abc import Callable


def in_forked_children(renew: Callable[[], None]) -> None:
    """Call a bound method in each forked child, for as long as its object lives."""
    if not hasattr(os, "register_at_fork"):
        return
    weak = weakref.WeakMethod(renew)

    def call() -> None:
        alive = weak()
        if alive is not None:
            alive()

    os.register_at_fork(after_in_child=call)
