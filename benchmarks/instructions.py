"""The same costs counted in instructions, which no other program on the machine can disturb.

    python benchmarks/instructions.py [--only TEXT] [--defaults] [--host] [--calls N] [--json]

Runs the hooks of ``hot_path.py`` (the SDK's own work left out) and the streams under ``valgrind
--tool=callgrind`` (needs valgrind; some minutes) and tells the instructions of the caller's thread, and
those of each stage of what is done behind the queue.
Each count is that of many calls less that of few, so that what is not a call
falls out.
"""

import argparse
import gc
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

FEW = 10
STATES = ("bare", "floor", "touchdown")


@dataclass(frozen=True)
class Spent:
    """Instructions of the caller's thread, and of all threads."""

    caller: int
    process: int


def count(command: list[str], environment: dict[str, str] | None = None) -> dict[str, Spent]:
    """By label, what a program spends. It says on its output what to do when (:func:`section`)."""
    with tempfile.TemporaryDirectory() as folder:
        child = subprocess.Popen(
            [
                *("valgrind", "-q", "--tool=callgrind", "--instr-atstart=no"),
                *("--separate-threads=yes", f"--callgrind-out-file={folder}/counts"),
                *command,
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **(environment or {}), "PYTHONHASHSEED": "0"},
        )
        assert child.stdin is not None
        assert child.stdout is not None
        labels = []
        for line in child.stdout:
            word, _, label = line.strip().partition(" ")
            if word == "begin":
                _control(child.pid, "-i", "on")
                _control(child.pid, "-z")
            elif word == "end":
                labels.append(label)
                print(label, file=sys.stderr)
                _control(child.pid, "-d", f"part{len(labels)}")
                _control(child.pid, "-i", "off")
            else:
                continue
            child.stdin.write("\n")
            child.stdin.flush()
        if child.wait() != 0:
            raise SystemExit("the measured process failed")
        return {label: _spent(Path(folder), n) for n, label in enumerate(labels, 1)}


def _control(pid: int, *words: str) -> None:
    subprocess.run(
        ["callgrind_control", *words, str(pid)],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _spent(folder: Path, part: int) -> Spent:
    """Instructions of the first thread and of all, of one dump."""
    sums = []
    for dump in sorted(folder.glob(f"counts.{part}-*")):
        text = dump.read_text(encoding="utf-8", errors="replace")
        total = re.search(r"^totals: (\d+)", text, re.MULTILINE)
        sums.append(int(total[1]) if total else 0)
    return Spent(sums[0], sum(sums))


def _ask(word: str) -> None:
    print(word, flush=True)
    sys.stdin.readline()


def section(
    label: str, step: Callable[[], object], settle: Callable[[], object] | None = None
) -> None:
    """Have this step counted, and what it leaves to other threads, which ``settle`` waits for."""
    _ask("begin")
    step()
    if settle is not None:
        settle()
    _ask(f"end {label}")


def run_child(only: str, everything: bool, host: bool, calls: int) -> None:
    """What is counted, in the process that callgrind watches."""
    from chunks import READERS, chunk_steps
    from hot_path import hook_cases
    from stages import stages
    from states import switch
    from stubs import cut_short
    from workload import stream_events

    import touchdown
    from touchdown.runtime import core

    chosen = [case for case in hook_cases() if only in case.name]
    with cut_short(), switch(everything=everything, host=host) as switching:
        for case in chosen:
            for state in STATES:
                switching.to(state)
                _repeat(case.call, calls)
                for times in (FEW, calls):
                    touchdown.flush()
                    label = f"{case.name}|{state}|{times}"
                    runtime = core.active()
                    assert runtime is not None
                    # Under callgrind the worker's pause is over after a few calls: it is kept out.
                    with runtime.delivery._lock:
                        section(label, partial(_repeat, case.call, times))
            for times in (FEW, calls):
                for stage, step in stages(case.call, times).items():
                    section(f"{case.name}: {stage}|touchdown|{times}", step)
    streams = {sdk: stream_events(sdk) for sdk in READERS if only in f"{sdk} chunk"}
    with switch(everything=everything, host=host):
        for sdk, events in streams.items():
            for times in (1, 3):
                for name, steps in chunk_steps(sdk, events * times).items():
                    for state, step in zip(("touchdown", "bare"), steps, strict=True):
                        section(f"{sdk} {name} chunk|{state}|{times * len(events)}", step)


def _repeat(call: Callable[[], object], times: int) -> None:
    gc.disable()
    for _ in range(times):
        call()
    gc.enable()


def per_unit(counts: dict[str, int]) -> dict[str, dict[str, float]]:
    """By case and state, instructions of one call or chunk."""
    sums: dict[tuple[str, str], dict[int, int]] = defaultdict(dict)
    for label, spent in counts.items():
        case, state, times = label.split("|")
        sums[case, state][int(times)] = spent
    found: dict[str, dict[str, float]] = defaultdict(dict)
    for (case, state), by_times in sums.items():
        few, many = min(by_times), max(by_times)
        found[case][state] = (by_times[many] - by_times[few]) / (many - few)
    return found


def main() -> None:
    """Count and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--only", default="", help="a part of a case's name")
    parser.add_argument("--defaults", action="store_true", help="no journal, OTLP nor budget")
    parser.add_argument("--host", action="store_true", help="spans by a provider of the host's")
    parser.add_argument("--calls", type=int, default=40)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        run_child(options.only, not options.defaults, options.host, options.calls)
        return
    given = [word for word in sys.argv[1:] if word != "--json"]
    counts = count([sys.executable, __file__, "--child", *given])
    found = per_unit({label: spent.caller for label, spent in counts.items()})
    if options.json:
        print(json.dumps(found, indent=2))
        return
    print("instructions added in the caller's thread, per call or chunk; behind the queue per call")
    print(f"{'':<44}{'floor':>12}{'touchdown':>12}{'ratio':>8}")
    for name, row in found.items():
        bare = row.get("bare", 0.0)
        ours = row["touchdown"] - bare
        if "floor" in row:
            floor = row["floor"] - bare
            print(f"{name:<44}{floor:>12,.0f}{ours:>12,.0f}{ours / floor:>8.2f}")
        else:
            print(f"{name:<44}{ours:>24,.0f}")


if __name__ == "__main__":
    main()
