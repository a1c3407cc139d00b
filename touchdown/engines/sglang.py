"""SGLang. Read at 0.5.23 (source; recorded answers, metrics and spans)."""

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

NO_REPORT = "start SGLang with --enable-cache-report"
NO_META = "SGLang tells it in whole answers to chats alone, and in its spans"
NO_METRICS = "start SGLang with --enable-metrics: without it meta_info has no times"
SPAN_ONLY = "only SGLang's own spans tell it"
SPAN = "gen_ai.latency."
WAITING = "prefill_waiting"
SESSIONS = frozenset({"session_id", "session_params"})
"""Of a request: only one of them may be there."""
TRANSFERS = ("prefill_transfer_kv_cache", "decode_transferred")


class Sglang(Struct, frozen=True):
    """Its queue time is every stay in the wait queue, loads from storage and stays after a retraction too."""

    id: str = "sglang"
    title: str = "SGLang"
    metrics_path: str = "/metrics"
    span_signs: frozenset[str] = frozenset({"rid"})
    steps: frozenset[str] = frozenset({WAITING, *TRANSFERS})
    ranks: tuple[str, str] = "sglang_num_running_reqs", "dp_rank"
    counters: tuple[Counter, ...] = (
        Counter("requests", ("sglang_num_requests_total",)),
        Counter("prompt_tokens", ("sglang_prompt_tokens_total",)),
        Counter("cached_tokens", ("sglang_cached_tokens_total",)),
        # Its own request at start-up is in here, and not in the two above.
        Counter("computed_tokens", ("sglang_realtime_tokens_total",), ("mode", "prefill_compute")),
        Counter("queue_s", ("sglang_queue_time_seconds_sum",)),
        Counter("retractions", ("sglang_num_retracted_requests_total",)),
        Counter("kv_load_s", ("sglang_load_back_duration_seconds_sum",)),
    )

    def recognises(self, page: Exposition) -> bool:
        """By its prefix."""
        return page.has("sglang_")

    def block_tokens(self, page: Exposition) -> int | None:
        """Its page size; 1 is usual."""
        return whole_of(page.value("sglang_page_size"))

    def fields(
        self, api: str, body: Mapping[str, object], session: str = ""
    ) -> Mapping[str, object]:
        """``return_meta_info``, which it refuses with a stream, and the session that its events name."""
        if api != "chat.completions":
            return {}
        asked: dict[str, object] = {}
        if "return_meta_info" not in body and not body.get("stream"):
            asked["return_meta_info"] = True
        if session and body.keys().isdisjoint(SESSIONS):
            asked["session_id"] = session
        return asked

    def read(self, told: Told) -> EngineTiming:
        """``meta_info`` of the first choice."""
        found = Figures(self.id, block_tokens=told.block_tokens)
        choices = first_of(told.parts, "choices")
        first = choices[0] if isinstance(choices, (list, tuple)) and choices else None
        said = field_of(first, "meta_info")
        if said is None:
            found.usage(told.usage, NO_REPORT)
            return found.done(NO_META)
        found.count("cached_tokens", field_of(said, "cached_tokens"), "meta_info.cached_tokens")
        prompt = as_number(field_of(said, "prompt_tokens"))
        found.count("prompt_tokens", prompt, "meta_info.prompt_tokens")
        if prompt is not None and "cached_tokens" in found.values:
            computed = prompt - found.values["cached_tokens"]
            found.count("computed_tokens", computed, "meta_info", "derived")
        found.count("requeues", field_of(said, "num_retractions"), "meta_info.num_retractions")
        found.lacks(NO_REPORT, "cached_tokens", "computed_tokens", "prompt_tokens")
        rank = as_number(field_of(said, "dp_rank"))
        found.worker = f"dp{rank:g}" if rank is not None else ""
        _times(found, said)
        found.lacks(SPAN_ONLY, "fabric_ns", "prefill_beside_ns")
        return found.done(NO_METRICS)

    def serves(self, span: EngineSpan) -> bool:
        """Its span ``Req ...``, with the server's role before that where it has one."""
        return span.attributes.get("module") == "sglang::request" and "rid" in span.attributes

    def read_request(self, span: EngineSpan) -> EngineTiming:
        """That span and the slices below it.

        The root's ``time_in_queue`` is never set, and its ``time_in_model_prefill`` holds the queue.
        """
        root, slices = span.attributes, span.steps
        found = Figures(self.id)
        for name, key in (
            ("prompt_tokens", "gen_ai.usage.prompt_tokens"),
            ("cached_tokens", "gen_ai.usage.cached_tokens"),
        ):
            found.count(name, root.get(key), key)
        if {"prompt_tokens", "cached_tokens"} <= found.values.keys():
            computed = found.values["prompt_tokens"] - found.values["cached_tokens"]
            found.count("computed_tokens", computed, "gen_ai.usage", "derived")
        prefill = as_number(root.get(SPAN + "time_in_model_prefill"))
        first = as_number(root.get(SPAN + "time_to_first_token"))
        waited = slices.get(WAITING)
        moved = [slices[name] for name in TRANSFERS if name in slices]
        found.seconds("queue_ns", waited, WAITING)
        if moved:
            found.seconds("fabric_ns", sum(moved), " + ".join(n for n in TRANSFERS if n in slices))
        if prefill is not None and waited is not None:
            source = f"{SPAN}time_in_model_prefill - {WAITING}"
            found.seconds("prefill_ns", max(prefill - waited, 0.0), source, "derived")
        if prefill is not None and first is not None:
            source = f"{SPAN}time_to_first_token - time_in_model_prefill"
            found.seconds("frontend_ns", max(first - prefill, 0.0), source, "derived")
        for name, key in (("decode_ns", "time_in_model_decode"), ("total_ns", "e2e")):
            found.seconds(name, root.get(SPAN + key), SPAN + key)
        found.lacks("its slices were sampled away", "queue_ns", "prefill_ns")
        found.lacks(ONE_WORKER, "fabric_ns")
        return found.done("SGLang's spans do not tell it")


def _times(found: Figures, said: object) -> None:
    """Durations only: its moments are of its own clock, and used as differences."""
    times = {name: as_number(field_of(said, name)) for name in MOMENTS}
    queue = as_number(field_of(said, "queue_time"))
    waits = [as_number(field_of(said, f"storage_{name}_wait")) for name in ("prefetch", "staging")]
    if any(waits):
        loaded = sum(filter(None, waits))
        found.seconds("kv_load_ns", loaded, "meta_info.storage_*_wait")
        if queue is not None:
            source = "meta_info.queue_time - storage_*_wait"
            found.seconds("queue_ns", max(queue - loaded, 0.0), source, "derived")
    else:
        found.seconds("queue_ns", queue, "meta_info.queue_time")
    for name, end, start in (
        ("frontend_ns", "api_server_dispatch_finish_ts", "request_received_ts"),
        ("prefill_ns", "prefill_finished_time", "forward_entry_time"),
    ):
        later, earlier = times[end], times[start]
        if later is not None and earlier is not None:
            found.seconds(name, later - earlier, f"meta_info.{end} - {start}", "derived")
    total, first = as_number(field_of(said, "e2e_latency")), times["first_token_latency"]
    found.seconds("total_ns", total, "meta_info.e2e_latency")
    if total is not None and first is not None:
        source = "meta_info.e2e_latency - first_token_latency"
        found.seconds("decode_ns", total - first, source, "derived")
    if found.values.get("requeues"):
        # It waited again after its first token: that stay is in its queue time and in its decode.
        found.weaken("queue_ns")
        found.weaken("decode_ns")
    else:
        _not_twice(found.values)
    found.lacks("nothing was loaded from storage, or SGLang does not tell it", "kv_load_ns")


def _not_twice(values: dict[str, int]) -> None:
    """Its front end looks at the clock after it handed on: the scheduler may have begun by then."""
    others = ("queue_ns", "kv_load_ns", "prefill_ns", "decode_ns")
    if values.keys() >= {"frontend_ns", "decode_ns", "total_ns"}:
        rest = values["total_ns"] - sum(values.get(name, 0) for name in others)
        values["frontend_ns"] = min(values["frontend_ns"], max(rest, 0))


MOMENTS = (
    "api_server_dispatch_finish_ts",
    "request_received_ts",
    "prefill_finished_time",
    "forward_entry_time",
    "first_token_latency",
)
