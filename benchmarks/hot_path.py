"""What touchdown adds to the caller's thread, against the floor: one span with 25 attributes.

    python benchmarks/hot_path.py [--pairs N] [--only TEXT] [--defaults] [--stages | --chunks] [--json]

One process, on one CPU where the system allows it. Bare SDK, the floor (a hook that makes one span with 25
attributes through a ``BatchSpanProcessor``) and touchdown take turns, in changing order, on the same request:
60 messages, about 200 KB of JSON, 12 tools; and on a tiny one. touchdown has everything on: a journal, spans
over OTLP to a collector in another process, a budget; with ``--defaults`` spans alone.

*In the call* is the whole call of the SDK with the state less the one without, in ``time.thread_time``; an
SDK's own call swings by more than what is looked for, so that a ratio is only printed where the differences
stand out of their quartiles. *At the hook* leaves the SDK's own work out: ``request`` only builds what it was
given and hands an answer back. ``benchmarks/instructions.py`` counts the same in instructions.

*Behind the queue*: what is left to do for a call, stage by stage; ``--stages`` is this alone.

*Per chunk*: in the SDK's own streams (``chunks.py``); ``--chunks`` is this alone.
"""

import argparse
import gc
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

from chunks import READERS, SHAPES, chunk_us
from paired import Figure, call_us, figure, ratio, shown, take_turns
from stages import stages
from states import STATES, Switch, switch
from stubs import cut_short, hook_call
from workload import Case, cases, messages, request_of

CALLS = 10
HOOK_CALLS = 40
MANY = 1_000
Rows = dict[str, dict[str, Figure]]


def in_the_call(pairs: int, only: str, everything: bool) -> Rows:
    """Added to the whole call of the SDK."""
    chosen = [case for case in cases() if only in case.name]
    with switch(everything=everything) as switching:
        return {case.name: _turns(switching, case, CALLS, pairs) for case in chosen}


def at_the_hook(pairs: int, only: str, everything: bool) -> Rows:
    """Added to a request that does nothing."""
    chosen = [case for case in hook_cases() if only in case.name]
    with cut_short(), switch(everything=everything) as switching:
        return {case.name: _turns(switching, case, HOOK_CALLS, pairs) for case in chosen}


def hook_cases() -> list[Case]:
    """The same requests as in the call, and one of 1,000 messages."""
    tiny = [{"role": "user", "content": "hi"}]
    sizes = {"large": messages(), "tiny": tiny, f"{MANY:,} messages": messages(MANY)}
    return [
        Case(f"{sdk} {size}", sdk, hook_call(sdk, request_of(sdk, said, tools=said is not tiny)))
        for size, said in sizes.items()
        for sdk in ("anthropic", "openai")
    ]


def _turns(switching: Switch, case: Case, calls: int, pairs: int) -> dict[str, Figure]:
    print(f"{case.name} ...", file=sys.stderr)
    return take_turns(switching.to, STATES, lambda: call_us(case.call, calls), pairs)


def _once_us(step: Callable[[], object]) -> float:
    gc.disable()
    began = time.thread_time_ns()
    step()
    spent = time.thread_time_ns() - began
    gc.enable()
    return spent / 1000


def per_chunk(pairs: int, everything: bool) -> Rows:
    """Added to each event of a stream."""
    with switch(everything=everything) as switching:
        return {
            f"{sdk} {shape} chunk": {"touchdown": chunk_us(switching, sdk, shape, pairs)}
            for sdk in READERS
            for shape in SHAPES
        }


def behind(pairs: int, only: str, everything: bool) -> Rows:
    """What is done for a call behind the queue, by stage."""
    rows: Rows = {}
    chosen = [case for case in hook_cases() if only in case.name]
    with cut_short(), switch(everything=everything) as switching:
        switching.to("touchdown")
        for case in chosen:
            found: dict[str, list[float]] = {}
            for _ in range(pairs):
                for stage, step in stages(case.call, HOOK_CALLS).items():
                    found.setdefault(stage, []).append(_once_us(step) / HOOK_CALLS)
            for stage, spent in found.items():
                rows[f"{case.name}: {stage}"] = {"touchdown": figure(spent)}
    return rows


def print_table(title: str, rows: Rows) -> None:
    """One part of the result."""
    print(f"\n{title}: microseconds added, median (quartiles)")
    print(f"{'':<44}{'floor':>26}{'touchdown':>26}{'ratio':>14}")
    for name, row in rows.items():
        floor = row.get("floor")
        against = "" if floor is None else shown(ratio(row["touchdown"], floor))
        print(f"{name:<44}{floor or ''!s:>26}{row['touchdown']!s:>26}{against:>14}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--pairs", type=int, default=40)
    parser.add_argument("--only", default="", help="a part of a case's name")
    parser.add_argument("--defaults", action="store_true", help="no journal, OTLP nor budget")
    parser.add_argument("--json", action="store_true")
    only = parser.add_mutually_exclusive_group()
    only.add_argument("--stages", action="store_true", help="only what is behind the queue")
    only.add_argument("--chunks", action="store_true", help="only what a chunk of a stream takes")
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    everything = not options.defaults
    parts: dict[str, Rows] = {}
    if not options.chunks:
        parts["behind the queue"] = behind(options.pairs, options.only, everything)
    if not options.stages:
        parts["per chunk"] = per_chunk(options.pairs, everything)
    if not (options.stages or options.chunks):
        parts["at the hook"] = at_the_hook(options.pairs, options.only, everything)
        parts["in the call"] = in_the_call(options.pairs, options.only, everything)
    if options.json:
        print(json.dumps({title: _plain(rows) for title, rows in parts.items()}, indent=2))
        return
    for title, rows in parts.items():
        print_table(title, rows)


def _plain(rows: Rows) -> dict[str, Any]:
    return {
        name: {
            state: {"median": f.median, "low": f.low, "high": f.high, "resolved": f.resolved}
            for state, f in row.items()
        }
        for name, row in rows.items()
    }


if __name__ == "__main__":
    main()
