"""What a budget must know of a request before it is sent, at the price of what is new in it."""

from msgspec import Struct, field
from msgspec.structs import replace

from touchdown.context.blocks import Block, RequestView, copied
from touchdown.live.bounds import priced_usage
from touchdown.prices.rates import Prices, Rates, Unpriced
from touchdown.records import ContextShape, ModelCall
from touchdown.runtime.admission import Asked
from touchdown.runtime.identity import now_ns
from touchdown.runtime.reading import CallReader

MOST_SELLERS = 1_000

KEEP_NS = 60 * 1_000_000_000
"""Rates are taken for granted within one minute of the clock: some change at a time of day, on the minute."""


class Read(Struct):
    """An agent's request, as it was sent and as it was read."""

    view: RequestView
    reader: CallReader
    name: str = ""
    """Of the parameter that grows from call to call; empty when none may."""
    said: list[object] = field(default_factory=list)
    rest: dict[str, object] = field(default_factory=dict)


def read_after(before: Read | None, asked: Asked) -> Read:
    """Read a request. Of one that continues the agent's last only the new messages are read.

    The messages before are compared at C speed; strings that are shared cost a pointer compare. Those that
    are the same stand in the request as they were copied then.
    """
    name = "messages" if "messages" in asked.body else "input"
    given = asked.body.get(name)
    if not isinstance(given, list):
        return Read(asked.reader.read_request(asked.body), asked.reader)
    rest = {key: value for key, value in asked.body.items() if key != name}
    if before is not None and _goes_on(before, asked, name, given, rest):
        new = copied(given[len(before.said) :])  # the host may change its own objects
        blocks = asked.reader.read_request({name: new}).blocks if new else []
        if _can_grow(blocks):
            said, view = before.said, before.view
            if new:
                said, view = said + new, replace(view, blocks=view.blocks + blocks)
            asked.copies = {name: said}
            return Read(view, asked.reader, name, said, rest)
    said = copied(given)
    asked.copies = {name: said}
    view = asked.reader.read_request(asked.body)
    return Read(view, asked.reader, name if _can_grow(view.blocks) else "", said, rest)


def _goes_on(
    before: Read, asked: Asked, name: str, given: list[object], rest: dict[str, object]
) -> bool:
    """Whether the request says what the one before did, and then more."""
    if before.name != name or before.reader is not asked.reader or before.rest != rest:
        return False
    return given[: len(before.said)] == before.said


def _can_grow(blocks: list[Block]) -> bool:
    """No summary that stands for what is before it, no marks of the cache that move on."""
    return not any(block.cache_life or block.kind == "summary" for block in blocks)


_Seller = tuple[object, ...]


class RatesBefore:
    """The rates that a call will have, known again for calls of about the same size."""

    def __init__(self, prices: Prices) -> None:
        self._prices = prices
        self._known: dict[_Seller, tuple[int, int, int, Rates | Unpriced]] = {}

    def of(self, asked: Asked, tokens: int, tier: str | None) -> Rates | Unpriced:
        """The rates of a call of so many input tokens. The range between two equal answers has but one."""
        key = (asked.host, asked.port, asked.provider, asked.vendor, asked.model, tier)
        minute = now_ns() // KEEP_NS
        known = self._known.get(key)
        if known is not None and known[0] == minute and known[1] <= tokens <= known[2]:
            return known[3]
        rates = self._prices.rates_for(_question(asked, tokens, tier))
        most = 2 * tokens
        if self._prices.rates_for(_question(asked, most, tier)) is not rates:
            most = tokens
        if len(self._known) >= MOST_SELLERS:
            self._known.clear()
        self._known[key] = (minute, tokens, most, rates)
        return rates


def _question(asked: Asked, tokens: int, tier: str | None) -> ModelCall:
    return ModelCall(
        id="",
        task_id="",
        agent_id="",
        api=asked.reader.api,
        operation=asked.reader.operation,
        provider=asked.provider,
        vendor=asked.vendor,
        sent_at_ns=now_ns(),
        duration_ns=0,
        usage=priced_usage(tokens),
        context=ContextShape(),
        host=asked.host,
        port=asked.port,
        model=asked.model,
        service_tier=tier,
    )
