"""The page of engines and taxes: ``python -m tests.engines.tax_table > docs/engine-taxes.md``.

Each engine's own reader is given all that the engine can say, in its own form; the cells are what comes out.
"""

import sys
from collections.abc import Mapping
from typing import Any

import msgspec

from tests.engines.test_beside import STALLED, call, in_one_piece, prefilled
from tests.engines.test_texts import LINE, record, sglang, stats
from touchdown.accounting.time.phases import ENGINE_TAXES
from touchdown.engines.beside import LONG_PREFILL_TOKENS, Prefills
from touchdown.engines.dynamo import AT_WORKER, Dynamo
from touchdown.engines.engine import EngineSpan, Told
from touchdown.engines.kv.events import read_batch
from touchdown.engines.kv.evicted import with_evicted
from touchdown.engines.kv.feeds import KvFeeds
from touchdown.engines.registry import ENGINES
from touchdown.engines.sglang import Sglang
from touchdown.engines.tensorrt_llm import TensorRtLlm
from touchdown.engines.tokenspeed import TokenSpeed
from touchdown.engines.vllm import SPAN, Vllm
from touchdown.records import EngineTiming, Usage

FIELDS: Mapping[str, tuple[str, ...]] = {
    "cache_miss": ("cached_tokens",),
    "cache_expired": ("evicted_tokens",),
    "rerouting": ("worker",),
    **{
        tax: tuple(field for field, named in ENGINE_TAXES.items() if named == tax)
        for tax in ENGINE_TAXES.values()
    },
}
"""A tax and what an engine must tell for it."""

HTTP_REQUEST: Mapping[str, Any] = {"output_tokens": 20, "ttft_ms": 300.0} | dict.fromkeys(
    ("prefill_worker_id", "decode_worker_id"), "7"
)
"""Of Dynamo's frontend, of a request that one worker did."""

USAGE = Usage(uncached=40, cache_read=60, output=20)

HEAD = """\
# Engines and taxes

<!-- Written by python -m tests.engines.tax_table > docs/engine-taxes.md; change the readers instead. -->

What each engine can tell of each tax, of one request, with everything switched on, and on what basis:
`measured`, `derived`, `estimated`; `-` is not observable, for the reason below the table. Where it is read:
in the `answer`; in what the engine writes elsewhere (`span`, `log`, `/perf_metrics`; see
[engines.md](engines.md)); in its cache `events`; from the `waits` of a stream beside other calls of this
process. Where several tell it, the surest is named. How a tax is computed from it:
[accounting.md](accounting.md), [time.md](time.md).

"""


def sources() -> dict[str, dict[str, EngineTiming]]:
    """Engine to what is read of it, by where it is read."""
    latencies = {"e2e": 1.0, "time_in_queue": 0.1, "time_in_model_inference": 0.8}
    latencies |= {"time_in_model_prefill": 0.3, "time_in_model_decode": 0.5}
    vllm_metrics = {"queue_time_ms": 1, "time_to_first_token_ms": 2, "generation_time_ms": 3}
    nvext = {
        "worker_id": {"prefill_worker_id": 7},
        "timing": {
            "prefill_wait_time_ms": 1,
            "prefill_time_ms": 2,
            "ttft_ms": 3,
            "total_time_ms": 9,
            "router_queue_depth": 0,
            "kv_transfer_estimated_latency_ms": 1,
        },
    }
    queued = {**nvext["timing"], "router_queue_depth": 2}
    slices = {"tokenize": 0.001, "prefill_waiting": 0.1, "prefill_transfer_kv_cache": 0.01}
    return {
        "vllm": {
            "answer": Vllm().read(Told(({"metrics": vllm_metrics},), USAGE)),
            "span": Vllm().read_request(_span(latencies)),
        },
        "sglang": {
            "answer": sglang(storage_prefetch_wait=0.1, dp_rank=1),
            "span": Sglang().read_request(_span(latencies, slices)),
        },
        "tensorrt_llm": {
            "answer": TensorRtLlm().read(Told((), USAGE)),
            "span": TensorRtLlm().read_request(_span({**latencies, "time_to_first_token": 0.4})),
            "`/perf_metrics`": TensorRtLlm().read_perf_metrics(
                {
                    "ctx_perf_metrics": record(2.000, 2.003, 2.008, 2.035, 2.038),
                    "gen_perf_metrics": record(
                        *(2.050, 2.052, 2.055, 2.080, 2.083),
                        last_token_time=2.380,
                        kv_cache_transfer_start=2.0525,
                        kv_cache_transfer_end=2.0545,
                    ),
                }
            ),
        },
        "dynamo": {
            "answer": Dynamo().read(Told(({"nvext": nvext},), USAGE)),
            "span": Dynamo().read_request(
                EngineSpan("http-request", "", HTTP_REQUEST, 1.0, {AT_WORKER: 0.9})
            ),
            "answer ": Dynamo().read(Told(({"nvext": {**nvext, "timing": queued}},), USAGE)),
        },
        "tokenspeed": {"answer": TokenSpeed().read(Told((), USAGE)), "log": stats(LINE)},
    }


def _span(latencies: Mapping[str, float], steps: Mapping[str, float] | None = None) -> EngineSpan:
    told = {SPAN + key: value for key, value in latencies.items()}
    return EngineSpan("llm_request", "", told, 1.0, steps or {})


STORED: dict[str, Any] = {"block_hashes": [1], "parent_block_hash": None, "token_ids": []}
STORED |= {"block_size": 16, "type": "BlockStored", "medium": "GPU"}
REMOVED = {"type": "BlockRemoved", "block_hashes": [1], "medium": "GPU"}
EVENTS: Mapping[str, tuple[Any, Any]] = {
    "vllm": (REMOVED, {**STORED, "session_id": "task"}),
    "dynamo": (REMOVED, {**STORED, "session_id": "task"}),
    "sglang": (REMOVED, {**STORED, "session_id": "task"}),
    "tokenspeed": (["BlockRemoved", [1]], ["BlockStored", [1], None, [], 16]),
}
"""An eviction and a store as each publishes them; Dynamo's are its workers'."""


def with_events(engine: str, answer: EngineTiming) -> EngineTiming:
    """The answer, where the engine's own events tell of an eviction before the call."""
    if engine not in EVENTS:
        return answer
    feeds = KvFeeds("tcp://127.0.0.1:1")
    for at_ns, event in zip((80_000_000, 95_000_000), EVENTS[engine], strict=True):
        feeds.all[0].log.fold(read_batch(msgspec.msgpack.encode([0.0, [event]])), at_ns)
    return with_evicted(feeds, call("call", 90, 100, STALLED), answer, frozenset())


def with_waits(answer: EngineTiming) -> EngineTiming:
    """The answer to a stream beside a long and a short prefill."""
    prefills = Prefills()
    for name, tokens, took in (("long", LONG_PREFILL_TOKENS, 100), ("short", 100, 200)):
        prefills.beside(in_one_piece(name, 130, 130 + took), prefilled(took, tokens))
    stream = call("stream", 90, 100, STALLED)
    assert stream.clocks.waits is not None
    return prefills.beside(stream, answer)


ELSEWHERE = ("span", "log", "`/perf_metrics`")
"""Where an engine tells more than in its answer: what is missing there is nowhere."""

ORDER = ("measured", "derived", "estimated")


def cell_of(tax: str, found: Mapping[str, EngineTiming]) -> tuple[str, str]:
    """The cell, and the reason where there is nothing."""
    known: list[tuple[int, str]] = []
    reasons: dict[str, str] = {}
    for place, timing in found.items():
        for field in FIELDS[tax]:
            if field == "worker":
                known += [(0, f"{place} measured")] if timing.worker else []
                reasons[place] = "it does not name its worker"
            elif getattr(timing, field) is not None:
                basis = timing.basis[field]
                known.append((ORDER.index(basis), f"{place.strip()} {basis}"))
            else:
                reasons[place] = timing.not_observable.get(field, "")
    if known:
        return min(known, key=lambda one: one[0])[1], ""
    elsewhere = [why for place, why in reasons.items() if place in ELSEWHERE and why]
    return "-", (elsewhere or list(reasons.values()))[0]


def page_text() -> str:
    """The page as it is published."""
    rows, reasons = [], []
    names = {engine.id: engine.title for engine in ENGINES}
    told = sources()
    for name, found in told.items():
        answer = found["answer"]
        found["events"], found["waits"] = with_events(name, answer), with_waits(answer)
    for tax in FIELDS:
        cells = {name: cell_of(tax, found) for name, found in told.items()}
        rows.append(f"| `{tax}` | " + " | ".join(cell for cell, _ in cells.values()) + " |")
        reasons += [f"- `{tax}`, {names[name]}: {why}" for name, (_, why) in cells.items() if why]
    head = "| Tax | " + " | ".join(names[name] for name in told) + " |"
    lines = [head, "|---" * (len(told) + 1) + "|", *rows, "", "Not observable:", "", *reasons]
    return HEAD + "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(page_text())
