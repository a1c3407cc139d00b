"""One peer in a process of its own: ``python benchmarks/peers/worker.py PEER COLLECTOR WHAT [PAIRS]``.

WHAT is ``calls`` (what it adds to a call and to a stream, on and off in pairs), ``start`` (import and
switching on) or ``kept`` (memory while a backend takes nothing). Prints one line of JSON.
"""

import gc
import importlib.metadata
import json
import os
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import anthropic
import openai
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from paired import figure
from workload import CHUNKS, client_of, create_of, messages, request_of

from peers.adapters import PEERS

CALLS = 10
KEPT_CALLS = 60
STUCK_CALLS = 300
TINY = [{"role": "user", "content": "hi"}]
MISSING: object = object()


def resident_mb() -> float:
    """Memory of this process in RAM."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def sdk_classes() -> Iterator[type]:
    """Every class that the SDKs' modules define."""
    for name, module in list(sys.modules.items()):
        if name.split(".")[0] in ("openai", "anthropic"):
            for value in list(vars(module).values()):
                if isinstance(value, type) and value.__module__ == name:
                    yield value


def attributes() -> dict[tuple[type, str], object]:
    """What these classes define now."""
    return {(kind, name): value for kind in sdk_classes() for name, value in vars(kind).items()}


class Patches:
    """What a peer put on the SDKs' classes; taken off and put back, whether it can undo itself or not."""

    def __init__(self, before: dict[tuple[type, str], object]) -> None:
        known = {kind for kind, _ in before}
        self._on = {
            (kind, name): value
            for (kind, name), value in attributes().items()
            if before.get((kind, name), MISSING) is not value
            and kind in known
            and ((kind, name) in before or not name.startswith("__"))
        }
        self._off = {key: before.get(key, MISSING) for key in self._on}

    def __len__(self) -> int:
        return len(self._on)

    def to(self, state: str) -> None:
        """Put them on or off."""
        for (kind, name), value in (self._on if state == "on" else self._off).items():
            if value is MISSING:
                if name in vars(kind):
                    delattr(kind, name)
            else:
                setattr(kind, name, value)


def client(sdk: str, native: bool) -> Any:
    """A client; the anthropic SDK's own tracing is on only where it is what is measured."""
    made = client_of(sdk)
    return (
        made.with_options(open_telemetry={"traces": {"enabled": native}})
        if (sdk == "anthropic")
        else made
    )


Call = Callable[[], object]


def calls_of(native: bool) -> dict[str, Call]:
    """Large, tiny and streamed calls of both SDKs."""
    history = messages()
    made: dict[str, Call] = {}
    for sdk in ("anthropic",) if native else ("anthropic", "openai"):
        create = create_of(sdk, client(sdk, native))
        large, tiny = (request_of(sdk, said, tools=said is history) for said in (history, TINY))
        made[f"{sdk} large"] = lambda c=create, a=large: c(**a)
        made[f"{sdk} tiny"] = lambda c=create, a=tiny: c(**a)
        made[f"{sdk} chunk"] = lambda c=create, a=tiny: [None for _ in c(**a, stream=True)]
    return made


def measure(call: Call, flush: Callable[[], object], calls: int) -> tuple[float, float]:
    """Microseconds per call: of this thread, the middle call; of the process until all is sent."""
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
    return statistics.median(spent) / 1000, whole / calls / 1000


def calls(
    patches: Patches, flush: Callable[[], object], native: bool, pairs: int
) -> dict[str, Any]:
    """What each call costs more with the peer than without."""
    found = {}
    off = calls_of(False)
    for name, on in calls_of(native).items():
        added: list[tuple[float, float]] = []
        per = CHUNKS if name.endswith("chunk") else 1
        for pair in range(pairs):
            sample = {}
            for state in ("on", "off") if pair % 2 else ("off", "on"):
                patches.to(state)
                sample[state] = measure(on if state == "on" else off[name], flush, CALLS)
            added.append(
                tuple((a - b) / per for a, b in zip(sample["on"], sample["off"], strict=True))
            )  # type: ignore[arg-type]
        found[name] = {
            "caller": asdict(figure(a for a, _ in added)),
            "process": asdict(figure(b for _, b in added)),
        }
    patches.to("on")
    return found


def kept(native: bool) -> dict[str, float]:
    """Memory held for one large call of a growing history, then per 1,000 calls, while nothing is sent."""
    create, said = create_of("anthropic", client("anthropic", native)), messages()
    asked = request_of("anthropic", said, tools=True)
    news = [{"role": "user", "content": f"and what of case {n}? " * 5} for n in range(KEPT_CALLS)]
    for _ in range(20):
        create(**asked)
    time.sleep(0.5)
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for new in news:
        said.append(new)
        create(**asked)
    time.sleep(1.0)
    gc.collect()
    per_call_kb = (tracemalloc.get_traced_memory()[0] - before) / KEPT_CALLS / 1024
    tracemalloc.stop()
    found = {"kb per queued call": per_call_kb}
    for part in ("first", "second"):
        gc.collect()
        began = resident_mb()
        for _ in range(STUCK_CALLS):
            create(**asked)
        time.sleep(1.0)
        gc.collect()
        found[f"mb per 1,000, {part} calls"] = (resident_mb() - began) * 1_000 / STUCK_CALLS
    return found


def main() -> None:
    """Measure, and say it as JSON."""
    peer, collector, what, *more = sys.argv[1:]
    setup, _, distributions = PEERS[peer]
    stuck = what == "kept"
    exporter = OTLPSpanExporter(collector)
    processor = BatchSpanProcessor(exporter, schedule_delay_millis=10**8 if stuck else 5_000)
    before = attributes()
    gc.collect()
    began, memory = time.perf_counter(), resident_mb()
    flush = setup(processor)
    took = time.perf_counter() - began
    gc.collect()
    grown = resident_mb() - memory
    native = peer == "anthropic SDK"
    result: dict[str, Any] = {
        "versions": {name: importlib.metadata.version(name) for name in distributions},
        "sdks": {"openai": openai.__version__, "anthropic": anthropic.__version__},
    }
    if what == "start":
        result["start"] = {"s": took, "mb": grown}
    elif stuck:
        result["kept"] = kept(native)
    else:
        patches = Patches(before)
        result["patched"] = len(patches)
        result["calls"] = calls(patches, flush, native, int(more[0]))
    print(json.dumps(result), flush=True)
    os._exit(0)  # how a process ends is measured elsewhere


if __name__ == "__main__":
    main()
