"""Arming: a patch is applied when its host is imported, never before, and can be taken back."""

import importlib
import importlib.metadata
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType
from typing import Protocol, TypeVar

import wrapt
from packaging.requirements import InvalidRequirement, Requirement

from touchdown.runtime.guard import failed, warn_once

S = TypeVar("S", contravariant=True)
Undo = Callable[[], None]


class Patcher(Protocol[S]):
    """What is armed; :class:`touchdown.integration.Integration`."""

    name: str
    supports: str

    def patch(self, module: ModuleType, seam: S) -> Undo: ...


@dataclass(slots=True)
class Armed:
    """What became of one integration: shown by ``touchdown doctor``."""

    name: str
    state: str = "waiting for its host to be imported"
    version: str = ""
    undo: Undo | None = None


@dataclass(slots=True)
class Arms:
    """The integrations of one ``instrument()``, by the host's import name."""

    seam: object
    entries: dict[str, Armed] = field(default_factory=dict)
    _off: bool = False
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def arm(self, host: str, load: Callable[[], Patcher[object]]) -> None:
        """Patch `host` when it is imported, or now when it is already. An import never fails by us."""
        self.entries[host] = Armed(host)

        def imported(module: ModuleType) -> None:
            with self._lock:
                if not self._off and self.entries[host].undo is None:
                    self._patch(host, module, load)

        wrapt.register_post_import_hook(imported, host)

    def _patch(self, host: str, module: ModuleType, load: Callable[[], Patcher[object]]) -> None:
        entry = self.entries[host]
        try:
            patcher = load()
            entry.version, problem = check_version(patcher.supports)
            if problem:
                entry.state = f"not patched: {problem}"
                warn_once(f"arm:{host}", "touchdown: %s is not captured: %s", host, problem)
                return
            entry.undo = patcher.patch(module, self.seam)
            entry.state = "patched"
        except Exception as error:
            entry.state = f"not patched: {type(error).__name__}: {error}"
            failed(f"patch {host}")

    def disarm(self) -> None:
        """Take every patch back; hooks that wait do nothing any more."""
        with self._lock:
            self._off = True
            for entry in reversed(list(self.entries.values())):
                undo, entry.undo = entry.undo, None
                if undo is not None:
                    try:
                        undo()
                        entry.state = "taken back"
                    except Exception:
                        failed(f"unpatch {entry.name}")


def load_object(path: str) -> object:
    """The object behind ``module:name``."""
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


def check_version(supports: str) -> tuple[str, str]:
    """The installed version of what ``supports`` names, and what is wrong with it (empty: nothing)."""
    try:
        wanted = Requirement(supports)
    except InvalidRequirement:
        return "", f"bad version range {supports!r}"
    try:
        version = importlib.metadata.version(wanted.name)
    except importlib.metadata.PackageNotFoundError:
        return "", ""
    if wanted.specifier.contains(version, prereleases=True):
        return version, ""
    return version, f"version {version} is outside the supported range {wanted.specifier}"
