"""How many spans a second ``touchdown collect`` takes in, joins and bills, and how many it loses.

``python benchmarks/collect.py``. The sender is a process of its own (``exporting.py``); the receiver is the
command's own parts in this one. Twice: as fast as it takes them, and at 10,000 spans a second. "CPU" is what
one span costs this process, whatever else the machine does: a second of it bounds what one core can take.
"""

import argparse
import gc
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from touchdown.cli.collect import COLLECT_GARBAGE
from touchdown.collect.bookkeeping import Bookkeeper
from touchdown.collect.receiver import Receiver
from touchdown.live.accountant import LiveAccountant
from touchdown.prices.book import PriceBook

SENDER = Path(__file__).with_name("exporting.py")
TARGET = 10_000


def measure(spans: int, rate: float, senders: int) -> dict[str, Any]:
    """One run. ``rate`` 0: as fast as they are taken."""
    accountant = LiveAccountant(PriceBook.configured(()))
    books = Bookkeeper(accountant)
    receiver = Receiver(books, http_port=0)
    receiver.start()
    command = [sys.executable, str(SENDER), receiver.endpoint, str(spans), str(rate), str(senders)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as sender:
        assert sender.stdin is not None
        assert sender.stdout is not None
        sender.stdout.readline()
        cpu, began = time.process_time(), time.monotonic()
        sender.stdin.write("go\n")
        sender.stdin.flush()
        told = json.loads(sender.stdout.readline())
        receiver.drain(time.monotonic())
        seconds, cpu = time.monotonic() - began, time.process_time() - cpu
    receiver.close()
    cpu_end = time.process_time()
    books.finish()
    counted = receiver.counts
    return {
        "spans": told["sent"],
        "lost": told["sent"] - counted["spans"] + told["lost"],
        "spans_per_s": told["sent"] / seconds,
        "sent_per_s": told["sent"] / told["seconds"],
        "asked_to_come_again": told["again"],
        "behind_s": max(0.0, seconds - told["seconds"]),
        "cpu_us_per_span": cpu / told["sent"] * 1e6,
        "billing_us_per_span": (time.process_time() - cpu_end) / told["sent"] * 1e6,
        "joined": books.joined,
        "calls": sum(account.model_calls for account in accountant.accounts()),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spans", type=int, default=100_000)
    parser.add_argument("--senders", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    gc.set_threshold(*COLLECT_GARBAGE)  # as the command does
    runs = {
        "as fast as it goes": measure(options.spans, 0, options.senders),
        f"at {TARGET:,} spans/s": measure(options.spans, TARGET, options.senders),
    }
    if options.json:
        print(json.dumps(runs))
        return
    for name, run in runs.items():
        print(
            f"{name}: {run['spans_per_s']:,.0f} spans/s, {run['lost']:,} of {run['spans']:,} lost, "
            f"{run['asked_to_come_again']} requests asked to come again, {run['behind_s']:.1f} s behind at "
            f"the end; {run['cpu_us_per_span']:.0f} us of CPU a span, {run['billing_us_per_span']:.0f} more "
            f"to bill; {run['calls']:,} calls, joined: {run['joined']}"
        )


if __name__ == "__main__":
    main()
