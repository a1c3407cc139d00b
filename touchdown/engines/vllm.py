"""vLLM. Read at 0.33.0 (source) and 0.32.0 (recorded answers, metrics and spans)."""

from collections.abc import Mapping

from msgspec import Struct

from touchdown.engines.engine import (
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

SILENT = "the answer says nothing of it: start vLLM with --enable-per-request-metrics (n=1 only)"
NO_DETAILS = "start vLLM with --enable-prompt-tokens-details"
INSIDE_PREFILL = "vLLM has it inside the prefill"
TOGETHER = "vLLM counts it for all requests together only"
SPAN_ONLY = "only vLLM's own span tells it"
SPAN = "gen_ai.latency."


class Vllm(Struct, frozen=True):
    """Its ``metrics`` block starts the clock of the first token at scheduling, so it holds no queue.

    A request that is preempted waits again inside the decode: vLLM does not tell this per request.
    """

    id: str = "vllm"
    title: str = "vLLM"
    metrics_path: str = "/metrics"
    span_signs: frozenset[str] = frozenset({SPAN + "e2e"})
    steps: frozenset[str] = frozenset()
    ranks: tuple[str, str] = "vllm_num_requests_running", "engine"
    counters: tuple[Counter, ...] = (
        Counter("requests", ("vllm_request_success_total",)),
        Counter("prompt_tokens", ("vllm_prompt_tokens_total",)),
        Counter(
            "cached_tokens",
            (
                "vllm_prompt_tokens_cached_total",
                "vllm_prefix_cache_hits_total",
                "vllm_gpu_prefix_cache_hits_total",
            ),
        ),
        Counter(
            "computed_tokens", ("vllm_prompt_tokens_by_source_total",), ("source", "local_compute")
        ),
        Counter(
            "queue_s",
            ("vllm_request_queue_time_seconds_sum", "vllm_time_in_queue_requests_sum"),
        ),
        Counter("prefill_s", ("vllm_request_prefill_time_seconds_sum",)),
        Counter("decode_s", ("vllm_request_decode_time_seconds_sum",)),
        Counter("preemptions", ("vllm_num_preemptions_total",)),
        Counter(
            "kv_load_s",
            ("vllm_kv_offload_load_time_total", "vllm_kv_offload_total_time_total"),
        ),
        Counter(
            "transfer_s", ("vllm_nixl_xfer_time_seconds_sum", "vllm_mooncake_xfer_time_seconds_sum")
        ),
    )

    def recognises(self, page: Exposition) -> bool:
        """By its prefix."""
        return page.has("vllm_")

    def block_tokens(self, page: Exposition) -> int | None:
        """From the labels of its configuration."""
        return whole_of(page.label("vllm_cache_config_info", "block_size"))

    def fields(
        self, api: str, body: Mapping[str, object], session: str = ""
    ) -> Mapping[str, object]:
        """Nothing: its switches are the server's."""
        return {}

    def read(self, told: Told) -> EngineTiming:
        """``metrics`` of a whole answer, or of a stream's last chunk."""
        found = Figures(self.id, block_tokens=told.block_tokens)
        found.usage(told.usage, NO_DETAILS)
        said = first_of(told.parts, "metrics")
        if said is None:
            return found.done(SILENT)
        found.milliseconds("queue_ns", field_of(said, "queue_time_ms"), "metrics.queue_time_ms")
        found.milliseconds(
            "prefill_ns",
            field_of(said, "time_to_first_token_ms"),
            "metrics.time_to_first_token_ms",
        )
        found.milliseconds(
            "decode_ns", field_of(said, "generation_time_ms"), "metrics.generation_time_ms"
        )
        phases = [found.values.get(name) for name in ("queue_ns", "prefill_ns", "decode_ns")]
        if None not in phases:
            found.count("total_ns", sum(filter(None, phases)), "the sum of the three", "derived")
        found.lacks(SPAN_ONLY, "frontend_ns")
        return _rest(found)

    def serves(self, span: EngineSpan) -> bool:
        """Its span ``llm_request``; TensorRT-LLM's has the same name and no time in the model."""
        return span.name == "llm_request" and SPAN + "time_in_model_inference" in span.attributes

    def read_request(self, span: EngineSpan) -> EngineTiming:
        """The attributes of that span.

        Its time to the first token starts at arrival and ends when the API server has it, while the engine
        decodes on: it is not used.
        """
        attributes = span.attributes
        found = Figures(self.id)
        found.count(
            "prompt_tokens",
            attributes.get("gen_ai.usage.prompt_tokens"),
            "gen_ai.usage.prompt_tokens",
        )
        for name, key in (
            ("queue_ns", "time_in_queue"),
            ("prefill_ns", "time_in_model_prefill"),
            ("decode_ns", "time_in_model_decode"),
            ("total_ns", "e2e"),
        ):
            found.seconds(name, attributes.get(SPAN + key), SPAN + key)
        total, queue, inside = (
            as_number(attributes.get(SPAN + key))
            for key in ("e2e", "time_in_queue", "time_in_model_inference")
        )
        if total is not None and queue is not None and inside is not None:
            source = "e2e - time_in_queue - time_in_model_inference"
            found.seconds("frontend_ns", max(total - queue - inside, 0.0), source, "derived")
        found.lacks("vLLM's span does not tell it", "cached_tokens", "computed_tokens")
        return _rest(found)


def _rest(found: Figures) -> EngineTiming:
    found.lacks(INSIDE_PREFILL, "kv_load_ns", "fabric_ns")
    found.lacks(TOGETHER, "requeues")
    found.lacks("vLLM does not tell what else was in a request's batches", "prefill_beside_ns")
    return found.done("vLLM does not tell it")
