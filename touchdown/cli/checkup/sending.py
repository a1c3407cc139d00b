"""Where spans and metrics go, and, when asked, whether anybody listens there."""

import os
import socket
from collections.abc import Iterator

from touchdown.cli.checkup.diagnosis import Export, Reach
from touchdown.cli.checkup.installed import unheard
from touchdown.telemetry.destinations import Destination, destinations
from touchdown.telemetry.environment import sdk_disabled

CONNECT_S = 2.0


def look(connect: bool) -> Export:
    """What the ``OTEL_*`` variables ask for. No network unless ``connect``."""
    if sdk_disabled(os.environ):
        return Export(True, (), (), () if connect else None)
    with unheard():
        traces, metrics = tuple(destinations("traces")), tuple(destinations("metrics"))
    reached = tuple(_reach((*traces, *metrics))) if connect else None
    return Export(False, traces, metrics, reached, tuple(_notes(bool(traces))))


def _notes(traces: bool) -> Iterator[str]:
    provider = os.environ.get("OTEL_PYTHON_TRACER_PROVIDER", "").strip()
    if provider:
        yield f"OTEL_PYTHON_TRACER_PROVIDER={provider} sets a global provider: spans go there"
    sampler = os.environ.get("OTEL_TRACES_SAMPLER", "").strip()
    if traces and sampler:
        yield f"OTEL_TRACES_SAMPLER={sampler} decides which spans are sent; the bill is whole anyway"


def _reach(found: tuple[Destination, ...]) -> Iterator[Reach]:
    addresses = {(each.host, each.port): None for each in found if not each.problem}
    for host, port in addresses:
        if host is None or port is None:
            continue
        try:
            socket.create_connection((host, port), CONNECT_S).close()
        except OSError as error:
            why = "no answer in time" if isinstance(error, TimeoutError) else error.strerror
            yield Reach(host, port, False, why or str(error))
        else:
            yield Reach(host, port, True)
