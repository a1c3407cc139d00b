"""The hosts that a user names as self-hosted: in code, in ``TOUCHDOWN_ENGINES``, in ``touchdown.toml``."""

import re
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from msgspec import Struct

from touchdown.engines.registry import AUTO, KINDS
from touchdown.prices.config import load_config
from touchdown.prices.location import find_config

VARIABLE = "TOUCHDOWN_ENGINES"
PORTS = {"http": 80, "https": 443}
TRANSPORTS = ("tcp://", "ipc://")
KEYS = ("url", "kind", "kv_events", "tool_events", "perf_metrics")
"""Of an ``[[engine]]`` table."""


class Named(Struct, frozen=True):
    """One address and the kind of engine behind it."""

    scheme: str
    host: str
    port: int
    kind: str = AUTO
    place: str = ""
    """Where the user said so."""
    kv_events: str = ""
    """Where its cache events are published; empty: they are not read."""
    tool_events: str = ""
    """Where it takes tool events; empty: none are pushed."""
    perf_metrics: bool = True
    """Whether TensorRT-LLM's records of requests are read, which it hands out once."""

    @property
    def url(self) -> str:
        """The address, without a path."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


def name_host(
    url: str,
    kind: str = AUTO,
    place: str = "",
    kv_events: str = "",
    tool_events: str = "",
    perf_metrics: bool = True,
) -> Named:
    """An address as it is compared; any path in it is ignored.

    Errors: ``ValueError`` in one line for what is no http address, no known kind, no ZeroMQ address.
    """
    for endpoint in filter(None, (*re.split("[,;]", kv_events), tool_events)):
        if not endpoint.strip().startswith(TRANSPORTS):
            raise ValueError(f"{endpoint!r} is no address of events: write tcp://host:port")
    if kind not in KINDS:
        raise ValueError(f"unknown kind of engine {kind!r}; known: {', '.join(KINDS)}")
    try:
        parts = urlsplit(url.strip())
        port = parts.port or PORTS.get(parts.scheme)
    except ValueError as error:
        raise ValueError(f"{url!r} is no address ({error})") from None
    if parts.scheme not in PORTS or not parts.hostname or port is None:
        raise ValueError(f"{url!r} is no address of an engine: write http://host:port")
    more = kv_events, tool_events, perf_metrics
    return Named(parts.scheme, parts.hostname, port, kind, place, *more)


def from_variable(value: str) -> Iterator[Named | str]:
    """``http://host:port`` or ``http://host:port=kind``, by commas; a problem in words for each wrong one."""
    for entry in filter(None, (part.strip() for part in value.split(","))):
        url, _, kind = entry.partition("=")
        try:
            yield name_host(url, kind.strip() or AUTO, VARIABLE)
        except ValueError as error:
            yield f"{VARIABLE}: {error}"


def from_config() -> Iterator[Named | str]:
    """The ``[[engine]]`` tables of the nearest ``touchdown.toml``; its other problems are told elsewhere."""
    path = find_config()
    content = load_config(path)[0] if path is not None else {}
    tables = content.get("engine", [])
    if not isinstance(tables, list):
        yield f"{path}: write [[engine]] with two brackets, once for each engine"
        return
    for number, table in enumerate(tables, 1):
        place = f"{path}, [[engine]] table {number}"
        try:
            yield _of_table(table, place)
        except ValueError as error:
            yield f"{place}: {error}"


def _of_table(table: object, place: str) -> Named:
    if not isinstance(table, Mapping) or not isinstance(table.get("url"), str):
        raise ValueError('write url = "http://host:port"')
    strange = [key for key in table if key not in KEYS]
    if strange:
        raise ValueError(f"unknown key {strange[0]!r}; the keys are {', '.join(KEYS)}")
    kind, *events = (str(table.get(key, "")) for key in KEYS[1:4])
    read = table.get("perf_metrics", True)
    if not isinstance(read, bool):
        raise ValueError("perf_metrics is true or false")
    kv_events, tool_events = events
    return name_host(table["url"], kind or AUTO, place, kv_events, tool_events, read)


def configured(environment: Mapping[str, str]) -> tuple[list[Named], list[str]]:
    """All that are named outside code, the variable before the file, and what is wrong with the rest."""
    told = [*from_variable(environment.get(VARIABLE, "")), *from_config()]
    named = {(n.host, n.port): n for n in reversed(told) if isinstance(n, Named)}
    return list(reversed(named.values())), [line for line in told if isinstance(line, str)]
