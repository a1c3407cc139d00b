"""The named hosts of this process."""

import os
import time

from touchdown.engines.host import EngineHost
from touchdown.engines.named import Named, name_host
from touchdown.engines.tool_events import ToolEvents
from touchdown.engines.watching import Watch
from touchdown.runtime import core
from touchdown.runtime.serving import NAMED

END_S = 0.5
"""For reading what engines hold when the process ends."""


class EngineHosts:
    """All that are named. One per process: naming a host is a fact about it, not an option of a run."""

    def __init__(self) -> None:
        self._hosts: dict[tuple[str, int], EngineHost] = {}
        self._watch = Watch()

    def name(self, named: Named) -> EngineHost:
        """Name a host; one that was named before with this kind stays what it is."""
        key = named.host, named.port
        host = self._hosts.get(key)
        if host is not None:
            named = host.named_again(named)
        if host is None or not host.is_named_as(named):
            if host is not None:
                host.let_go()
            host = EngineHost(named, self._watch)
            self._hosts = {**self._hosts, key: host}
        return host

    def forget(self, host: EngineHost) -> None:
        """Leave a host alone from here on."""
        host.let_go()
        self._hosts = {key: kept for key, kept in self._hosts.items() if kept is not host}

    def of(self, host: str, port: int | None) -> EngineHost | None:
        """The host at this address; ``None`` for every other one."""
        if not self._hosts or port is None:
            return None
        return self._hosts.get((host.lower(), port))

    @property
    def all(self) -> tuple[EngineHost, ...]:
        """In the order they were named."""
        return tuple(self._hosts.values())

    @property
    def tool_takers(self) -> tuple[ToolEvents, ...]:
        """Those that take tool events."""
        return tuple(host.tool_events for host in self.all if host.tool_events is not None)

    def hear(self, timeout_s: float) -> None:
        """The process ends: read what engines hold for calls that ended, all within this time."""
        ends = time.monotonic() + min(timeout_s, END_S)
        for host in self.all:
            host.hear(ends)

    def after_fork(self) -> None:
        """In a forked child: no thread watches yet, and locks may be held by the parent's."""
        self._watch.after_fork()
        for host in self._hosts.values():
            host.after_fork()


HOSTS = NAMED.source = EngineHosts()


def engine(
    url: str,
    kind: str = "auto",
    *,
    kv_events: str = "",
    tool_events: str = "",
    perf_metrics: bool = True,
) -> EngineHost:
    """Name a host as self-hosted: ``touchdown.engine("http://127.0.0.1:8000")``.

    Calls to it, and to no other host, are then sent with headers by which its own records can be found,
    and ask it to say in its answers where its time went; its metrics are read in the background. ``kind``
    is ``vllm``, ``sglang``, ``tensorrt_llm``, ``dynamo`` or ``tokenspeed``; ``auto`` finds it out.
    ``kv_events`` is where vLLM or SGLang publishes its cache events (``tcp://host:port``, behind a comma
    its replay socket): with them evictions are seen, not inferred. ``tool_events`` is where Dynamo takes
    events of tools for its request trace. Both need the extra ``engines``. ``perf_metrics=False`` leaves
    TensorRT-LLM's records of requests, which it hands out once, to whoever else reads them.
    Errors: ``ValueError`` for what is no http address, for another kind, and for no ZeroMQ address.
    """
    host = HOSTS.name(
        name_host(url, kind, "touchdown.engine", kv_events, tool_events, perf_metrics)
    )
    if core.active() is not None:
        host.wake()
    return host


os.register_at_fork(after_in_child=HOSTS.after_fork)
