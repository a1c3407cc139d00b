"""The hosts named as self-hosted, and, when asked, what answers there."""

import os
from importlib.util import find_spec

from touchdown.cli.checkup.diagnosis import ServingHost
from touchdown.engines.exposition import counted
from touchdown.engines.looking import look
from touchdown.engines.named import Named, configured


def serving(connect: bool) -> tuple[list[ServingHost], list[str]]:
    """The named hosts, and what is wrong with how others were named. No network unless ``connect``."""
    named, wrong = configured(os.environ)
    return [_host(one, connect) for one in named], wrong


NO_ZEROMQ = "its events need pyzmq: install touchdown-agents[engines]"


def _host(named: Named, connect: bool) -> ServingHost:
    asked = named.kv_events or named.tool_events
    silent = NO_ZEROMQ if asked and find_spec("zmq") is None else ""
    if not connect:
        return ServingHost(named.url, named.kind, named.place, problem=silent)
    seen = look(named)
    lacks: tuple[str, ...] = ()
    if seen.page is not None and seen.engine is not None:
        lacks = tuple(counted(seen.page, seen.page, seen.engine.counters).not_observable)
    block = seen.engine.block_tokens(seen.page) if seen.engine and seen.page else None
    title = seen.engine.title if seen.engine is not None else ""
    problem = "; ".join(filter(None, (seen.problem, silent)))
    return ServingHost(named.url, named.kind, named.place, True, title, block, lacks, problem)
