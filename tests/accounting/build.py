"""Records as tests write them: short words for calls, contexts and tools, and fixed prices."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from touchdown.prices.cost import price_usage
from touchdown.prices.rates import Rates, Unpriced
from touchdown.records import (
    ContextShape,
    CostByClass,
    ModelCall,
    Output,
    Segment,
    ToolRequest,
    Usage,
)
from touchdown.records.context import SegmentKind

SECOND = 10**9
MILLION = Decimal(1_000_000)

OPUS = "claude-opus-5"
HAIKU = "claude-haiku-4-5"
GPT = "gpt-4.1"


def rates(uncached: str, output: str, read: str | None, **written: str) -> Rates:
    """Rates from US dollars per million tokens; a life is written ``life_5m``."""
    return Rates(
        uncached=Decimal(uncached) / MILLION,
        output=Decimal(output) / MILLION,
        cache_read=Decimal(read) / MILLION if read is not None else None,
        cache_write={life[5:]: Decimal(usd) / MILLION for life, usd in written.items()},
        source="fixed",
    )


RATES: Mapping[str, Rates] = {
    OPUS: rates("5", "25", "0.5", life_5m="6.25", life_1h="10"),
    HAIKU: rates("1", "5", "0.1", life_5m="1.25", life_1h="2"),
    GPT: rates("2", "8", "0.5"),
    "no-cache": rates("1", "2", None),
    "free": rates("0", "0", "0"),
}


@dataclass
class FixedPrices:
    """Exact rates by model id."""

    by_model: Mapping[str, Rates] = field(default_factory=lambda: RATES)
    elsewhere: Mapping[str, Mapping[str, Rates]] = field(default_factory=dict)
    version: str = "fixed 2026-11-23"

    def rates_for(self, call: ModelCall) -> Rates | Unpriced:
        return self.by_model.get(call.priced_model) or Unpriced("unknown model")

    def offers_elsewhere(self, call: ModelCall) -> Mapping[str, Rates]:
        return self.elsewhere.get(call.priced_model, {})

    def price(self, call: ModelCall) -> CostByClass | Unpriced:
        found = self.rates_for(call)
        return found if isinstance(found, Unpriced) else price_usage(call.usage, found)


def seg(name: str, chars: int = 4000, kind: SegmentKind = "user", **more: Any) -> Segment:
    """One segment; equal names are equal content."""
    return Segment(kind=kind, chars=chars, digest=name, **more)


TOOLS = seg("tools", 4000, "tools")
SYSTEM = seg("system", 4000, "system")


def result(
    call_id: str | None, name: str = "", chars: int = 4000, failed: bool = False, digest: str = ""
) -> Segment:
    return Segment(
        kind="tool_result",
        chars=chars,
        digest=digest or f"result {call_id} {name} {chars}",
        call_id=call_id,
        tool_name=name or None,
        failed=failed,
        result_digest=digest,
    )


def usage(
    uncached: int = 0,
    read: int | None = 0,
    output: int | None = 100,
    write: Mapping[str, int] | None = None,
    **more: Any,
) -> Usage:
    return Usage(
        uncached=uncached,
        cache_read=read,
        cache_write=write,
        output=output,
        completeness=more.pop("completeness", "full"),
        **more,
    )


def call(
    name: str,
    at_s: float = 0,
    segments: Sequence[Segment] = (),
    used: Usage | None = None,
    **more: Any,
) -> ModelCall:
    """One call with its whole context told; a second long unless said otherwise."""
    shape = ContextShape(
        new=tuple(segments),
        caching=more.pop("caching", "explicit"),
        parameters=more.pop("parameters", {}),
        opaque=more.pop("opaque", None),
    )
    made = ModelCall(
        id=name,
        task_id=more.pop("task_id", "task"),
        agent_id=more.pop("agent_id", "agent"),
        api="messages",
        operation=more.pop("operation", "chat"),
        provider=more.pop("provider", "anthropic"),
        vendor="anthropic",
        sent_at_ns=int(at_s * SECOND),
        duration_ns=int(more.pop("lasts_s", 1) * SECOND),
        usage=used if used is not None else usage(1000),
        context=more.pop("context", shape),
        model=more.pop("model", OPUS),
        span_id=f"span-{name}",
    )
    return replace(made, **more)


def after(before: ModelCall, shared: int, *new: Segment, **more: Any) -> ContextShape:
    """A shape told as what is new since another call."""
    return ContextShape(
        predecessor=before.id,
        shared=shared,
        new=new,
        caching=more.pop("caching", before.context.caching),
        parameters=more.pop("parameters", before.context.parameters),
        **more,
    )


def asks(*requests: tuple[str, str], text: int = 100, argument_chars: int = 96) -> Output:
    """An answer with some text and tool requests of (call id, name)."""
    made = tuple(ToolRequest(call_id, name, argument_chars) for call_id, name in requests)
    return Output(text_chars=text, tool_requests=made)


def usd(text: str) -> Decimal:
    return Decimal(text)
