"""`touchdown prices`: what a model costs, by whom, when and under which terms."""

import argparse
import difflib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from touchdown.prices.book import PriceBook
from touchdown.prices.cost import EXACT
from touchdown.prices.matching import find_exact, listed_ids, provider_at, provider_named
from touchdown.prices.rates import Rates, Unpriced
from touchdown.prices.schedule import ns_since_epoch
from touchdown.prices.volume import open_installed
from touchdown.records import ContextShape, ModelCall, Usage

SCHEMA = "touchdown.prices/1"

_TERMS: Mapping[str, Mapping[str, str | bool]] = {
    "standard": {},
    "batch": {"batch": True},
    "flex": {"service_tier": "flex"},
    "priority": {"service_tier": "priority"},
    "fast": {"speed": "fast"},
    "us only": {"geography": "us"},
}

_EPILOG = """\
Prices are those of the installed genai-prices package and of the [[price]] tables of touchdown.toml.
--update fetches genai-prices' current data over the network and uses it for this one command: nothing
is stored, and running agents keep the prices they have. To keep newer prices, upgrade genai-prices.
"""


class Quote(Struct, frozen=True):
    """One line of the answer: a set of terms, a size of prompt, and the rates there."""

    terms: str
    above_tokens: int
    rates: Rates


def main(argv: list[str]) -> int:
    """Run ``touchdown prices``. Returns the exit code: 0, 1 (no answer), 2 (wrong usage)."""
    parser = _parser()
    args = parser.parse_args(argv)
    if args.update and not _update(quiet=args.json or args.model is not None):
        return 1
    book = PriceBook.configured()
    for problem in book.problems:
        print(f"touchdown prices: {problem}", file=sys.stderr)
    if args.model is None:
        if not args.update:
            parser.print_help()
            print(f"\n{_holdings(book)}")
        return 0
    call = _call(book, args)
    quotes = tuple(_quotes(book, call))
    if not quotes:
        print(f"touchdown prices: {_refusal(book, call)}", file=sys.stderr)
        return 1
    if args.json:
        print(json.dumps(_as_json(book, call, quotes), indent=2))
    else:
        _show(book, call, quotes)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="touchdown prices",
        description="Show what a model costs, in US dollars per million tokens.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", nargs="?", metavar="MODEL", help="a model id, as in the request")
    parser.add_argument("--provider", default="", help="who sells it, e.g. openai or aws.bedrock")
    parser.add_argument("--host", default="", help="the host (or host:port) that calls go to")
    parser.add_argument("--at", type=_moment, metavar="DATE", help="prices of that day (UTC)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--update", action="store_true", help="fetch current prices first")
    return parser


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date like 2026-08-21") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def _call(book: PriceBook, args: argparse.Namespace) -> ModelCall:
    """A call as it would be made, to be priced like any other."""
    at: datetime = args.at or datetime.now(timezone.utc)
    host, colon, port = args.host.rpartition(":")
    seller = args.provider or _maker(book, args.model)
    return ModelCall(
        id="",
        task_id="",
        agent_id="",
        api="",
        operation="chat",
        provider=seller,
        vendor=seller,
        sent_at_ns=ns_since_epoch(at),
        duration_ns=0,
        usage=Usage(),
        context=ContextShape(),
        host=host if colon else args.host,
        port=int(port) if port.isdigit() and colon else None,
        model=args.model,
    )


def _maker(book: PriceBook, model: str) -> str:
    """Who to ask when nobody is named: the vendor whose name for a model this is, else any that lists it."""
    providers = book.volume.providers
    for provider in providers:
        if provider.model_match is not None and provider.model_match.is_match(model.lower()):
            return provider.id
    return next((each.id for each in providers if find_exact(each, model) is not None), "")


def _quotes(book: PriceBook, call: ModelCall) -> Iterator[Quote]:
    for terms, given in _TERMS.items():
        cell = book.cell_for(replace(call, **given))
        if isinstance(cell, Unpriced):
            continue
        own_price = "own price" in cell.bands[0].rates.source
        if own_price and terms != "standard":
            return
        for above, band in zip((0, *cell.edges), cell.bands, strict=True):
            yield Quote(terms, above, band.rates)


def _refusal(book: PriceBook, call: ModelCall) -> str:
    cell = book.cell_for(call)
    reason = cell.reason if isinstance(cell, Unpriced) else "no price"
    vendor = provider_at(call.host, book.volume.providers) or provider_named(
        call.vendor, book.volume.providers
    )
    if vendor is None:
        return f"{reason}; name it with --provider"
    close = difflib.get_close_matches(call.model.lower(), listed_ids(vendor), n=3)
    return f"{reason}; {vendor.id} has {', '.join(close)}" if close else reason


def _update(*, quiet: bool) -> bool:
    """Fetch genai-prices' current data into this process; ``False`` when it cannot be had."""
    from genai_prices import UpdatePrices
    from genai_prices.data_snapshot import set_custom_snapshot

    before = {(p.id, m.id): m.prices for p in open_installed().providers for m in p.models}
    try:
        fetched = UpdatePrices().fetch()
    except Exception as error:  # a network, a proxy, a server or its data may fail in any way
        why = str(error).partition("\n")[0] or type(error).__name__
        print(f"touchdown prices: no newer prices: {why}", file=sys.stderr)
        return False
    if fetched is None:
        return True
    set_custom_snapshot(fetched)
    after = {(p.id, m.id): m.prices for p in fetched.providers for m in p.models}
    changed = sum(1 for key, prices in after.items() if key in before and before[key] != prices)
    if not quiet:
        print(
            f"Fetched {len(after):,} models, {len(after.keys() - before.keys()):,} of them new and"
            f" {changed:,} with other prices than the installed data. Nothing is stored."
        )
    return True


def _holdings(book: PriceBook) -> str:
    models = sum(len(provider.models) for provider in book.volume.providers)
    return f"{book.version}: {len(book.volume.providers)} providers, {models:,} models."


def _as_json(book: PriceBook, call: ModelCall, quotes: Sequence[Quote]) -> dict[str, object]:
    return {
        "schema": SCHEMA,
        "book": book.version,
        "model": call.model,
        "provider": call.provider or None,
        "host": call.host or None,
        "at": _day(call),
        "prices": [
            {
                "terms": quote.terms,
                "above_tokens": quote.above_tokens,
                "usd_per_million_tokens": {
                    "input": _per_million(quote.rates.uncached),
                    "cache_read": _per_million(quote.rates.cache_read),
                    "cache_write": {
                        life: _per_million(rate)
                        for life, rate in quote.rates.cache_write.items()
                        if life != "unknown"
                    },
                    "output": _per_million(quote.rates.output),
                },
                "usd_per_request": {
                    tool: _plain(fee) for tool, fee in quote.rates.server_tools.items()
                },
                "basis": quote.rates.basis if call.host else None,
                "reason": quote.rates.reason if call.host else None,
                "source": quote.rates.source,
            }
            for quote in quotes
        ],
    }


def _show(book: PriceBook, call: ModelCall, quotes: Sequence[Quote]) -> None:
    title = f"{call.model}, {call.host or call.provider or 'own price'}, {_day(call)}"
    header, rows = _table(quotes)
    notes = list(_notes(book, call, quotes))
    if sys.stdout.isatty():
        _show_rich(title, header, rows, notes)
        return
    widths = [max(len(row[i]) for row in (header, *rows)) for i in range(len(header))]
    print(f"{title} (USD per million tokens)")
    for row in (header, *rows):
        cells = [row[0].ljust(widths[0]), row[1].ljust(widths[1])]
        cells += [text.rjust(width) for text, width in zip(row[2:], widths[2:], strict=True)]
        print("  ".join(cells).rstrip())
    print("\n".join(notes))


def _show_rich(title: str, header: list[str], rows: list[list[str]], notes: list[str]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{title}\n[dim]USD per million tokens[/dim]", box=box.SIMPLE_HEAD)
    for index, name in enumerate(header):
        table.add_column(name, justify="left" if index < 2 else "right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    console = Console()
    console.print(table)
    for note in notes:
        console.print(note, style="dim", markup=False, highlight=False)


def _table(quotes: Sequence[Quote]) -> tuple[list[str], list[list[str]]]:
    lives = [
        life
        for life in ("5m", "1h", "30m", "12h")
        if any(quote.rates.cache_write.get(life) is not None for quote in quotes)
    ]
    free = len(lives) == 4
    writes = ["any life"] if free else lives
    header = ["terms", "prompt", "input", "cache read", *(f"write {w}" for w in writes), "output"]
    rows = []
    for quote in quotes:
        rates = quote.rates
        written = [rates.cache_write.get(life) for life in (lives[:1] if free else lives)]
        prices = [rates.uncached, rates.cache_read, *written, rates.output]
        prompt = f"above {quote.above_tokens:,}" if quote.above_tokens else "any"
        if prompt == "any" and any(q.above_tokens and q.terms == quote.terms for q in quotes):
            prompt = "below that"
        rows.append([quote.terms, prompt, *(_per_million(price) or "-" for price in prices)])
    return header, rows


def _notes(book: PriceBook, call: ModelCall, quotes: Sequence[Quote]) -> Iterator[str]:
    rates = quotes[0].rates
    fees = {tool: fee for tool, fee in rates.server_tools.items() if fee}
    if fees:
        yield "Per 1,000 requests: " + ", ".join(
            f"{tool} ${_plain(EXACT.scaleb(fee, 3))}" for tool, fee in sorted(fees.items())
        )
    if call.host and rates.basis == "estimated":
        yield f"Estimated: {rates.reason}"
    others = [
        provider.id
        for provider in book.volume.providers
        if provider.id != call.provider and find_exact(provider, call.model) is not None
    ]
    if others and not call.host:
        yield f"Also sold by {', '.join(others)} (--provider)"
    yield f"Source: {rates.source}"


def _day(call: ModelCall) -> str:
    return datetime.fromtimestamp(call.sent_at_ns // 10**9, timezone.utc).date().isoformat()


def _per_million(rate: Decimal | None) -> str | None:
    return None if rate is None else _plain(EXACT.scaleb(rate, 6))


def _plain(amount: Decimal) -> str:
    return format(amount.normalize(EXACT), "f")
