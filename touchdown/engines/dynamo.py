"""NVIDIA Dynamo's frontend and router. Read at 1.6.1 (metric names, recorded answers and metrics)."""

from collections.abc import Mapping

from msgspec import Struct

from touchdown.engines.engine import (
    ONE_WORKER,
    EngineSpan,
    Figures,
    Told,
    as_number,
    field_of,
    first_of,
    whole_of,
)
from touchdown.engines.exposition import Counter, Exposition
from touchdown.records import EngineTiming

EXTRA = ("timing", "worker_id")
ASKED = frozenset({"chat.completions"})
"""The APIs whose requests may carry ``nvext``; in others it is an unknown field, and refused."""

SILENT = "the answer has no nvext.timing"
NO_USAGE = "the worker reports no cached tokens"
MERGED = "Dynamo's frontend has it inside the prefill"
BLIND = "Dynamo's frontend does not tell it"
ONE_PIECE = "the worker's tokens came in one piece: the first is no earlier than the last"
FASTEST_MS = 0.05
"""No engine decodes a token in less: below it the frontend's clock saw the answer arrive, not begin."""
FEW_TOKENS = 4

MOVED = "kv_transfer_estimated_latency_ms"
"""Where one worker prefills and another decodes: from the prefill's end to the first token of the decode."""

AT_WORKER = "handle_payload"
"""A worker's span of all that it did for a request."""

_ROUTER = "dynamo_component_router_"


class Dynamo(Struct, frozen=True):
    """Its times are the frontend's: the prefill holds the worker's own queue, and all of them are estimates.

    Cached tokens are the worker's usage. The router's ``kv_hit_rate`` is a forecast and is not read.
    """

    id: str = "dynamo"
    title: str = "NVIDIA Dynamo"
    metrics_path: str = "/metrics"
    span_signs: frozenset[str] = frozenset({"uri"})
    steps: frozenset[str] = frozenset({AT_WORKER})
    ranks: tuple[str, str] = "dynamo_frontend_worker_active_decode_blocks", "dp_rank"
    counters: tuple[Counter, ...] = (
        Counter("requests", ("dynamo_frontend_requests_total",)),
        Counter("prompt_tokens", ("dynamo_frontend_input_sequence_tokens_sum",)),
        Counter("cached_tokens", ("dynamo_frontend_cached_tokens_sum",)),
        Counter(
            "best_eligible_tokens",
            (
                f"{_ROUTER}kv_best_eligible_cached_prefix_tokens_total",
                "dynamo_frontend_kv_best_eligible_cached_prefix_tokens_total",
            ),
        ),
        Counter(
            "selected_tokens",
            (
                f"{_ROUTER}kv_selected_cached_prefix_tokens_total",
                "dynamo_frontend_kv_selected_cached_prefix_tokens_total",
            ),
        ),
    )

    def recognises(self, page: Exposition) -> bool:
        """By the prefixes of its frontend and of its workers."""
        return page.has("dynamo_frontend_") or page.has("dynamo_component_")

    def block_tokens(self, page: Exposition) -> int | None:
        """What the frontend says of the workers of its model."""
        return whole_of(page.value("dynamo_frontend_model_kv_cache_block_size"))

    def fields(
        self, api: str, body: Mapping[str, object], session: str = ""
    ) -> Mapping[str, object]:
        """``nvext.extra_fields``, beside what the request has there already."""
        if api not in ASKED:
            return {}
        given = body.get("nvext")
        given = given if isinstance(given, Mapping) else {}
        wanted = given.get("extra_fields")
        wanted = list(wanted) if isinstance(wanted, (list, tuple)) else []
        missing = [name for name in EXTRA if name not in wanted]
        return {"nvext": {**given, "extra_fields": [*wanted, *missing]}} if missing else {}

    def read(self, told: Told) -> EngineTiming:
        """``nvext`` of a whole answer, or of the chunk with the finish reason."""
        found = Figures(self.id, block_tokens=told.block_tokens)
        found.usage(told.usage, NO_USAGE)
        said = first_of(told.parts, "nvext")
        found.worker = _worker(field_of(said, "worker_id"))
        timing = field_of(said, "timing")
        if timing is None:
            return found.done(SILENT)
        before, first, total = (
            as_number(field_of(timing, name))
            for name in ("prefill_wait_time_ms", "ttft_ms", "total_time_ms")
        )
        waiting = as_number(field_of(timing, "router_queue_depth"))
        # Tokenising, routing and the router's queue in one: a queue only where somebody waited in it.
        queued = waiting is not None and waiting > 0
        found.milliseconds(
            "queue_ns" if queued else "frontend_ns",
            before,
            "nvext.timing.prefill_wait_time_ms",
            "estimated",
        )
        _tokens(found, timing, (first, total), told.usage.output)
        found.milliseconds("total_ns", total, "nvext.timing.total_time_ms")
        found.lacks("Dynamo has it inside the queue of its router", "frontend_ns")
        if _is_one(field_of(said, "worker_id")):
            found.lacks(ONE_WORKER, "fabric_ns")
        found.lacks(MERGED, "queue_ns", "kv_load_ns", "fabric_ns")
        return found.done(BLIND)

    def serves(self, span: EngineSpan) -> bool:
        """The frontend's span ``http-request`` of one that a model answered."""
        told = span.attributes
        return span.name == "http-request" and "uri" in told and "output_tokens" in told

    def read_request(self, span: EngineSpan) -> EngineTiming:
        """What the frontend says there: counts, workers, and times of its own.

        What a worker that did the whole request says of it lies within: the rest is front end.
        """
        found, told = Figures(self.id), span.attributes
        found.count("prompt_tokens", told.get("input_tokens"), "input_tokens")
        found.worker = str(told.get("prefill_worker_id") or told.get("decode_worker_id") or "")
        first, total = as_number(told.get("ttft_ms")), span.lasted_s * 1e3
        found.milliseconds("total_ns", total, "the length of http-request")
        if _in_one_piece(first, total, whole_of(told.get("output_tokens"))):
            found.lacks(ONE_PIECE, "decode_ns")
        elif first is not None:
            source = "the length of http-request - ttft_ms"
            found.milliseconds("decode_ns", max(total - first, 0.0), source, "estimated")
        inside = span.steps.get(AT_WORKER)
        if inside is not None and _is_one(told):
            source = f"the length of http-request - {AT_WORKER}"
            found.seconds("frontend_ns", max(span.lasted_s - inside, 0.0), source, "derived")
        found.lacks("its span does not tell it", "cached_tokens", "computed_tokens")
        found.lacks("its span has it inside the time to the first token", *BEFORE_FIRST)
        return found.done(BLIND)


def _tokens(
    found: Figures,
    timing: object,
    first_and_total: tuple[float | None, float | None],
    output: int | None,
) -> None:
    """From the dispatch to the last token. Units: milliseconds.

    Where another worker decodes, the time to the first token ends with the prefill, which makes it.
    """
    first, total = first_and_total
    moved = as_number(field_of(timing, MOVED))
    found.milliseconds("fabric_ns", moved, f"nvext.timing.{MOVED}", "estimated")
    begun = first if first is None or moved is None else first + moved
    if _in_one_piece(begun, total, output):
        found.lacks(ONE_PIECE, "prefill_ns", "decode_ns")
        return
    prefill = field_of(timing, "prefill_time_ms")
    found.milliseconds("prefill_ns", prefill, "nvext.timing.prefill_time_ms", "estimated")
    if begun is not None and total is not None:
        source = "nvext.timing.total_time_ms - ttft_ms" + (f" - {MOVED}" if moved else "")
        found.milliseconds("decode_ns", total - begun, source, "estimated")


BEFORE_FIRST = ("frontend_ns", "queue_ns", "kv_load_ns", "fabric_ns", "prefill_ns")


def _in_one_piece(first: float | None, total: float | None, output: int | None) -> bool:
    """Whether the tokens behind the first came too fast to have been decoded one by one."""
    if first is None or total is None or not output or output < FEW_TOKENS:
        return False
    return (total - first) / (output - 1) < FASTEST_MS


def _is_one(said: object) -> bool:
    """Whether one worker prefilled and decoded."""
    prefill, decode = (field_of(said, f"{role}_worker_id") for role in ("prefill", "decode"))
    return prefill is not None and prefill == decode


def _worker(said: object) -> str:
    """Whose cache the prompt was looked up in: the prefill's, which is the decode's where they are one."""
    for role in ("prefill", "decode"):
        worker = field_of(said, f"{role}_worker_id")
        if worker is not None:
            rank = field_of(said, f"{role}_dp_rank")
            return f"{worker}/{rank}" if rank else str(worker)
    return ""
