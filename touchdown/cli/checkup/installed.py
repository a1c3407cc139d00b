"""What is installed and what touchdown patches: found out by instrumenting this very process."""

import contextlib
import importlib
import importlib.metadata
import importlib.util
import logging
import os
import sys
from collections.abc import Iterator, Mapping

from msgspec import Struct

import touchdown
from touchdown.api import ENTRY_POINTS
from touchdown.cli.checkup.diagnosis import AddOn, Sdk, State, Unseen
from touchdown.clients.registry import CLIENTS
from touchdown.runtime import core
from touchdown.runtime.arming import check_version, load_object

NO_CLIENT = "touchdown has no client for it yet"

WITHOUT_CLIENT = {
    "boto3": "model calls of its bedrock-runtime client; " + NO_CLIENT,
    "cohere": NO_CLIENT,
    "google-genai": NO_CLIENT,
    "groq": NO_CLIENT,
    "litellm": "only what it sends through the openai SDK is seen, not what it sends itself",
    "mistralai": NO_CLIENT,
    "ollama": NO_CLIENT,
}
"""Distributions that call models by other ways than the SDKs of the registry."""

_REFUSED = "not patched: "


class Found(Struct, frozen=True):
    """What became of each host. ``active``: whether ``instrument()`` does anything here."""

    active: bool
    sdks: list[Sdk]
    integrations: list[AddOn]


def look() -> Found:
    """Instrument, import every host that is installed, note what became of it, and take it all back."""
    entries = list(importlib.metadata.entry_points(group=ENTRY_POINTS))
    hosts = dict.fromkeys([*CLIENTS, *(entry.name for entry in entries)])
    ours = core.base() is None
    with unheard(), _without("TOUCHDOWN_JOURNAL"):
        handle = touchdown.instrument()
        try:
            broken = {host: why for host in hosts if (why := _import(host))}
            found = {host: armed.state for host, armed in handle.patched.items()}
            on = handle.active
        finally:
            if ours:
                handle.uninstrument()
        sdks = [_sdk(host, on, broken.get(host), found.get(host, "")) for host in CLIENTS]
        add_ons = [_add_on(e, on, broken.get(e.name), found.get(e.name, "")) for e in entries]
    return Found(on, sdks, add_ons)


def without_client() -> list[Unseen]:
    """Installed libraries whose model calls touchdown does not see."""
    return [
        Unseen(name, version, reason)
        for name, reason in WITHOUT_CLIENT.items()
        if name not in CLIENTS and (version := version_of(name))
    ]


def version_of(distribution: str) -> str | None:
    """The installed version; ``None`` when it is not installed."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _sdk(host: str, on: bool, broken: str | None, found: str) -> Sdk:
    made: object = load_object(CLIENTS[host])
    supports: str = getattr(made, "supports", host)
    folder = CLIENTS[host].partition(":")[0].rpartition(".")[0]
    not_captured: Mapping[str, str] = importlib.import_module(f"{folder}.reader").NOT_CAPTURED
    version, _ = check_version(supports)
    state, reason = _verdict(host, on, broken, found)
    supported = supports.removeprefix(host)
    return Sdk(host, supported, version or None, state, reason, dict(not_captured))


def _add_on(
    entry: importlib.metadata.EntryPoint, on: bool, broken: str | None, found: str
) -> AddOn:
    distribution = entry.dist.name if entry.dist else entry.value
    version = entry.dist.version if entry.dist else None
    if entry.name in CLIENTS:
        reason = f"touchdown's own client patches {entry.name} already"
        return AddOn(entry.name, distribution, version, "refused", reason)
    try:
        entry.load()
    except Exception as error:
        return AddOn(entry.name, distribution, version, "refused", _told(error))
    return AddOn(entry.name, distribution, version, *_verdict(entry.name, on, broken, found))


def _verdict(host: str, on: bool, broken: str | None, found: str) -> tuple[State, str]:
    if not _importable(host):
        return "not_installed", ""
    if broken:
        return "refused", broken
    if not on:
        return "off", ""
    if found == "patched":
        return "patched", ""
    return "refused", found.removeprefix(_REFUSED)


def _importable(host: str) -> bool:
    try:
        return host in sys.modules or importlib.util.find_spec(host) is not None
    except (ImportError, ValueError):
        return False


def _import(host: str) -> str:
    """Import a host as the user's program would; empty, or why it cannot be imported."""
    if not _importable(host):
        return ""
    try:
        importlib.import_module(host)
    except Exception as error:
        return f"it cannot be imported ({_told(error)})"
    return ""


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".partition("\n")[0]


@contextlib.contextmanager
def unheard() -> Iterator[None]:
    """What others print or log meanwhile is kept off the page: the page tells it in its own words."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
            yield
    finally:
        logging.disable(before)


@contextlib.contextmanager
def _without(name: str) -> Iterator[None]:
    """A look must not begin a journal."""
    value = os.environ.pop(name, None)
    try:
        yield
    finally:
        if value is not None:
            os.environ[name] = value
