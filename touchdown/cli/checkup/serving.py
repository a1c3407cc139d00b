"""The hosts named as self-hosted, and, when asked, what answers there."""

import os

from touchdown.cli.checkup.diagnosis import ServingHost
from touchdown.engines.exposition import counted
from touchdown.engines.looking import look
from touchdown.engines.named import Named, configured


def serving(connect: bool) -> tuple[list[ServingHost], list[str]]:
    """The named hosts, and what is wrong with how others were named. No network unless ``connect``."""
    named, wrong = configured(os.environ)
    return [_host(one, connect) for one in named], wrong


def _host(named: Named, connect: bool) -> ServingHost:
    if not connect:
        return ServingHost(named.url, named.kind, named.place)
    seen = look(named)
    lacks: tuple[str, ...] = ()
    if seen.page is not None and seen.engine is not None:
        lacks = tuple(counted(seen.page, seen.page, seen.engine.counters).not_observable)
    block = seen.engine.block_tokens(seen.page) if seen.engine and seen.page else None
    title = seen.engine.title if seen.engine is not None else ""
    return ServingHost(named.url, named.kind, named.place, True, title, block, lacks, seen.problem)
