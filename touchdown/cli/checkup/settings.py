"""touchdown's own variables, its file, and the price book."""

import difflib
import os
import socket
from collections.abc import Iterator
from datetime import date

from touchdown.cli.checkup.diagnosis import PriceFacts, Setting
from touchdown.collect.asked import LOOPBACK, configured_port
from touchdown.collect.asked import VARIABLE as COLLECT
from touchdown.engines.named import VARIABLE as ENGINES
from touchdown.engines.named import from_variable
from touchdown.live.journal import unwritable
from touchdown.prices import PriceBook
from touchdown.prices.config import read_config
from touchdown.prices.location import CONFIG_NAME, CONFIG_VARIABLE, find_config
from touchdown.report.format import count
from touchdown.runtime import core
from touchdown.runtime.options import CONTENT_VARIABLE, where_by_variable

DISABLED, JOURNAL, DIGEST_KEY = "TOUCHDOWN_DISABLED", "TOUCHDOWN_JOURNAL", "TOUCHDOWN_DIGEST_KEY"
KNOWN = (DISABLED, JOURNAL, DIGEST_KEY, CONFIG_VARIABLE, CONTENT_VARIABLE, ENGINES, COLLECT)
ALMOST = 0.85
"""How alike two names must be for one to be a slip of the other."""


def settings(active: bool) -> Iterator[Setting]:
    """Each variable and what it does now. ``active``: whether ``instrument()`` does anything here."""
    yield _disabled(active)
    yield _journal()
    yield _digest_key()
    yield _config()
    yield _content()
    yield _engines()
    yield _collect()
    for name in sorted(os.environ):
        close = difflib.get_close_matches(name, KNOWN, n=1, cutoff=ALMOST)
        if name not in KNOWN and close:
            yield Setting(name, True, None, "none", f"not known; did you mean {close[0]}?")


def _disabled(active: bool) -> Setting:
    value = os.environ.get(DISABLED, "")
    if not active:
        return Setting(DISABLED, True, value, "touchdown does nothing at all")
    problem = "only 1, true or yes turn touchdown off" if _means_yes(value) else ""
    return Setting(DISABLED, bool(value), value or None, "touchdown is on", problem)


def _means_yes(value: str) -> bool:
    return value.strip().lower() not in ("", "0", "false", "no", "off")


def _journal() -> Setting:
    path = os.environ.get(JOURNAL)
    if not path:
        return Setting(JOURNAL, False, None, "no journal is kept")
    why = unwritable(path)
    problem = f"no journal can be kept at {path}: {why}" if why else ""
    return Setting(JOURNAL, True, path, f"every record is added to {path}", problem)


def _digest_key() -> Setting:
    if os.environ.get(DIGEST_KEY):
        return Setting(DIGEST_KEY, True, None, "digests can be compared across tasks")
    return Setting(DIGEST_KEY, False, None, "each task has a key of its own for digests")


def _content() -> Setting:
    where, problem = where_by_variable()
    asked = os.environ.get(CONTENT_VARIABLE) or None
    shown = {
        "NO_CONTENT": "no prompt, answer, argument or result leaves",
        "SPAN_ONLY": "content is shown on spans",
        "EVENT_ONLY": "content is shown in events on spans",
        "SPAN_AND_EVENT": "content is shown on spans and in events on them",
    }[where]
    return Setting(CONTENT_VARIABLE, asked is not None, asked, shown, problem)


def _engines() -> Setting:
    value = os.environ.get(ENGINES, "")
    if not value.strip():
        return Setting(ENGINES, False, None, "no host is named as self-hosted here")
    urls = [one.url for one in from_variable(value) if not isinstance(one, str)]
    told = f"{count(len(urls), 'host')} named as self-hosted"
    return Setting(ENGINES, True, ", ".join(urls), told)


def _collect() -> Setting:
    value, (port, wrong) = os.environ.get(COLLECT) or None, configured_port(os.environ)
    runtime = core.active()
    collector = runtime.collector if runtime is not None else None
    if collector is not None:
        told = f"engines export to {collector.endpoint}"
        return Setting(COLLECT, value is not None, value, told, collector.problem)
    if port is None:
        told = "what engines say in spans of their own is not collected here"
        return Setting(COLLECT, value is not None, value, told, wrong)
    told = f"engines export to port {port} of this machine" if port else "any free port"
    return Setting(COLLECT, True, value, told, _taken(port))


def _taken(port: int) -> str:
    """Why nothing can listen at this port of this machine; empty when it can."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((LOOPBACK, port))
        except OSError as error:
            mend = "end who listens there, or name another port; a running touchdown collect is one"
            return f"port {port} cannot be listened at ({error.strerror}): {mend}"
    return ""


def _config() -> Setting:
    path = os.environ.get(CONFIG_VARIABLE)
    if path:
        return Setting(CONFIG_VARIABLE, True, path, f"your own prices are read from {path}")
    effect = f"the nearest {CONFIG_NAME} is used, from this folder upwards"
    return Setting(CONFIG_VARIABLE, False, None, effect)


def prices() -> PriceFacts:
    """The price book's name and age, and the user's own prices."""
    path = find_config()
    rules, problems = read_config(path) if path else ((), ())
    book, newest, problem = PriceBook(), None, ""
    try:
        newest = book.volume.newest
    except Exception as error:
        problem = f"the price book cannot be read ({type(error).__name__}: {error})"
    return PriceFacts(
        book=book.version,
        newest_model=newest.isoformat() if newest else None,
        age_days=(date.today() - newest).days if newest else None,
        problem=problem,
        config=str(path) if path else None,
        own_prices=len(rules),
        config_problems=tuple(map(str, problems)),
    )
