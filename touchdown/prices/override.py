"""The user's own prices."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

from msgspec import Struct

from touchdown.prices.cost import EXACT
from touchdown.prices.listing import with_assumed_life
from touchdown.prices.matching import BOOK_IDS
from touchdown.prices.rates import Rates
from touchdown.prices.schedule import Ladder, Schedule
from touchdown.records import ModelCall

Amount = str | int | float | Decimal
"""A price as people write it; a float counts as the digits it prints."""

LIVES = ("5m", "30m", "1h", "12h", "unknown")


class PriceConfigError(ValueError):
    """One row of the user's prices that cannot be used: its place, the key and the mend, in one line."""

    def __init__(self, place: str, key: str, problem: str, mend: str) -> None:
        super().__init__(f"{place}: {key}: {problem}; {mend}")
        self.place = place
        self.key = key
        self.problem = problem
        self.mend = mend


class Override(Struct, frozen=True):
    """The user's own price of a model, in every tier and for prompts of any size.

    Units: US dollars per million tokens; ``server_tools`` US dollars per 1,000 requests. ``model`` is an
    exact id, or ``*`` for every model of a host or provider. ``host`` is a host or ``host:port``.
    ``cache_write`` is one price, or one per life (``5m`` ``30m`` ``1h`` ``12h``). A class without a price
    here is not looked up elsewhere: usage in it makes the call unpriced.
    """

    model: str
    host: str | None = None
    provider: str | None = None
    input: Amount | None = None
    output: Amount | None = None
    cache_read: Amount | None = None
    cache_write: Amount | Mapping[str, Amount] | None = None
    server_tools: Mapping[str, Amount] | None = None
    place: str = ""
    """Where it is written, for messages: ``touchdown.toml, [[price]] table 2``."""


class Rule(Struct, frozen=True):
    """An override that was found sound."""

    model: str
    host: str
    port: int | None
    provider: str
    schedule: Schedule

    def holds(self, call: ModelCall) -> bool:
        """Whether this is the price of that call."""
        if self.model not in ("*", call.priced_model.lower()):
            return False
        if self.host and self.host != call.host.lower():
            return False
        if self.port is not None and self.port != call.port:
            return False
        name = call.provider.lower()
        return not self.provider or self.provider in (name, BOOK_IDS.get(name))

    @property
    def closeness(self) -> tuple[bool, bool, bool, bool]:
        """How much it asks of a call; the rule that asks most goes first."""
        return (self.model != "*", bool(self.host), self.port is not None, bool(self.provider))


def make_rule(override: Override, place: str) -> Rule:
    """The rule of an override. Errors: ``PriceConfigError`` for the first thing wrong with it."""
    place = override.place or place
    host, port = _host(override.host, place)
    _check_name(override, place)
    rates = _rates(override, place)
    band = with_assumed_life(rates)
    return Rule(
        model=override.model.strip().lower(),
        host=host,
        port=port,
        provider=(override.provider or "").lower(),
        schedule=Schedule(cells=((Ladder((), (band,)),),)),
    )


def _check_name(override: Override, place: str) -> None:
    model: object = override.model
    if not isinstance(model, str) or not model.strip():
        raise PriceConfigError(place, "model", "missing", 'name it, e.g. model = "my-model"')
    provider: object = override.provider
    if provider is not None and not isinstance(provider, str):
        raise PriceConfigError(
            place, "provider", "not a name", 'write it as text, e.g. provider = "openai"'
        )
    if model.strip() == "*" and not (override.host or override.provider):
        raise PriceConfigError(
            place, "model", '"*" would price everything', "name a host or a provider beside it"
        )


def _host(host: object, place: str) -> tuple[str, int | None]:
    if host is None:
        return "", None
    mend = 'write a host or host:port, e.g. host = "localhost:8000"'
    if not isinstance(host, str) or not host.strip():
        raise PriceConfigError(place, "host", "not a host", mend)
    if "/" in host:
        raise PriceConfigError(place, "host", f"{host!r} is a URL", mend)
    name, colon, port = host.strip().lower().rpartition(":")
    if not colon or host.endswith("]"):
        return host.strip().lower(), None
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise PriceConfigError(place, "host", f"{port!r} is not a port", mend)
    return name, int(port)


def _rates(override: Override, place: str) -> Rates:
    price = {
        name: _amount(getattr(override, name), name, place, scale=-6)
        for name in ("input", "output", "cache_read")
    }
    if price["input"] is None and price["output"] is None:
        raise PriceConfigError(
            place, "input", "no price", "give input or output in US dollars per million tokens"
        )
    return Rates(
        uncached=price["input"],
        output=price["output"],
        cache_read=price["cache_read"],
        cache_write=_writes(override.cache_write, place),
        server_tools=_tools(override.server_tools, place),
        source=f"own price ({place})",
    )


def _writes(given: object, place: str) -> dict[str, Decimal]:
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        price = _amount(given, "cache_write", place, scale=-6)
        return {} if price is None else dict.fromkeys(LIVES, price)
    writes: dict[str, Decimal] = {}
    for life, amount in given.items():
        if life not in LIVES:
            raise PriceConfigError(
                place, "cache_write", f"unknown life {life!r}", f"use {', '.join(LIVES[:-1])}"
            )
        price = _amount(amount, f"cache_write.{life}", place, scale=-6)
        if price is not None:
            writes[life] = price
    for life in ("5m", "30m"):
        if life in writes:
            writes.setdefault("unknown", writes[life])
    return writes


def _tools(given: object, place: str) -> dict[str, Decimal]:
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise PriceConfigError(
            place, "server_tools", "not a table", 'write e.g. server_tools = { web_search = "10" }'
        )
    fees = {
        str(tool): _amount(amount, f"server_tools.{tool}", place, scale=-3)
        for tool, amount in given.items()
    }
    return {tool: fee for tool, fee in fees.items() if fee is not None}


def _amount(given: object, key: str, place: str, *, scale: int) -> Decimal | None:
    if given is None:
        return None
    unit = "million tokens" if scale == -6 else "1,000 requests"
    mend = f'write US dollars per {unit}, e.g. {key} = "3.00"'
    if isinstance(given, bool) or not isinstance(given, str | int | float | Decimal):
        raise PriceConfigError(place, key, f"{given!r} is not a number", mend)
    try:
        amount = Decimal(str(given))
    except InvalidOperation:
        raise PriceConfigError(place, key, f"{given!r} is not a number", mend) from None
    if not amount.is_finite():
        raise PriceConfigError(place, key, f"{given!r} is not a number", mend)
    if amount < 0:
        raise PriceConfigError(place, key, f"{given} is negative", mend)
    return EXACT.scaleb(amount, scale)
