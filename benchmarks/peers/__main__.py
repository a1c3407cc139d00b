"""touchdown beside other instrumentations of the same SDKs, as one table.

    python benchmarks/peers [--pairs N] [--only PEER] [--json]

Each peer runs in a process of its own, in the pinned environment that has it: ``FOREIGN_PYTHON`` and
``OPENLLMETRY_PYTHON`` name their interpreters (``ci/envs/foreign.txt`` and ``foreign-openllmetry.txt``; one
that is not named is left out, and the table says so). In that process what the peer put on the SDKs' classes
is taken off and put back in pairs; both SDKs answer from memory; everyone sends to the same collector over
OTLP. touchdown has everything on.
"""

import argparse
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from peers.adapters import PEERS

ROOT = Path(__file__).resolve().parent.parent
PYTHONS = {"foreign": "FOREIGN_PYTHON", "foreign-openllmetry": "OPENLLMETRY_PYTHON"}
STARTS = 3
WITHOUT_PLUGINS = {"PYDANTIC_DISABLE_PLUGINS": "__all__"}
"""Logfire hangs itself into pydantic wherever it is installed: only its own process is to pay for that."""


def ask(peer: str, collector: str, *what: str) -> dict[str, Any]:
    """One worker's answer; what went wrong where there is none."""
    python = os.environ.get(PYTHONS[PEERS[peer][1]])
    if not python:
        return {"error": f"{PYTHONS[PEERS[peer][1]]} is not set"}
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT.parent),
        **({} if peer == "Logfire" else WITHOUT_PLUGINS),
    }
    done = subprocess.run(
        [python, str(ROOT / "peers" / "worker.py"), peer, collector, *what],
        env=environment,
        capture_output=True,
        text=True,
    )
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        return {"error": (done.stderr.strip().splitlines() or ["no answer"])[-1]}
    answer: dict[str, Any] = json.loads(lines[-1])
    return answer


def measure(peer: str, collector: str, pairs: int) -> dict[str, Any]:
    """All figures of one peer."""
    found = ask(peer, collector, "calls", str(pairs))
    if "error" in found:
        return found
    starts = [ask(peer, collector, "start") for _ in range(STARTS)]
    if any("error" in one for one in starts):
        return {"error": "it could not be switched on again"}
    found["start"] = {
        unit: statistics.median(one["start"][unit] for one in starts) for unit in ("s", "mb")
    }
    return found | ask(peer, collector, "kept")


def rows(results: dict[str, dict[str, Any]]) -> dict[str, dict[str, str]]:
    """By figure and peer, the cells of the table."""
    table: dict[str, dict[str, str]] = {}
    for peer, found in results.items():
        for who, unit in (("caller", "this thread"), ("process", "whole process")):
            for name, figures in found.get("calls", {}).items():
                cell = figures[who]
                noise = cell["high"] - cell["low"]
                text = f"{cell['median']:.1f} ± {noise / 2:.1f}"
                table.setdefault(f"{name}, {unit}, µs", {})[peer] = text
        for name, value in found.get("kept", {}).items():
            table.setdefault(f"kept, {name}", {})[peer] = f"{value:.1f}"
        if "start" in found:
            table.setdefault("import and switching on, s", {})[peer] = f"{found['start']['s']:.2f}"
            table.setdefault("the same, MB", {})[peer] = f"{found['start']['mb']:.1f}"
    return table


def print_table(results: dict[str, dict[str, Any]]) -> None:
    """The result, as a table of Markdown."""
    print(f"{datetime.date.today()}, Python {platform.python_version()}, {platform.platform()},")
    print(f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}\n")
    peers = [peer for peer, found in results.items() if "error" not in found]
    print("| added by | " + " | ".join(peers) + " |")
    print("|---|" + "---:|" * len(peers))
    for name, cells in rows(results).items():
        print(f"| {name} | " + " | ".join(cells.get(peer, "–") for peer in peers) + " |")
    print()
    for peer, found in results.items():
        versions = {**found.get("sdks", {}), **found.get("versions", {})}
        named = ", ".join(f"{name} {version}" for name, version in versions.items())
        print(f"* {peer}: {found.get('error', named)}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--only", default="", help="a part of a peer's name")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    sink = subprocess.Popen(
        [sys.executable, str(ROOT / "sink.py")], stdout=subprocess.PIPE, text=True
    )
    try:
        assert sink.stdout is not None
        collector = f"http://127.0.0.1:{sink.stdout.readline().strip()}/v1/traces"
        results = {}
        for peer in PEERS:
            if options.only.lower() in peer.lower():
                print(f"{peer} ...", file=sys.stderr)
                results[peer] = measure(peer, collector, options.pairs)
    finally:
        sink.terminate()
        sink.wait()
    if options.json:
        print(json.dumps(results, indent=2))
    else:
        print_table(results)


if __name__ == "__main__":
    main()
