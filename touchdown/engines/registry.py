"""The registry: every serving engine. A new engine is a file and a line here."""

from touchdown.engines.dynamo import Dynamo
from touchdown.engines.engine import Engine
from touchdown.engines.exposition import Exposition
from touchdown.engines.sglang import Sglang
from touchdown.engines.tensorrt_llm import TensorRtLlm
from touchdown.engines.tokenspeed import TokenSpeed
from touchdown.engines.vllm import Vllm

ENGINES: tuple[Engine, ...] = (Dynamo(), Vllm(), Sglang(), TensorRtLlm(), TokenSpeed())

ROUTERS = frozenset({"dynamo"})
"""Engines whose metrics pass those of the workers behind them through."""

AUTO = "auto"

KINDS = (AUTO, *(engine.id for engine in ENGINES))
"""What ``touchdown.engine(kind=)`` takes."""


def engine_of(kind: str) -> Engine | None:
    """The engine with this id."""
    return next((engine for engine in ENGINES if engine.id == kind), None)


def recognise(page: Exposition) -> tuple[Engine | None, str]:
    """The engine whose metrics these are; or none, and why."""
    found = [engine for engine in ENGINES if engine.recognises(page)]
    in_front = [engine for engine in found if engine.id in ROUTERS]
    if len(in_front) == 1 or len(found) == 1:
        return (in_front or found)[0], ""
    if not found:
        return None, "its metrics are those of no engine that is known here"
    names = " and ".join(engine.title for engine in found)
    return None, f"two engines answer at one address: {names}"
