"""What every Python below ``touchdown run`` starts with; ``site`` imports it before the program.

It costs next to nothing until the program imports something to capture. Only the standard library is
used, nothing here may stop the program, and the host's own ``sitecustomize`` runs behind it.
"""

from __future__ import annotations

import os
import sys
from importlib.machinery import ModuleSpec, PathFinder

TYPE_CHECKING = False
if TYPE_CHECKING:  # typing itself would take longer to import than all the rest
    from collections.abc import Sequence
    from types import ModuleType

_HERE = os.path.dirname(os.path.abspath(__file__))


class _Watch:
    """A finder that finds nothing by itself: it sees that a watched module is about to be imported."""

    def __init__(self, folder: str, names: set[str]) -> None:
        self._folder, self._names = folder, names

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Instrument this process, once, before the first watched module is loaded."""
        if name not in self._names or self not in sys.meta_path:
            return None
        sys.meta_path.remove(self)
        self._arm()
        # The search is on its way already, and would pass over the finder that arming put in front.
        for finder in list(sys.meta_path):
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                return spec
        return None

    def _arm(self) -> None:
        try:
            from touchdown.api import join_run
        except Exception as error:
            _note(self._folder, "failed", f"touchdown cannot be imported ({error})")
            return
        try:
            _note(self._folder, "armed" if join_run() else "off")
        except Exception as error:
            _note(self._folder, "failed", f"{type(error).__name__}: {error}")


def _note(folder: str, state: str, reason: str = "") -> None:
    """One whole line for the outermost process; the folder may be gone, or another user's."""
    line = "\t".join([state, sys.executable or "python", " ".join(reason.split())]) + "\n"
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        descriptor = os.open(os.path.join(folder, "notes"), flags, 0o600)
        try:
            os.write(descriptor, line.encode("utf-8", "replace"))
        finally:
            os.close(descriptor)
    except OSError:
        return


def _watch() -> None:
    folder = os.environ.get("TOUCHDOWN_RUN", "")
    try:
        with open(os.path.join(folder, "watched"), encoding="utf-8") as names:
            watched = set(names.read().split())
    except (OSError, ValueError):
        return  # The run is over: this process, or the one that started it, has outlived it.
    _note(folder, "entered")
    sys.meta_path.insert(0, _Watch(folder, watched))


def _run_the_hosts() -> None:
    """Load the ``sitecustomize`` that would have been found without us, under that name."""
    sys.path[:] = [path for path in sys.path if os.path.abspath(path) != _HERE]
    spec = PathFinder.find_spec("sitecustomize", sys.path)
    if spec is None or spec.loader is None:
        return
    import importlib.util

    module = importlib.util.module_from_spec(spec)
    sys.modules["sitecustomize"] = module
    spec.loader.exec_module(module)  # What it raises is its own, and ``site`` reports it.


_watch()
_run_the_hosts()
