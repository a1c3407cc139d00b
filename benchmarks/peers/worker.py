"""One peer in a process of its own: ``python benchmarks/peers/worker.py PEER COLLECTOR WHAT [N]``.

WHAT is ``calls`` (what it adds to a call and to a chunk, on and off in N pairs), ``count`` (the same for a
watching callgrind, N calls), ``start`` (import and switching on), ``queued`` or ``growth`` (memory while a
backend takes nothing). Prints one line of JSON.
"""

import gc
import importlib.metadata
import json
import os
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import anthropic
import openai
from instructions import section
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from paired import figure
from states import ENDPOINT
from workload import client_of, create_of, messages, request_of

from peers.adapters import PEERS
from peers.calls import STATES, Call, Counted, Measured, Switch, calls_of, growing_usage
from peers.patches import Patches, attributes

SAMPLE = {"large": 3, "tiny": 20, "chunk": 2}
"""Calls of one sample; of these the quickest counts, for what disturbs one only ever adds."""

QUEUED = 60
LONG_S = 10.0
"""Spans wait for five seconds by default: these are not sent for longer than that."""

GROWTH = 1_000
FULL = 5_000
"""Calls behind which the queue of spans (2,048) and the request that is stuck (512) are full, and touchdown
has let go of the ledger of its first 2,000 calls."""


def resident_mb() -> float:
    """Memory of this process in RAM."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def sample(call: Call, calls: int, flush: Callable[[], object]) -> tuple[float, float]:
    """Microseconds per call: of this thread, the quickest; of the process until all is sent, the mean."""
    call()
    flush()
    gc.collect()
    gc.disable()
    spent, began = [], time.process_time_ns()
    for _ in range(calls):
        now = time.thread_time_ns()
        call()
        spent.append(time.thread_time_ns() - now)
    flush()
    whole = time.process_time_ns() - began
    gc.enable()
    return min(spent) / 1000, whole / calls / 1000


def added(switch: Switch, measured: Measured, pairs: int) -> dict[str, Any]:
    """What one kind of call costs more with the peer than without, in short pairs in changing order."""
    calls = SAMPLE[measured.name.split()[1]]
    caller, process = [], []
    for pair in range(pairs):
        found = {}
        for state in STATES if pair % 2 else reversed(STATES):
            switch.to(state)
            found[state] = sample(measured.by_state[state], calls, switch.flush)
        caller.append((found["on"][0] - found["off"][0]) / measured.units)
        process.append((found["on"][1] - found["off"][1]) / measured.units)
    return {"caller": asdict(figure(caller)), "process": asdict(figure(process))}


def measure(switch: Switch, native: bool, pairs: int) -> dict[str, Any]:
    """All kinds of calls, each proven first; what was there before them is no garbage to look through."""
    made = list(calls_of(native=native))
    for measured in made:
        switch.prove(measured)
    gc.collect()
    gc.freeze()
    return {measured.name: added(switch, measured, pairs) for measured in made}


def count(switch: Switch, native: bool, calls: int) -> dict[str, Any]:
    """Let callgrind count a few calls of each kind, in both states."""
    for measured in calls_of(native=native):
        switch.prove(measured)
        gc.disable()
        for state in STATES:
            switch.to(state)
            step = partial(_repeat, measured.by_state[state], calls)
            step()
            switch.flush()
            section(
                f"{measured.name}|{state}|{calls * measured.units}",
                step,
                partial(_elsewhere, switch.flush),
            )
        gc.enable()
    return {}


def _repeat(call: Call, times: int) -> None:
    for _ in range(times):
        call()


def _elsewhere(flush: Callable[[], object]) -> None:
    """Send all in another thread: who asks for it does the work that waits, and that is not the caller."""
    thread = threading.Thread(target=flush)
    thread.start()
    thread.join()


def queued(native: bool) -> dict[str, float]:
    """KB allocated for one large call of a growing history, while nothing is sent."""
    with growing_usage():
        create, said = create_of("anthropic", client_of("anthropic", native=native)), messages()
        asked = request_of("anthropic", said, tools=True)
        news = [{"role": "user", "content": f"and what of case {n}? " * 5} for n in range(QUEUED)]
        for _ in range(20):
            create(**asked)
        time.sleep(1.5)
        gc.collect()
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        for new in news:
            said.append(new)
            create(**asked)
        time.sleep(LONG_S)
        gc.collect()
    return {"KB per queued call": (tracemalloc.get_traced_memory()[0] - before) / QUEUED / 1024}


def growth(native: bool) -> dict[str, float]:
    """MB per 1,000 large calls while nothing is sent: the first ones, and once the queue is full."""
    create, said = create_of("anthropic", client_of("anthropic", native=native)), messages()
    asked = request_of("anthropic", said, tools=True)
    resident = []
    for calls in (100, GROWTH, FULL - GROWTH, GROWTH):
        for _ in range(calls):
            create(**asked)
        time.sleep(LONG_S)
        gc.collect()
        resident.append(resident_mb())
    warm, first, full, last = resident
    return {"MB per 1,000, first calls": first - warm, "MB per 1,000, later calls": last - full}


def main() -> None:
    """Measure, and say it as JSON."""
    peer, collector, what, *more = sys.argv[1:]
    setup, _, distributions = PEERS[peer]
    os.environ[ENDPOINT] = collector  # for whoever builds a provider of their own
    if what == "queued":
        os.environ["OTEL_BSP_SCHEDULE_DELAY"] = str(10**8)
    counted = Counted(BatchSpanProcessor(OTLPSpanExporter(collector)))
    for sdk in ("openai", "anthropic"):
        create_of(sdk, client_of(sdk))  # both load their resources when they are used
    before = attributes()
    gc.collect()
    began, memory = time.process_time(), resident_mb()
    flush = setup(counted)
    took = time.process_time() - began
    gc.collect()
    grown = resident_mb() - memory
    native = peer == "anthropic SDK"
    result: dict[str, Any] = {
        "versions": {name: importlib.metadata.version(name) for name in distributions},
        "sdks": {"openai": openai.__version__, "anthropic": anthropic.__version__},
    }
    if what == "start":
        result["start"] = {"s": took, "MB": grown}
    elif what in ("queued", "growth"):
        result["kept"] = queued(native) if what == "queued" else growth(native)
    else:
        switch = Switch(Patches(before), counted, flush)
        steps = {"calls": measure, "count": count}
        result[what] = steps[what](switch, native, int(more[0]))
    print(json.dumps(result), flush=True)
    os._exit(0)  # how a process ends is measured elsewhere


if __name__ == "__main__":
    main()
