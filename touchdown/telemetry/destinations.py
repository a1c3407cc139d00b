"""Where spans and metrics of a provider of our own would go, found out without sending anything."""

import os
import re
from collections.abc import Iterator
from urllib.parse import SplitResult, urlsplit

from msgspec import Struct

from touchdown.telemetry.environment import Signal, otlp_protocol, wanted_exporters
from touchdown.telemetry.exporters import ExporterError, make_exporter

_DEFAULTS = {"grpc": "http://localhost:4317", "http/protobuf": "http://localhost:4318"}
_PORTS = {"http": 80, "https": 443}
_PLAIN_PART = re.compile(r"[a-z_.-]{1,20}|v\d{1,2}|[a-z]{1,8}\d?", re.IGNORECASE)


class Destination(Struct, frozen=True):
    """One exporter that the variables ask for; ``problem`` says why it would not work."""

    signal: Signal
    exporter: str
    protocol: str | None = None
    url: str | None = None
    """Without user, password, query, and parts of the path that may be a key."""
    host: str | None = None
    port: int | None = None
    headers: bool = False
    """Whether headers are set; what they hold is told to nobody."""
    problem: str = ""
    hint: str = ""


def destinations(signal: Signal) -> Iterator[Destination]:
    """The exporters that the environment asks for. Builds each one, which opens no connection."""
    for name in wanted_exporters(signal, os.environ):
        problem = _why_not_made(signal, name)
        if name != "otlp":
            yield Destination(signal, name, problem=problem)
            continue
        protocol = otlp_protocol(signal, os.environ)
        if problem:
            yield Destination(signal, name, protocol, problem=problem)
        else:
            yield _otlp(signal, protocol)


def _why_not_made(signal: Signal, name: str) -> str:
    try:
        made = make_exporter(signal, name)
    except ExporterError as error:
        return str(error)
    shutdown = getattr(made, "shutdown", None)
    if name == "otlp" and shutdown is not None:
        shutdown()
    return ""


def _otlp(signal: Signal, protocol: str) -> Destination:
    variable, endpoint = _endpoint(signal, protocol)
    headers = _set(f"OTEL_EXPORTER_OTLP_{signal.upper()}_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS")
    try:
        parts = urlsplit(endpoint)
        port = parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        parts, port = SplitResult("", "", "", "", ""), None
    problem = ""
    if parts.scheme not in _PORTS or not parts.hostname:
        problem = f"{variable} is no address like http://localhost:4318"
    elif headers and not _well_formed(os.environ[headers]):
        problem = f"{headers} is no list of name=value; what does not fit is not sent"
    return Destination(
        signal,
        "otlp",
        protocol,
        _shown(parts) if not problem or parts.hostname else None,
        parts.hostname,
        port,
        bool(headers),
        problem,
        "" if problem else _hint(variable, protocol, parts, port),
    )


def _endpoint(signal: Signal, protocol: str) -> tuple[str, str]:
    """The variable that decides, and the address: the general one is a base that HTTP adds a path to."""
    own, general = (
        f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT",
        "OTEL_EXPORTER_OTLP_ENDPOINT",
    )
    variable = _set(own, general)
    if variable == own:
        return own, os.environ[own].strip()
    base = os.environ[variable].strip() if variable else _DEFAULTS[protocol]
    path = "" if protocol == "grpc" else f"/v1/{signal}"
    return variable or general, base.rstrip("/") + path if path else base


def _hint(variable: str, protocol: str, parts: SplitResult, port: int | None) -> str:
    if port == 4317 and protocol != "grpc":
        return "port 4317 is mostly gRPC's; if so, set OTEL_EXPORTER_OTLP_PROTOCOL=grpc"
    if port == 4318 and protocol == "grpc":
        return "port 4318 is mostly HTTP's; if so, set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf"
    if protocol != "grpc" and parts.path in ("", "/"):
        return f"{variable} is taken as it is: most backends want a path like /v1/traces behind it"
    return ""


def _shown(parts: SplitResult) -> str:
    port = f":{parts.port}" if parts.port else ""
    host = parts.hostname or ""
    path = "/".join(
        part if not part or _PLAIN_PART.fullmatch(part) else "…" for part in parts.path.split("/")
    )
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{port}{path}"


def _well_formed(headers: str) -> bool:
    return all("=" in part for part in headers.split(",") if part.strip())


def _set(*names: str) -> str:
    """The first of these variables that is set, empty when none is."""
    return next((name for name in names if os.environ.get(name, "").strip()), "")
