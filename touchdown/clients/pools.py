"""How long a request waited for a free connection of its client's pool.

httpx's transport shows connecting and sending to whoever asks, but not this wait. It is one method, private,
of httpcore and of its successor; where there is none the wait is not seen.
"""

import inspect
import time
from collections.abc import Awaitable, Callable
from types import ModuleType
from typing import Any

from touchdown.clients.sending import QUIET, current_sending
from touchdown.runtime.patches import Held, Patches, Undo

TRANSPORTS = ("httpcore2", "httpcore")
WAITING = "wait_for_connection"


def follow_pools() -> Undo:
    """Watch the pools of both transports, when they are imported; hands back what takes that back."""
    patches = Patches()
    for transport in TRANSPORTS:
        patches.when_imported(f"{transport}._sync.connection_pool", _watch("PoolRequest"))
        patches.when_imported(f"{transport}._async.connection_pool", _watch("AsyncPoolRequest"))
    return patches.take_back


POOLS = Held(follow_pools)


def _watch(name: str) -> Callable[[Patches, ModuleType], None]:
    def install(patches: Patches, module: ModuleType) -> None:
        patches.wrap(getattr(module, name, object), WAITING, _wait)

    return install


def _wait(wrapped: Callable[..., Any], request: Any, args: Any, kwargs: Any) -> Any:
    sending = current_sending.get()
    if sending is None:
        return wrapped(*args, **kwargs)
    if getattr(request, "connection", None) is not None:
        _note(sending.seen.clocks, 0)
        return wrapped(*args, **kwargs)
    began_ns = time.monotonic_ns()
    if inspect.iscoroutinefunction(wrapped):
        return _wait_async(wrapped(*args, **kwargs), sending.seen.clocks, began_ns)
    try:
        return wrapped(*args, **kwargs)
    finally:
        _note(sending.seen.clocks, time.monotonic_ns() - began_ns)


async def _wait_async(waiting: Awaitable[Any], clocks: Any, began_ns: int) -> Any:
    try:
        return await waiting
    finally:
        _note(clocks, time.monotonic_ns() - began_ns)


def _note(clocks: Any, waited_ns: int) -> None:
    with QUIET:
        clocks.pool_ns = (clocks.pool_ns or 0) + waited_ns
