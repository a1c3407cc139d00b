"""``touchdown collect``: an OTLP receiver for agents and engines; joins what they say of one call."""

import argparse
import gc
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from touchdown.accounting.policies import configured_policies
from touchdown.collect.asked import LOOPBACK
from touchdown.collect.bookkeeping import Bookkeeper
from touchdown.collect.forwarding import check_url
from touchdown.collect.intake import Reader
from touchdown.collect.limits import MIB, Limits
from touchdown.collect.logs import WithLogs
from touchdown.collect.receiver import GRPC_PORT, Receiver, is_loopback
from touchdown.live.accountant import LiveAccountant
from touchdown.live.journal import Journal, unwritable
from touchdown.prices.book import PriceBook
from touchdown.report import Receipt, SummaryView, show
from touchdown.report.model import CollectedReport
from touchdown.runtime.collecting import DEFAULT_PORT

EVERY_S = 1.0
MOST_RECEIPTS = 5
END_S = 10.0
COLLECT_GARBAGE = 50_000, 20, 100
"""Thousands of spans are held at once, in no circles: looking for garbage among them took a fifth of the
time (``benchmarks/collect.py``)."""

EPILOG = """\
Agents: OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318. Engines: vLLM --otlp-traces-endpoint
http://127.0.0.1:4318/v1/traces (OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=http/protobuf), SGLang --enable-trace
--otlp-traces-endpoint 127.0.0.1:4317, Dynamo OTEL_EXPORT_ENABLED=true. Ctrl-C or SIGTERM ends it and
prints the receipt. Only this machine is listened to unless --host says otherwise.
"""


def main(argv: list[str]) -> int:
    """Run ``touchdown collect`` until it is told to end; 1 where it cannot begin."""
    options = _parse(argv)
    problem = unwritable(options.journal) if options.journal else None
    if problem:
        return _refuse(f"no journal at {options.journal}: {problem}")
    journals = [Journal(options.journal)] if options.journal else []
    policies, wrong = configured_policies(None)
    for line in wrong:
        _say(line)
    accountant = LiveAccountant(PriceBook.configured(()), *journals, policies=policies)
    books = Bookkeeper(accountant)
    reader = WithLogs(books, options.log)
    try:
        receiver = _receiver(options, reader)
    except OSError as error:
        return _refuse(f"cannot listen on {options.host}: {error.strerror or error}")
    gc.set_threshold(*COLLECT_GARBAGE)
    with _ended() as ended:
        receiver.start()
        _greet(options, receiver)
        _wait(ended, receiver, books, options.quiet)
        lost = receiver.close(END_S)
        reader.tick(time.monotonic())
        reader.close()
        books.finish()
        accountant.close()
        _finish(options, receiver, books, accountant, lost)
    return 0


def _parse(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="touchdown collect",
        description="Receive OpenTelemetry data of agents and serving engines, and bill their tasks.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--host", default=LOOPBACK, help="address to listen on (default: this machine only)")
    add(
        "--http-port",
        type=_port,
        default=DEFAULT_PORT,
        help="OTLP over HTTP; 0 is any that is free",
    )
    add("--grpc-port", type=_port, default=GRPC_PORT, help='OTLP over gRPC; needs the extra "grpc"')
    add("--no-grpc", action="store_true", help="HTTP alone")
    add("--forward", type=_url, metavar="URL", help="send all of it on, unchanged")
    add("--forward-header", type=_header, action="append", default=[], metavar="NAME=VALUE")
    add("--max-request-mib", type=_size, default=32, metavar="N", help="largest request (32)")
    add(
        "--journal",
        metavar="PATH",
        default=os.environ.get("TOUCHDOWN_JOURNAL", ""),
        help="append every record to this file (default: TOUCHDOWN_JOURNAL)",
    )
    add("--log", action="append", default=[], metavar="FILE", help="follow TokenSpeed's log, too")
    add("--json", action="store_true", help="print the report as JSON at the end")
    add("--quiet", action="store_true", help="print no progress")
    return parser.parse_args(argv)


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65535:
        raise ValueError(text)
    return port


def _size(text: str) -> int:
    size = int(text)
    if size < 1:
        raise ValueError(text)
    return size


def _url(text: str) -> str:
    try:
        return check_url(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _header(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip() or "\n" in text or "\r" in text:
        raise argparse.ArgumentTypeError("write NAME=VALUE")
    return name.strip(), value.strip()


def _receiver(options: argparse.Namespace, reader: Reader) -> Receiver:
    return Receiver(
        reader,
        host=options.host,
        http_port=options.http_port,
        grpc_port=None if options.no_grpc else options.grpc_port,
        forward=options.forward or "",
        forward_headers=dict(options.forward_header),
        limits=Limits(request_bytes=options.max_request_mib * MIB),
    )


def _greet(options: argparse.Namespace, receiver: Receiver) -> None:
    _say(f"listening: {receiver.endpoint} (HTTP)")
    if receiver.grpc_problem:
        _say(f"no gRPC: {receiver.grpc_problem}")
    elif receiver.grpc_port is not None:
        _say(f"listening: {options.host}:{receiver.grpc_port} (gRPC)")
    if not is_loopback(options.host):
        _say(f"anybody who reaches {options.host} may send to it: there is no authentication")
    if receiver.forward is not None:
        _say(f"forwarding to {receiver.forward.url}")


def _wait(ended: threading.Event, receiver: Receiver, books: Bookkeeper, quiet: bool) -> None:
    """Say what arrives, about once a second, until a signal comes."""
    told = ""
    while not ended.wait(EVERY_S):
        line = ", ".join(_totals(receiver, books))
        if line != told and not quiet:
            told = line
            _say(f"{time.strftime('%H:%M:%S')} {line}")


@contextmanager
def _ended() -> Iterator[threading.Event]:
    """Set by Ctrl-C and SIGTERM; a second one ends the process as ever."""
    event = threading.Event()
    before: dict[int, Callable[..., object] | int | None] = {}

    def end(number: int, _frame: FrameType | None) -> None:
        event.set()
        signal.signal(number, before[number])

    for number in (signal.SIGINT, signal.SIGTERM):
        before[number] = signal.signal(number, end)
    try:
        yield event
    finally:
        for caught, handler in before.items():
            signal.signal(caught, handler)


def _totals(receiver: Receiver, books: Bookkeeper) -> list[str]:
    counted = receiver.counts.snapshot()
    parts = [f"{counted.pop('spans', 0):,} spans", f"{books.calls:,} model calls"]
    joined = books.joined
    if joined:
        parts.append("engine requests: " + ", ".join(f"{n:,} {how}" for how, n in joined.items()))
    return parts + [f"{many:,} {name}" for name, many in counted.items()]


def _finish(
    options: argparse.Namespace,
    receiver: Receiver,
    books: Bookkeeper,
    accountant: LiveAccountant,
    lost: list[str],
) -> None:
    accounts = accountant.accounts()
    counted = {kind: number for kind, number in accountant.lost().items() if number}
    view = SummaryView(accountant.summary(), accounts, counted, lost)
    if options.json:
        collected = CollectedReport(
            received=receiver.counts.snapshot(), engine_requests=books.joined, lost=lost
        )
        report = view.report().model_copy(update={"collected": collected})
        print(report.model_dump_json(indent=2))
    else:
        for account in accounts[-MOST_RECEIPTS:]:
            show(Receipt(account))
            print()
        if len(accounts) != 1:
            show(view)
    for line in _totals(receiver, books):
        _say(line)
    if receiver.forward is not None and receiver.forward.problem:
        _say(f"not all was forwarded: {receiver.forward.problem}")


def _say(line: str) -> None:
    print(f"touchdown collect: {line}", file=sys.stderr, flush=True)


def _refuse(reason: str) -> int:
    _say(reason)
    return 1
