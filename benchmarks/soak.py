"""Many small calls in one process: the totals are exact, and memory is flat after the warm-up.

    python benchmarks/soak.py            # one million calls, for the note
    python benchmarks/soak.py 20000      # what CI runs, with the same assertions

The loopback provider answers in a process of its own and adds up what it charged. Journal, spans and
metrics are on; a backend in the same other process takes them. Each task has 500 calls. An account of
each task is kept, so that memory may grow by a few KB per task, and by nothing per call.
"""

import argparse
import gc
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import openai

import touchdown
from touchdown.accounting.account import Summary
from touchdown.prices import Override
from touchdown.testing import Provider, Reply, Request

CALLS_PER_TASK = 500
WARM_UP = 12_000
"""Calls after which all that is bounded by a number of calls is full (10,000 spans that one may name)."""

SAMPLES = 20
FREE_MB = 4.0
"""What an allocator may add by itself."""

TASK_KB = 8.0
PRICE = Override(model="gpt-5.4", input=1, output=10, cache_read=1)


class _Backend(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Take spans and metrics."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing is printed."""


def serve() -> None:
    """The other process: say where it listens, then, when asked, what was charged."""
    lock = threading.Lock()
    sums = {"calls": 0, "input": 0, "output": 0}

    def answer(_request: Request) -> Reply:
        with lock:
            sums["calls"] += 1
            read, written = sums["calls"] % 997 + 10, sums["calls"] % 53 + 1
            sums["input"] += read
            sums["output"] += written
        provider._requests.clear()  # what it keeps for tests would fill its own memory
        total = read + written
        return Reply(
            "ok",
            usage={"prompt_tokens": read, "completion_tokens": written, "total_tokens": total},
        )

    backend = ThreadingHTTPServer(("127.0.0.1", 0), _Backend)
    backend.daemon_threads = True
    threading.Thread(target=backend.serve_forever, daemon=True).start()
    with Provider(answer) as provider:
        where = {"provider": provider.openai_url, "backend": backend.server_address[1]}
        print(json.dumps(where), flush=True)
        sys.stdin.readline()
        print(json.dumps(sums), flush=True)
    backend.shutdown()


def resident_mb() -> float:
    """Memory of this process in RAM."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def soak(calls: int, url: str) -> list[tuple[int, float]]:
    """Make the calls; memory after so many of them, from the warm-up on."""
    seen: list[tuple[int, float]] = []
    step = max(CALLS_PER_TASK, (calls - WARM_UP) // SAMPLES // CALLS_PER_TASK * CALLS_PER_TASK)
    asked: Any = {"model": "gpt-5.4", "messages": [{"role": "user", "content": "hi"}]}
    with openai.OpenAI(api_key="k", base_url=url) as client:
        for done in range(0, calls, CALLS_PER_TASK):
            with touchdown.task("soak"):
                for _ in range(CALLS_PER_TASK):
                    client.chat.completions.create(**asked)
            done += CALLS_PER_TASK
            if done >= WARM_UP and (done - WARM_UP) % step == 0:
                touchdown.flush(30.0)
                seen.append((done, resident_mb()))
                print(f"{done:>10,} calls  {seen[-1][1]:8.1f} MB", flush=True)
    return seen


def check(
    calls: int,
    seen: list[tuple[int, float]],
    summary: Summary,
    charged: dict[str, int],
    lines: int,
) -> None:
    """Totals to the last digit, one journal line per call, and no memory per call."""
    usd = (charged["input"] + 10 * charged["output"]) / Decimal(1_000_000)
    assert charged["calls"] == calls, f"{charged['calls']:,} requests for {calls:,} calls"
    assert summary.complete
    assert summary.total_usd == usd, f"{summary.total_usd} is not {usd}"
    assert lines == calls, f"{lines:,} lines for {calls:,} calls"
    (first, before), (last, after) = seen[0], seen[-1]
    allowed = FREE_MB + TASK_KB / 1024 * (last - first) / CALLS_PER_TASK
    grown = after - before
    assert grown <= allowed, f"{grown:.1f} MB more, {allowed:.1f} MB allowed"
    print(f"{calls:,} calls, {usd} USD, exact; {grown:+.1f} MB after the warm-up", flush=True)


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("calls", type=int, nargs="?", default=1_000_000)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve()
        return
    calls = options.calls // CALLS_PER_TASK * CALLS_PER_TASK
    if calls <= WARM_UP:
        parser.error(f"the warm-up alone takes {WARM_UP:,} calls")
    other = subprocess.Popen(
        [sys.executable, __file__, "--serve"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert other.stdout is not None
    with other, tempfile.TemporaryDirectory() as folder:
        where = json.loads(other.stdout.readline())
        os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = f"http://127.0.0.1:{where['backend']}"
        journal = Path(folder) / "journal.jsonl"
        touchdown.instrument(journal=journal, prices=[PRICE])
        began = time.monotonic()
        seen = soak(calls, where["provider"])
        print(f"{time.monotonic() - began:.0f} s", flush=True)
        summary = touchdown.summary().summary
        touchdown.uninstrument()
        charged = json.loads(other.communicate("\n")[0])
        with open(journal, encoding="utf-8") as file:
            lines = sum('"kind":"ModelCall"' in line for line in file)
        check(calls, seen, summary, charged, lines)


if __name__ == "__main__":
    main()
