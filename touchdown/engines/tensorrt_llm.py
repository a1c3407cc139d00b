"""TensorRT-LLM's ``trtllm-serve``. Read at its main branch of 2026 and at 1.2.1; it needs a GPU to run."""

from collections.abc import Mapping

from msgspec import Struct

from touchdown.engines.engine import ONE_WORKER, EngineSpan, Figures, Told, as_number, field_of
from touchdown.engines.exposition import Counter, Exposition
from touchdown.records import EngineTiming

NO_DETAILS = "the answer's usage has no cached tokens"
NOT_IN_ANSWER = (
    "TensorRT-LLM's answers hold no times; /perf_metrics has them, and hands each out only once"
)
SPAN = "gen_ai.latency."
_OLD = ("e2e_request_latency_seconds_count", "request_queue_time_seconds_count")


class TensorRtLlm(Struct, frozen=True):
    """``/metrics`` is a queue that reading empties, so it is not read; nor is ``/perf_metrics``.

    Its metrics had no prefix in 1.0 and 1.1, and ``trtllm_`` since.
    """

    id: str = "tensorrt_llm"
    title: str = "TensorRT-LLM"
    metrics_path: str = "/prometheus/metrics"
    span_signs: frozenset[str] = frozenset({SPAN + "e2e"})
    steps: frozenset[str] = frozenset()
    ranks: tuple[str, str] = "", ""
    counters: tuple[Counter, ...] = (
        Counter("requests", ("trtllm_request_success_total", "request_success_total")),
        Counter("prompt_tokens", ("trtllm_prompt_tokens_total",)),
        Counter("cached_tokens", ("trtllm_prompt_cached_tokens_total",)),
        Counter(
            "queue_s",
            ("trtllm_request_queue_time_seconds_sum", "request_queue_time_seconds_sum"),
        ),
        Counter("prefill_s", ("trtllm_request_prefill_time_seconds_sum",)),
        Counter("decode_s", ("trtllm_request_decode_time_seconds_sum",)),
    )

    def recognises(self, page: Exposition) -> bool:
        """By its prefix, or by the two histograms that it had without one."""
        return page.has("trtllm_") or all(name in page.series for name in _OLD)

    def block_tokens(self, page: Exposition) -> int | None:
        """Its tokens per block, where its gauges are on."""
        value = page.value("trtllm_kv_cache_tokens_per_block")
        return int(value) if value else None

    def fields(
        self, api: str, body: Mapping[str, object], session: str = ""
    ) -> Mapping[str, object]:
        """Nothing."""
        return {}

    def read(self, told: Told) -> EngineTiming:
        """The usage alone."""
        found = Figures(self.id, block_tokens=told.block_tokens)
        found.usage(told.usage, NO_DETAILS)
        return found.done(NOT_IN_ANSWER)

    def read_perf_metrics(self, record: Mapping[str, object]) -> EngineTiming:
        """One record of ``/perf_metrics``: of one server, or of a context and a generation server.

        Units: its moments are seconds of a steady clock, 0 where nothing was noted.
        """
        found = Figures(self.id)
        context = record.get("ctx_perf_metrics")
        if not isinstance(context, Mapping):
            _one_server(found, record)
            found.lacks(ONE_WORKER, "fabric_ns")
            return found.done("/perf_metrics does not tell it")
        generation = record.get("gen_perf_metrics")
        first = _Moments(context)
        second = _Moments(generation if isinstance(generation, Mapping) else {})
        _context(found, first)
        found.seconds("decode_ns", second.between("first_token_time", "last_token_time"), DECODE)
        moved = second.between("kv_cache_transfer_start", "kv_cache_transfer_end")
        found.seconds("fabric_ns", moved, "kv_cache_transfer_end - start", "derived")
        server = record.get("gen_server")
        found.worker = server if isinstance(server, str) else ""
        _reused(found, context)
        found.lacks("the generation server has it inside its own queue", "fabric_ns")
        return found.done("/perf_metrics does not tell it")

    def serves(self, span: EngineSpan) -> bool:
        """Its span ``llm_request``, whose attributes are some of vLLM's."""
        inside = SPAN + "time_in_model_inference" in span.attributes
        return span.name == "llm_request" and SPAN + "e2e" in span.attributes and not inside

    def read_request(self, span: EngineSpan) -> EngineTiming:
        """Its moments by their differences: arrival, first scheduled, first token, last token."""
        found, told = Figures(self.id), span.attributes
        found.count("prompt_tokens", told.get(PROMPT), PROMPT)
        queue, first, total = (
            as_number(told.get(SPAN + name))
            for name in ("time_in_queue", "time_to_first_token", "e2e")
        )
        found.seconds("queue_ns", queue, SPAN + "time_in_queue")
        found.seconds("total_ns", total, SPAN + "e2e")
        if first is not None and queue is not None:
            source = f"{SPAN}time_to_first_token - time_in_queue"
            found.seconds("prefill_ns", first - queue, source, "derived")
        if first is not None and total is not None:
            source = f"{SPAN}e2e - time_to_first_token"
            found.seconds("decode_ns", total - first, source, "derived")
        found.lacks("TensorRT-LLM's span does not tell it", "cached_tokens", "computed_tokens")
        return found.done("TensorRT-LLM's span does not tell it")


PROMPT = "gen_ai.usage.prompt_tokens"
DECODE = "last_token_time - first_token_time"


class _Moments:
    """The ``timing_metrics`` of one server."""

    def __init__(self, record: Mapping[str, object]) -> None:
        self._times = field_of(record.get("perf_metrics"), "timing_metrics")

    def between(self, start: str, end: str) -> float | None:
        """Seconds from one moment to another; ``None`` where one was not noted."""
        first, last = (as_number(field_of(self._times, name)) for name in (start, end))
        return last - first if first and last else None


def _one_server(found: Figures, record: Mapping[str, object]) -> None:
    moments = _Moments(record)
    _context(found, moments)
    found.seconds(
        "decode_ns", moments.between("first_token_time", "last_token_time"), DECODE, "derived"
    )
    total = moments.between("server_arrival_time", "last_token_time")
    found.seconds("total_ns", total, "last_token_time - server_arrival_time", "derived")
    _reused(found, record)


def _context(found: Figures, moments: _Moments) -> None:
    """What comes before the first token, on the server that prefills."""
    queue = moments.between("arrival_time", "first_scheduled_time")
    found.seconds("queue_ns", queue, "first_scheduled_time - arrival_time", "derived")
    prefill = moments.between("first_scheduled_time", "first_token_time")
    found.seconds("prefill_ns", prefill, "first_token_time - first_scheduled_time", "derived")
    # Handing over the first token goes on beside the decode, so it is not counted here.
    before = moments.between("server_arrival_time", "arrival_time")
    found.seconds("frontend_ns", before, "arrival_time - server_arrival_time", "derived")


def _reused(found: Figures, record: Mapping[str, object]) -> None:
    """It counts blocks here, the last one perhaps half full: tokens are in the answer's usage."""
    found.lacks("/perf_metrics counts blocks, not tokens", "cached_tokens", "computed_tokens")
    found.lacks("/perf_metrics does not tell it", "prompt_tokens")
