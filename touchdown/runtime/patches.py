"""Patches of the standard library: wrappers, put in place, switched off, and taken back by identity."""

import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any

import wrapt

from touchdown.runtime.guard import guarded

Undo = Callable[[], None]

Hook = Callable[[Callable[..., Any], Any, tuple[Any, ...], dict[str, Any]], Any]
"""What is called in the place of a method: with the method, its object, its arguments."""


class Patches:
    """Some attributes of classes, each wrapped once, until ``take_back``."""

    def __init__(self) -> None:
        self._on = True
        self._done: list[tuple[Any, str, Any, bool]] = []

    def wrap(self, owner: Any, name: str, hook: Hook, *, inherited: bool = False) -> bool:
        """Wrap an attribute that the owner itself has, or inherits; false where this Python has none."""
        found = getattr(owner, name, None) if inherited else vars(owner).get(name)
        if found is None:
            return False
        inherited = name not in vars(owner)
        ours: Any = wrapt.FunctionWrapper(found, hook, enabled=self._is_on)
        setattr(owner, name, ours)
        self._done.append((owner, name, ours, inherited))
        return True

    def when_imported(self, name: str, install: "Callable[[Patches, ModuleType], None]") -> None:
        """Call ``install`` with the module when it is imported, or now when it is already."""

        @guarded(f"patch {name}")
        def imported(module: ModuleType) -> None:
            if self._on:
                install(self, module)

        wrapt.register_post_import_hook(imported, name)

    def take_back(self) -> None:
        """Give every attribute back; one that somebody wrapped again only passes on from here."""
        self._on = False
        for owner, name, ours, inherited in reversed(self._done):
            if vars(owner).get(name) is not ours:
                continue
            if inherited:
                delattr(owner, name)
            else:
                setattr(owner, name, ours.__wrapped__)
        self._done.clear()

    def _is_on(self) -> bool:
        return self._on


class Held:
    """Something that is patched as long as anyone holds it: ``instrument()``, tests that capture."""

    def __init__(self, install: Callable[[], Undo]) -> None:
        self._install = install
        self._undo: Undo | None = None
        self._holders = 0
        self._lock = threading.RLock()

    def hold(self) -> None:
        """Install it, for the first one who wants it."""
        with self._lock:
            self._holders += 1
            if self._undo is None:
                self._undo = self._install()

    def let_go(self) -> None:
        """The last one to go takes it back."""
        with self._lock:
            self._holders -= 1
            if not self._holders and self._undo is not None:
                undo, self._undo = self._undo, None
                undo()
