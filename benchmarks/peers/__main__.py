"""touchdown beside other instrumentations of the same SDKs, as one table.

    python benchmarks/peers [--instructions] [--times] [--memory] [--only PEER] [--json]

Each peer runs in a process of its own, in the pinned environment that has it: ``FOREIGN_PYTHON`` and
``OPENLLMETRY_PYTHON`` name their interpreters (``ci/envs/foreign.txt`` and ``foreign-openllmetry.txt``; one
that is not named is left out, and the table says so). In that process what the peer put on the SDKs' classes
is taken off and put back, and it is proven that it makes spans exactly when it is on. Both SDKs answer from
memory; everyone sends to the same collector over OTLP. touchdown has everything on: spans, journal, a budget.

Without a choice all parts are measured. ``--instructions`` (with valgrind) is what other programs do not
disturb; ``--times`` needs a quiet machine; ``--memory`` is what is kept while a backend takes nothing, and
import and switching on.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from instructions import count

from peers.adapters import PEERS
from peers.table import print_table

ROOT = Path(__file__).resolve().parent.parent
PYTHONS = {"foreign": "FOREIGN_PYTHON", "foreign-openllmetry": "OPENLLMETRY_PYTHON"}
STARTS = 5
WITHOUT_PLUGINS = {"PYDANTIC_DISABLE_PLUGINS": "__all__"}
"""Logfire hangs itself into pydantic wherever it is installed: only its own process is to pay for that."""

Result = dict[str, Any]


class Bench:
    """Workers of all peers, and what they are given."""

    def __init__(self, collector: str, stuck: str, bytecode: str) -> None:
        self._collector, self._stuck, self._bytecode = collector, stuck, bytecode

    def ask(self, peer: str, *what: str) -> Result:
        """One worker's answer; what went wrong where there is none."""
        command, environment, problem = self._command(peer, *what)
        if problem:
            return {"error": problem}
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        lines = done.stdout.strip().splitlines()
        if done.returncode or not lines:
            return {"error": (done.stderr.strip().splitlines() or ["no answer"])[-1]}
        answer: Result = json.loads(lines[-1])
        return answer

    def count(self, peer: str, calls: int) -> Result:
        """Instructions of each kind of call, in both states."""
        command, environment, problem = self._command(peer, "count", str(calls))
        if problem:
            return {"error": problem}
        try:
            spent = count(command, environment)
        except SystemExit as error:
            return {"error": str(error)}
        found: dict[str, Result] = {}
        for name in {label.split("|")[0] for label in spent}:
            by_state = {label.split("|")[1]: label for label in spent if label.startswith(name)}
            units = int(by_state["on"].split("|")[2])
            on, off = spent[by_state["on"]], spent[by_state["off"]]
            found[name] = {
                "caller": (on.caller - off.caller) / units,
                "process": (on.process - off.process) / units,
            }
        return {"instructions": found}

    def start(self, peer: str, times: int) -> Result:
        """The quickest of some starts; the first one, which writes the bytecode, is left out."""
        answers = [self.ask(peer, "start") for _ in range(1 + times)][1:]
        for answer in answers:
            if "error" in answer:
                return answer
        starts = [answer["start"] for answer in answers]
        return answers[0] | {"start": {unit: min(s[unit] for s in starts) for unit in starts[0]}}

    def _command(self, peer: str, *what: str) -> tuple[list[str], dict[str, str], str]:
        named = PYTHONS[PEERS[peer][1]]
        python = os.environ.get(named)
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT.parent),
            "PYTHONPYCACHEPREFIX": self._bytecode,
            **({} if peer == "Logfire" else WITHOUT_PLUGINS),
        }
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        url = self._stuck if what[0] in ("queued", "growth") else self._collector
        command = [python or "", str(ROOT / "peers" / "worker.py"), peer, url, *what]
        return command, environment, "" if python else f"{named} is not set"


def measure(bench: Bench, peer: str, options: argparse.Namespace) -> Result:
    """The parts that were asked for; start comes first, since it writes the bytecode."""
    found = bench.start(peer, STARTS if options.memory else 1)
    if not options.memory:
        found.pop("start", None)
    if options.memory:
        for part in ("queued", "growth"):
            answer = found if "error" in found else bench.ask(peer, part)
            found = {**answer, **found, "kept": found.get("kept", {}) | answer.get("kept", {})}
    if options.instructions and "error" not in found:
        found |= bench.count(peer, options.calls)
    if options.times and "error" not in found:
        found |= bench.ask(peer, "calls", str(options.pairs))
    print(f"{peer}: done", file=sys.stderr)
    return found


@contextmanager
def collector(*options: str) -> Iterator[str]:
    """A collector in a process of its own; its URL for traces."""
    sink = subprocess.Popen(
        [sys.executable, str(ROOT / "sink.py"), *options], stdout=subprocess.PIPE, text=True
    )
    assert sink.stdout is not None
    try:
        yield f"http://127.0.0.1:{sink.stdout.readline().strip()}/v1/traces"
    finally:
        sink.terminate()
        sink.wait()


def read_options() -> argparse.Namespace:
    """What is to be measured."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    for part in ("instructions", "times", "memory"):
        parser.add_argument(f"--{part}", action="store_true")
    parser.add_argument("--pairs", type=int, default=30)
    parser.add_argument("--calls", type=int, default=5, help="of each kind, for --instructions")
    parser.add_argument("--only", default="", help="a part of a peer's name")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if not (options.instructions or options.times or options.memory):
        options.instructions = shutil.which("valgrind") is not None
        options.times = options.memory = True
    return options


def main() -> None:
    """Measure and print."""
    options = read_options()
    chosen = [peer for peer in PEERS if options.only.lower() in peer.lower()]
    # Times are taken alone; counts and memory do not mind company.
    together = 1 if options.times else max(1, (os.cpu_count() or 1))
    with (
        collector() as url,
        collector("--stuck") as stuck,
        tempfile.TemporaryDirectory() as bytecode,
    ):
        bench = Bench(url, stuck, bytecode)
        with ThreadPoolExecutor(together) as workers:
            found = workers.map(lambda peer: measure(bench, peer, options), chosen)
            results = dict(zip(chosen, found, strict=True))
    if options.json:
        print(json.dumps(results, indent=2))
    else:
        print_table(results)


if __name__ == "__main__":
    main()
