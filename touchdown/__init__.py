"""touchdown: the live cost of each task of an AI agent, split into work and named taxes.

``touchdown.instrument()`` wraps the LLM clients; ``task``, ``agent`` and ``tool`` mark what the calls are
for; ``task.receipt()`` and ``touchdown.summary()`` say what it cost and where it paid the boundary tax.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from touchdown.api import Instrumentation as Instrumentation
    from touchdown.api import flush as flush
    from touchdown.api import instrument as instrument
    from touchdown.api import summary as summary
    from touchdown.api import uninstrument as uninstrument
    from touchdown.engines.host import EngineHost as EngineHost
    from touchdown.engines.hosts import engine as engine
    from touchdown.live.outcomes import outcome as outcome
    from touchdown.live.pools import capacity as capacity
    from touchdown.live.updates import on_update as on_update
    from touchdown.prices.catalog import hourly_price as hourly_price
    from touchdown.runtime.limits import BudgetExceeded as BudgetExceeded
    from touchdown.servers.asgi import AsgiMiddleware as AsgiMiddleware
    from touchdown.servers.wsgi import WsgiMiddleware as WsgiMiddleware
    from touchdown.tasks import Task as Task
    from touchdown.tasks import agent as agent
    from touchdown.tasks import current_task as current_task
    from touchdown.tasks import task as task
    from touchdown.tasks import tool as tool
    from touchdown.telemetry.foreign.processor import SpanProcessor as SpanProcessor
    from touchdown.telemetry.remote import headers as headers
    from touchdown.telemetry.remote import joined as joined

__version__ = "0.1.0"

_WHERE = {
    "Instrumentation": "touchdown.api",
    "flush": "touchdown.api",
    "instrument": "touchdown.api",
    "summary": "touchdown.api",
    "uninstrument": "touchdown.api",
    "AsgiMiddleware": "touchdown.servers.asgi",
    "WsgiMiddleware": "touchdown.servers.wsgi",
    "headers": "touchdown.telemetry.remote",
    "joined": "touchdown.telemetry.remote",
    "SpanProcessor": "touchdown.telemetry.foreign.processor",
    "capacity": "touchdown.live.pools",
    "EngineHost": "touchdown.engines.host",
    "engine": "touchdown.engines.hosts",
    "outcome": "touchdown.live.outcomes",
    "on_update": "touchdown.live.updates",
    "hourly_price": "touchdown.prices.catalog",
    "BudgetExceeded": "touchdown.runtime.limits",
    "Task": "touchdown.tasks",
    "agent": "touchdown.tasks",
    "current_task": "touchdown.tasks",
    "task": "touchdown.tasks",
    "tool": "touchdown.tasks",
}

__all__ = [*_WHERE, "__version__"]


def __getattr__(name: str) -> object:
    module = _WHERE.get(name)
    if module is None:
        raise AttributeError(f"module 'touchdown' has no attribute {name!r}")
    import importlib

    value = getattr(importlib.import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
