"""The price book as it lies in memory: genai-prices' data, loaded once, on first use."""

import json
import re
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from touchdown.prices.matching import listed_ids

if TYPE_CHECKING:
    from genai_prices.types import Provider

_DATED = re.compile(r"-(20\d\d)-?([01]\d)-?([0-3]\d)(?=$|[-:@])")


class Volume(Struct, frozen=True):
    """The providers of one edition of the book, and its name."""

    providers: Sequence["Provider"]
    version: str
    newest: date | None = None
    """The newest dated model the data names: neither the data nor its package says when it was made."""


def open_installed() -> Volume:
    """The data that came with the installed genai-prices, or that its own updater fetched here."""
    from genai_prices import __version__
    from genai_prices.data_snapshot import get_snapshot

    snapshot = get_snapshot()
    name = f"genai-prices {__version__}"
    if snapshot.from_auto_update:
        name += f", updated {snapshot.timestamp:%Y-%m-%d %H:%M}"
    return _bind(snapshot.providers, name)


def open_file(path: Path) -> Volume:
    """A book in the JSON format that genai-prices publishes, for pinned or newer prices."""
    from genai_prices import types

    raw = json.loads(path.read_text(encoding="utf-8"))
    providers = types._providers_from_raw(raw)  # its updater reads the same file the same way
    return _bind(providers, path.name)


def _bind(providers: Sequence["Provider"], name: str) -> Volume:
    newest = _newest(providers)
    return Volume(providers, f"{name} (models to {newest})" if newest else name, newest)


def _newest(providers: Sequence["Provider"]) -> date | None:
    newest = date.min
    for provider in providers:
        for ref in listed_ids(provider):
            if found := _DATED.search(ref):
                newest = max(newest, _date(*found.groups()))
    return newest if newest > date.min else None


def _date(year: str, month: str, day: str) -> date:
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        return date.min
