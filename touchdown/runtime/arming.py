"""Arming: a patch is applied when its host is imported, never before, and can be taken back."""

import contextlib
import importlib
import importlib.metadata
import re
import threading
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Protocol, TypeVar

import wrapt
from msgspec import Struct, field

from touchdown.runtime.guard import failed, logger, warn_once
from touchdown.runtime.loading import loading

S = TypeVar("S", contravariant=True)
Undo = Callable[[], None]
WAITING = "waiting for its host to be imported"


class UnsuitableError(Exception):
    """Raised by ``patch``: what was imported is not the host it patches. Nothing was changed."""


class Patcher(Protocol[S]):
    """What is armed; :class:`touchdown.integration.Integration`."""

    name: str
    supports: str

    def patch(self, module: ModuleType, seam: S) -> Undo: ...


class Armed(Struct):
    """What became of one integration: shown by ``touchdown doctor``."""

    name: str
    state: str = WAITING
    version: str = ""
    undo: Undo | None = None
    holders: int = 0
    """How many want it: ``instrument()`` and each test that captures. The last to go takes it back."""
    module: ModuleType | None = None
    quiet: bool = False
    """Nobody asked for it by name: that it does not suit what is installed is one debug line."""

    def leave(self, problem: str) -> None:
        """Note why it was not patched."""
        self.state = f"not patched: {problem}"
        message = "touchdown: %s is not captured: %s"
        if self.quiet:
            with contextlib.suppress(Exception):
                logger.debug(message, self.name, problem)
        else:
            warn_once(f"arm:{self.name}", message, self.name, problem)


class Arms(Struct):
    """The integrations of this process, by the host's import name. Each host is patched once at most."""

    seam: object
    entries: dict[str, Armed] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def arm(self, host: str, load: Callable[[], Patcher[object]], *, quiet: bool = False) -> None:
        """Patch `host` when it is imported, or now when it is already. An import never fails by us."""
        with self._lock:
            known = self.entries.get(host)
            entry = self.entries[host] = known or Armed(host, quiet=quiet)
            entry.holders += 1
            if known is not None:
                self._patch(entry, load)
                return

        def imported(module: ModuleType) -> None:
            with self._lock:
                entry.module = module
                self._patch(entry, load)

        wrapt.register_post_import_hook(imported, host)

    def _patch(self, entry: Armed, load: Callable[[], Patcher[object]]) -> None:
        if entry.module is None or entry.undo is not None or not entry.holders:
            return
        try:
            patcher = load()
            entry.version, problem = check_version(patcher.supports)
            if problem:
                entry.leave(problem)
                return
            entry.undo = patcher.patch(entry.module, self.seam)
            entry.state = "patched"
        except UnsuitableError as error:
            entry.leave(str(error))
        except Exception as error:
            entry.state = f"not patched: {type(error).__name__}: {error}"
            failed(f"patch {entry.name}")

    def disarm(self, hosts: Iterable[str]) -> None:
        """One holder of these goes, the latest patched first; without a holder a patch is taken back."""
        with self._lock:
            for entry in reversed([self.entries[host] for host in hosts]):
                entry.holders -= 1
                if entry.holders == 0:
                    _take_back(entry)


def _take_back(entry: Armed) -> None:
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
    plain = _PLAIN.fullmatch(supports)
    version = _installed(plain[1]) if plain is not None else ""
    if plain is not None and _lies_plainly(plain[2], version, plain[3]):
        return version, ""
    with loading():
        from packaging.requirements import InvalidRequirement, Requirement
    try:
        wanted = Requirement(supports)
    except InvalidRequirement:
        return "", f"bad version range {supports!r}"
    version = _installed(wanted.name)
    if not version or wanted.specifier.contains(version, prereleases=True):
        return version, ""
    return version, f"version {version} is outside the supported range {wanted.specifier}"


_PLAIN = re.compile(r"([\w.-]+)>=([\d.]+),<([\d.]+)")
_VERSION = re.compile(r"^Version: *(\S+)", re.MULTILINE)


def _installed(name: str) -> str:
    """The version that is installed; empty for none."""
    try:
        found = importlib.metadata.distribution(name)
        # ``found.version`` parses the whole of it, descriptions and all: a hundred times this.
        told = _VERSION.search(found.read_text("METADATA") or "")
        return told[1] if told else found.version
    except importlib.metadata.PackageNotFoundError:
        return ""


def _lies_plainly(low: str, version: str, high: str) -> bool:
    """Whether plain numbers say so; else ``packaging`` must judge, which takes a while to load."""
    try:
        lowest, here, highest = (
            tuple(int(part) for part in text.split(".")) for text in (low, version, high)
        )
    except ValueError:
        return False
    return lowest <= here < highest
