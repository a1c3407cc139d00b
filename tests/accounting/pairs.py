"""Pairs of calls: what is said of the last one, as the tests of cache causes ask it."""

from msgspec.structs import replace

from tests.accounting.build import (
    SYSTEM,
    TOOLS,
    FixedPrices,
    after,
    call,
    seg,
    usage,
)
from touchdown.accounting.ledger import refold
from touchdown.records import CallVerdict, Miss, ModelCall, Segment

START = [TOOLS, SYSTEM, seg("goal")]
MORE = seg("more")

FIRST = call("c1", 0, START, usage(0, 0, 100, {"5m": 3000}))


def verdict_of(*calls: ModelCall) -> CallVerdict:
    """What is said of the last one."""
    verdict = refold(calls, FixedPrices()).verdict(calls[-1].id)
    assert verdict is not None
    return verdict


def only_miss(*calls: ModelCall) -> Miss:
    (miss,) = verdict_of(*calls).misses
    return miss


def then(*new: Segment, at_s: float = 60, shared: int = 3, **more: object) -> ModelCall:
    """A second call that keeps ``shared`` segments of the first, adds ``new``, and reads nothing."""
    used = more.pop("used", usage(0, 0, 10, {"5m": (shared + len(new)) * 1000}))
    shape = after(FIRST, shared, *new)
    return replace(call("c2", at_s, context=shape, used=used), **more)  # type: ignore[arg-type]
