"""The price book: which price holds for a call, found once and then looked up."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path

from msgspec.structs import replace

from touchdown.prices.config import read_config, read_overrides
from touchdown.prices.cost import price_usage
from touchdown.prices.listing import Listing
from touchdown.prices.location import find_config
from touchdown.prices.matching import CLOUDS, find_exact, find_model, provider_at, provider_named
from touchdown.prices.override import Override, PriceConfigError, Rule
from touchdown.prices.rates import Rates, Unpriced
from touchdown.prices.schedule import DAY_NS, Cell, Ladder, Schedule
from touchdown.prices.terms import Condition
from touchdown.prices.volume import Volume, open_file, open_installed
from touchdown.records import CostByClass, ModelCall

LIST_ASSUMED = "price_assumed_list"
HOST_UNKNOWN = "host_unknown"
SIZE_UNKNOWN = "prompt_size_unknown"
TIER_UNKNOWN = "service_tier_not_reported"
"""Another tier was asked for, and the answer, whose tier is the one that counts, names none."""

_STANDARD_TIERS = frozenset({"", "auto", "default", "standard", "on_demand"})
_NOT_ASKED = _STANDARD_TIERS | {"standard_only"}
_ANYWHERE = frozenset({"", "global", "not_available"})
_ENTRIES = 4096

_Key = tuple[str | int | bool | None, ...]


class PriceBook:
    """Prices of hosted models by token. Implements ``Prices``; safe to share between threads.

    The first rule that holds decides: the user's own price; a host sold by capacity; a host the book
    knows; the list price of the SDK's own vendor where it lists exactly this model; else unpriced.
    genai-prices is imported when the first call is priced, and its data stays the same from then on.

    ``problems`` holds one line for every row of the user's prices that could not be used.
    """

    def __init__(
        self,
        overrides: Iterable[Override | Mapping[str, object]] = (),
        book_path: str | Path | None = None,
        *,
        capacity_hosts: Iterable[str] = (),
    ) -> None:
        rules, problems = read_overrides(overrides)
        self._rules = _closest_first(rules)
        self.problems: tuple[PriceConfigError, ...] = problems
        self._path = None if book_path is None else Path(book_path)
        self._capacity = frozenset(host.lower() for host in capacity_hosts)
        self._volume: Volume | None = None
        self._found: dict[_Key, Schedule | Unpriced] = {}
        self._offers: dict[_Key, _Elsewhere] = {}

    @classmethod
    def configured(
        cls,
        overrides: Iterable[Override | Mapping[str, object]] = (),
        book_path: str | Path | None = None,
        *,
        capacity_hosts: Iterable[str] = (),
        start: Path | None = None,
    ) -> "PriceBook":
        """The same with the prices of ``touchdown.toml`` behind those given in code."""
        book = cls(overrides, book_path, capacity_hosts=capacity_hosts)
        path = find_config(start)
        if path is not None:
            rules, problems = read_config(path)
            book._rules = _closest_first(book._rules + rules)
            book.problems += problems
        return book

    @property
    def version(self) -> str:
        """The book's name, its release and how new its data is."""
        try:
            return self.volume.version
        except Exception as error:
            return f"no price book ({type(error).__name__})"

    @property
    def volume(self) -> Volume:
        """The data itself. Errors: whatever reading it raises."""
        volume = self._volume
        if volume is None:
            # No lock, which a forked child might find held: two threads at once read the same data twice.
            volume = open_installed() if self._path is None else open_file(self._path)
            self._volume = volume
        return volume

    def rates_for(self, call: ModelCall) -> Rates | Unpriced:
        """The rates of this call: its model, host, date, tier, speed and geography, its own prompt size."""
        cell = self.cell_for(call)
        if not isinstance(cell, Ladder):
            return cell
        usage = call.usage
        size = usage.input_tokens if cell.edges else None
        band = cell.band(size or 0)
        doubts = []
        if size is None and cell.edges:
            doubts.append(SIZE_UNKNOWN)
        if call.service_tier is None and _asks_for_tier(call):
            doubts.append(TIER_UNKNOWN)
        unstated = bool(usage.cache_write and usage.cache_write.get("unknown"))
        rates = band.assumed if unstated else band.rates
        if not doubts:
            return rates
        reason = ", ".join(filter(None, (rates.reason, *doubts)))
        return replace(rates, basis="estimated", reason=reason)

    def price(self, call: ModelCall) -> CostByClass | Unpriced:
        """The cost of this call's usage, known classes only; unpriced when a billed class has no rate."""
        rates = self.rates_for(call)
        return rates if isinstance(rates, Unpriced) else price_usage(call.usage, rates)

    def offers_elsewhere(self, call: ModelCall) -> Mapping[str, Rates]:
        """List prices at which others sell exactly this model id, by seller, for a call of this size.

        Never across ids that only look alike; only for calls under the standard terms, whose like can be
        compared.
        """
        return self._elsewhere(call).rates_at(call.usage.input_tokens, call.sent_at_ns)

    def _elsewhere(self, call: ModelCall) -> "_Elsewhere":
        key = (call.host, call.provider, call.vendor, call.priced_model, bool(conditions_of(call)))
        found = self._offers.get(key)
        if found is None:
            if len(self._offers) >= _ENTRIES:
                self._offers.clear()
            found = self._offers[key] = _Elsewhere(self._find_elsewhere(call))
        return found

    def _find_elsewhere(self, call: ModelCall) -> list[tuple[str, Schedule]]:
        if conditions_of(call) or not call.priced_model:
            return []
        try:
            volume = self.volume
            at_host = provider_at(call.host, volume.providers)
            names = (call.provider, call.vendor)
            named = [provider_named(name, volume.providers) for name in names if name]
            here = {known.id for known in (at_host, *named) if known is not None}
            return [
                (seller.id, Listing(seller.id, seller.id, model, book=volume.version).schedule())
                for seller in volume.providers
                if seller.id not in here
                and (model := find_exact(seller, call.priced_model)) is not None
            ]
        except Exception:
            return []

    def cell_for(self, call: ModelCall) -> Cell:
        """The rates of this call for prompts of every size."""
        key: _Key = (
            call.host,
            call.port,
            call.provider,
            call.vendor,
            call.response_model or call.model,
            call.service_tier,
            call.speed,
            call.geography,
            call.batch,
        )
        found = self._found.get(key)
        if found is None:
            found = self._find(call)
            if len(self._found) >= _ENTRIES:
                self._found.clear()
            self._found[key] = found
        return found.at(call.sent_at_ns) if isinstance(found, Schedule) else found

    def _find(self, call: ModelCall) -> Schedule | Unpriced:
        for rule in self._rules:
            if rule.holds(call):
                return rule.schedule
        host = call.host.lower()
        if self._capacity and (host in self._capacity or f"{host}:{call.port}" in self._capacity):
            return Unpriced("priced by capacity")
        if not call.priced_model:
            return Unpriced("model not reported")
        try:
            listing = self._listing(call)
            return listing if isinstance(listing, Unpriced) else listing.schedule()
        except Exception as error:
            return Unpriced(f"price book cannot be read ({type(error).__name__})")

    def _listing(self, call: ModelCall) -> Listing | Unpriced:
        volume, model = self.volume, call.priced_model
        terms, book = conditions_of(call), volume.version
        seller = provider_at(call.host, volume.providers)
        known = seller is not None
        if seller is None and call.provider.lower() in CLOUDS:
            seller = provider_named(call.provider, volume.providers)
        if seller is not None:
            entry = find_model(seller, model, volume.providers)
            if entry is None:
                return Unpriced(f"{seller.id} lists no price for {model}")
            owner, found = entry
            reason = None if known and owner is seller else LIST_ASSUMED
            return Listing(seller.id, owner.id, found, terms, reason, book)
        names = (call.vendor, call.provider) if call.host else (call.provider, call.vendor)
        name = names[0] or names[1]
        vendor = provider_named(name, volume.providers)
        exact = find_exact(vendor, model) if vendor is not None else None
        if vendor is None or exact is None:
            why = f"{name} does not list {model}" if vendor else f"{name or 'seller'} is not known"
            return Unpriced(f"no price for host {call.host}, and {why}" if call.host else why)
        reason = LIST_ASSUMED if call.host else HOST_UNKNOWN
        return Listing(vendor.id, vendor.id, exact, terms, reason, book)


class _Elsewhere:
    """Other sellers of a model; each stretch of time and of sizes with the same rates is looked up once."""

    def __init__(self, schedules: list[tuple[str, Schedule]]) -> None:
        self._schedules = schedules
        known = [schedule for _, schedule in schedules]
        self._dates = sorted({date for schedule in known for date in schedule.dates})
        self._times = sorted({time for schedule in known for time in schedule.times})
        self._edges = sorted({edge for schedule in known for edge in schedule.edges})
        self._rates: dict[tuple[int, int, int], dict[str, Rates]] = {}

    def rates_at(self, size: int | None, at_ns: int) -> Mapping[str, Rates]:
        """The rates of each for a prompt of this size at this moment: one object for the same rates."""
        place = -1 if size is None else bisect_left(self._edges, size)
        times = bisect_right(self._times, at_ns % DAY_NS)
        key = (bisect_right(self._dates, at_ns), times, place)
        found = self._rates.get(key)
        if found is None:
            found = self._rates[key] = _rates_at(self._schedules, size, at_ns)
        return found


def _rates_at(
    schedules: Iterable[tuple[str, Schedule]], size: int | None, at_ns: int
) -> dict[str, Rates]:
    rates: dict[str, Rates] = {}
    for seller, schedule in schedules:
        cell = schedule.at(at_ns)
        if not isinstance(cell, Unpriced) and (size is not None or not cell.edges):
            rates[seller] = cell.band(size or 0).rates
    return rates


def _closest_first(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    return tuple(sorted(rules, key=lambda rule: rule.closeness, reverse=True))


def _asks_for_tier(call: ModelCall) -> bool:
    asked = call.request.get("service_tier")
    return bool(asked) and str(asked).lower() not in _NOT_ASKED


def conditions_of(call: ModelCall) -> tuple[Condition, ...]:
    """What the answer says the call was sold under, beside the standard terms."""
    return _conditions(
        call.service_tier or "", call.speed or "", call.geography or "", bool(call.batch)
    )


@lru_cache(maxsize=256)
def _conditions(tier: str, speed: str, geography: str, batch: bool) -> tuple[Condition, ...]:
    tier, speed, geography = tier.lower(), speed.lower(), geography.lower()
    found: list[Condition] = []
    if batch or tier == "batch":
        found.append(("processing", "batch"))
    if tier != "batch" and tier not in _STANDARD_TIERS:
        found.append(("service_tier", tier))
    if speed not in ("", "standard"):
        found.append(("speed", speed))
    if geography not in _ANYWHERE:
        found.append(("inference_geo", geography))
    return tuple(found)
