"""What a budget must know of a request before it is sent, at the price of what is new in it."""

from msgspec import Struct, field
from msgspec.structs import replace

from touchdown.context.blocks import Block, RequestView, copied
from touchdown.live.bounds import Terms, priced_usage
from touchdown.prices.rates import Prices, Rates, Unpriced
from touchdown.records import ContextShape, ModelCall
from touchdown.runtime.admission import Asked
from touchdown.runtime.guard import pass_on
from touchdown.runtime.identity import now_ns
from touchdown.runtime.reading import CallReader

MOST_SELLERS = 1_000

KEEP_NS = 60 * 1_000_000_000
"""Rates are taken for granted within one minute of the clock: some change at a time of day, on the minute."""


LISTS = ("system", "tools")
"""Lists in a request beside the one that grows: of them, too, a copy is kept."""


class Read(Struct):
    """An agent's request, as it was sent and as it was read."""

    __repr__ = object.__repr__

    view: RequestView
    reader: CallReader
    name: str = ""
    """Of the parameter that grows from call to call; empty when none may."""
    said: list[object] = field(default_factory=list)
    rest: dict[str, object] = field(default_factory=dict)
    copies: dict[str, object] = field(default_factory=dict)
    """Its lists by name, as they were copied."""
    terms: Terms | None = None
    """What it may take, by the rates of the last call that said this."""


def read_after(before: Read | None, asked: Asked) -> Read:
    """Read a request. Of one that continues the agent's last only the new messages are read.

    The messages before are compared at C speed; strings that are shared cost a pointer compare. Those that
    are the same stand in the request as they were copied then. Where they are compared as they are sent
    (``Asked.compared_as_sent``), the first and the last of them are enough here.
    """
    body = asked.body
    name = "messages" if "messages" in body else "input"
    given = body.get(name)
    if type(given) is not list:
        return Read(asked.reader.read_request(body), asked.reader)
    if before is not None and before.name == name and before.reader is asked.reader:
        grown = _grown(before, asked, name, given)
        if grown is not None:
            asked.copies = grown.copies
            return grown
    rest = {key: _kept(value) for key, value in body.items() if key != name}
    said = copied(given)
    copies = {key: rest[key] for key in LISTS if isinstance(rest.get(key), list)}
    asked.copies = copies = {name: said, **copies}
    view = asked.reader.read_request({**body, **copies})
    return Read(view, asked.reader, name if _can_grow(view.blocks) else "", said, rest, copies)


def _grown(before: Read, asked: Asked, name: str, given: list[object]) -> Read | None:
    """The request as one that says what the one before did, and then more; ``None`` where it does not."""
    rest = dict(asked.body)
    del rest[name]
    said = before.said
    try:
        if before.rest != rest or not _continues(given, said, by_ends=asked.compared_as_sent):
            return None
    except Exception as error:  # objects of the host's own types
        pass_on(error)
        return None
    new = given[len(said) :]
    if not new:
        return before
    new = copied(new)  # the host may change its own objects
    blocks = before.reader.read_request({name: new}).blocks
    if not _can_grow(blocks):
        return None
    said = said + new
    view = replace(before.view, blocks=before.view.blocks + blocks)
    copies = {**before.copies, name: said}
    return Read(view, before.reader, name, said, before.rest, copies, before.terms)


def _continues(given: list[object], said: list[object], *, by_ends: bool) -> bool:
    length = len(said)
    if len(given) < length:
        return False
    if by_ends:
        return not said or bool(given[0] == said[0] and given[length - 1] == said[-1])
    return (given if len(given) == length else given[:length]) == said


def _kept(value: object) -> object:
    """As it is kept to be compared with: the host may change its own lists and mappings."""
    if isinstance(value, list):
        return copied(value)
    return dict(value) if type(value) is dict else value


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
