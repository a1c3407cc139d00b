"""Engines that need a GPU to run, read from the texts of their own repositories.

Sources: NVIDIA/TensorRT-LLM ``tensorrt_llm/serve/scripts/time_breakdown/README.md`` at 21bcac5 (the two
forms of ``/perf_metrics``); ai-dynamo/dynamo ``docs/observability/metrics_examples/trtllm.log`` at ce30a76
(a scrape, here without the series of Dynamo's own worker); lightseekorg/tokenspeed
``docs/configuration/server.md`` at 026340f (a line of its log).
"""

from typing import Any

import pytest

from touchdown.engines.engine import EngineSpan, Told
from touchdown.engines.exposition import counted, read_exposition
from touchdown.engines.registry import recognise
from touchdown.engines.sglang import Sglang
from touchdown.engines.tensorrt_llm import TensorRtLlm
from touchdown.engines.tokenspeed import STATS, TokenSpeed, read_log_line
from touchdown.records import EngineTiming, Usage


def record(*moments: float, **more: float) -> dict[str, Any]:
    names = (
        "server_arrival_time",
        "arrival_time",
        "first_scheduled_time",
        "first_token_time",
        "server_first_token_time",
    )
    return {"perf_metrics": {"timing_metrics": {**dict(zip(names, moments, strict=True)), **more}}}


def test_one_tensorrt_llm_server() -> None:
    timing = TensorRtLlm().read_perf_metrics(record(1.000, 1.002, 1.005, 1.025, 1.027))
    assert timing.phases_ns == {
        "frontend_ns": 2_000_000,
        "queue_ns": 3_000_000,
        "prefill_ns": 20_000_000,
    }
    assert timing.basis["queue_ns"] == "derived"
    assert timing.decode_ns is None
    assert timing.not_observable["fabric_ns"].endswith("by one worker")


def test_tensorrt_llm_with_a_last_token() -> None:
    told = record(1.0, 1.002, 1.005, 1.025, 1.027, last_token_time=1.525)
    timing = TensorRtLlm().read_perf_metrics(told)
    assert (timing.decode_ns, timing.total_ns) == (500_000_000, 525_000_000)
    assert sum(timing.phases_ns.values()) == timing.total_ns


def test_tensorrt_llm_with_a_context_and_a_generation_server() -> None:
    told = {
        "ctx_perf_metrics": {"request_id": 3, **record(2.000, 2.003, 2.008, 2.035, 2.038)},
        "gen_perf_metrics": record(
            2.050,
            2.052,
            2.055,
            2.080,
            2.083,
            last_token_time=2.380,
            kv_cache_transfer_start=2.0525,
            kv_cache_transfer_end=2.0545,
        ),
        "disagg_server_arrival_time": 1.995,
        "disagg_server_first_token_time": 2.090,
    }
    timing = TensorRtLlm().read_perf_metrics(told)
    assert timing.phases_ns == {
        "frontend_ns": 3_000_000,
        "queue_ns": 5_000_000,
        "fabric_ns": 2_000_000,
        "prefill_ns": 27_000_000,
        "decode_ns": 300_000_000,
    }


@pytest.mark.parametrize(
    "told", [{}, {"perf_metrics": None}, {"perf_metrics": {"timing_metrics": []}}]
)
def test_tensorrt_llm_without_moments(told: dict[str, Any]) -> None:
    timing = TensorRtLlm().read_perf_metrics(told)
    assert timing.phases_ns == {}
    assert timing.not_observable["queue_ns"] == "/perf_metrics does not tell it"


TRTLLM = """\
# HELP trtllm_request_success_total Count of successfully processed requests.
# TYPE trtllm_request_success_total counter
trtllm_request_success_total{engine_type="trtllm",finished_reason="length",model_name="Qwen/Qwen3-0.6B"} 2.0
trtllm_request_success_created{engine_type="trtllm",model_name="Qwen/Qwen3-0.6B"} 1.76e+09
trtllm_e2e_request_latency_seconds_bucket{engine_type="trtllm",le="0.3",model_name="Qwen/Qwen3-0.6B"} 0.0
trtllm_e2e_request_latency_seconds_count{engine_type="trtllm",model_name="Qwen/Qwen3-0.6B"} 2.0
trtllm_request_queue_time_seconds_count{engine_type="trtllm",model_name="Qwen/Qwen3-0.6B"} 2.0
trtllm_request_queue_time_seconds_sum{engine_type="trtllm",model_name="Qwen/Qwen3-0.6B"} 0.25
"""


@pytest.mark.parametrize("text", [TRTLLM, TRTLLM.replace("trtllm_", "")], ids=["today", "1.0"])
def test_tensorrt_llms_metrics_with_and_without_their_prefix(text: str) -> None:
    page = read_exposition(text)
    found, problem = recognise(page)
    assert (found, problem) == (TensorRtLlm(), "")
    assert counted(read_exposition(""), page, TensorRtLlm().counters).figures == {
        "requests": 2.0,
        "queue_s": 0.25,
    }


def test_tensorrt_llms_answers_hold_tokens_and_no_times() -> None:
    timing = TensorRtLlm().read(Told((), Usage(uncached=10, cache_read=32, output=3)))
    assert (timing.prompt_tokens, timing.cached_tokens, timing.computed_tokens) == (42, 32, 10)
    assert "hands each out only once" in timing.not_observable["queue_ns"]


LINE = (
    "Req: chatcmpl-019ef6b7 Finish! RequestStats(status='finished', reason='stop', prompt_tokens=28684, "
    "cache_tokens=832, output_tokens=33, cache_hit_rate=0.029, queue_ms=13.8, prefill_ms=15.8, ttft_ms=42.1, "
    "total_ms=58.0, preempt_ms=0.0, preempt_count=0, decode_tps=210.4, acc_len=None, acc_rate=None, "
    "recv_ts=1782255696.726, commit_ts=1782255696.74, finish_ts=1782255696.784)"
)


def stats(line: str) -> EngineTiming:
    logged = read_log_line(line)
    assert logged is not None
    return TokenSpeed().read_request(EngineSpan(STATS, "", logged.said, 0.0))


def test_tokenspeeds_line_of_one_request() -> None:
    line = f"[2026-06-23 14:21:36] {LINE}\n"
    logged = read_log_line(line)
    assert logged is not None
    assert logged.request_id == "chatcmpl-019ef6b7"
    assert (logged.began_s, logged.ended_s) == (1782255696.726, 1782255696.784)
    timing = stats(line)
    assert (timing.prompt_tokens, timing.cached_tokens) == (28_684, 832)
    assert timing.phases_ns == {
        "frontend_ns": 12_500_000,
        "queue_ns": 13_800_000,
        "prefill_ns": 15_800_000,
        "decode_ns": 15_900_000,
    }
    assert sum(timing.phases_ns.values()) == timing.total_ns == 58_000_000
    assert timing.prefill_beside_ns == 0
    assert timing.basis["prefill_beside_ns"] == "measured"


def test_tokenspeed_hands_over_what_others_prefill_took_of_the_decode() -> None:
    timing = stats(LINE.replace("preempt_ms=0.0", "preempt_ms=9.25"))
    assert timing.prefill_beside_ns == 9_250_000
    assert (timing.decode_ns or 0) > 9_250_000


def test_tokenspeeds_request_that_was_aborted_in_the_queue() -> None:
    aborted = LINE.replace("prefill_ms=15.8", "prefill_ms=0.0").replace(
        "ttft_ms=42.1", "ttft_ms=0.0"
    )
    timing = stats(aborted)
    assert timing.not_observable["prefill_ns"] == "the request did not come so far"
    assert timing.queue_ns == 13_800_000


@pytest.mark.parametrize(
    "line", ["", "Req: a Finish! Accept_num_tokens_avg=1.0", "Decode batch. #running-req: 3"]
)
def test_other_lines_of_its_log_are_passed_over(line: str) -> None:
    assert read_log_line(line) is None


META = {
    "id": "r1",
    "prompt_tokens": 100,
    "cached_tokens": 60,
    "num_retractions": 0,
    "queue_time": 0.25,
    "request_received_ts": 1_795_000_000.0,
    "api_server_dispatch_finish_ts": 1_795_000_000.004,
    "forward_entry_time": 1_795_000_000.260,
    "prefill_finished_time": 1_795_000_000.300,
    "first_token_latency": 0.305,
    "e2e_latency": 0.805,
}
"""The names of SGLang 0.5.23 (``srt/managers/tokenizer_manager.py``), made-up figures."""


def sglang(**changed: object) -> Any:
    meta = {name: value for name, value in {**META, **changed}.items() if value is not None}
    return Sglang().read(Told(({"choices": [{"meta_info": meta}]},), Usage(uncached=100)))


def test_sglangs_meta_info() -> None:
    timing = sglang()
    assert (timing.prompt_tokens, timing.cached_tokens, timing.computed_tokens) == (100, 60, 40)
    assert timing.queue_ns == 250_000_000
    assert timing.decode_ns == 500_000_000
    assert timing.total_ns == 805_000_000
    assert abs((timing.prefill_ns or 0) - 40_000_000) < 1_000  # a difference of epoch seconds
    assert abs((timing.frontend_ns or 0) - 4_000_000) < 1_000


def test_what_sglangs_scheduler_began_before_its_front_end_noted_it_counts_once() -> None:
    timing = sglang(api_server_dispatch_finish_ts=1_795_000_000.020)
    assert sum(timing.phases_ns.values()) == timing.total_ns
    assert abs((timing.frontend_ns or 0) - 15_000_000) < 1_000
    assert sglang(first_token_latency=0.280).frontend_ns == 0
    odd = sglang(e2e_latency=-1.0, first_token_latency=-2.0)
    assert (odd.total_ns, odd.queue_ns) == (None, 250_000_000)


def test_sglangs_loads_from_storage_are_taken_out_of_its_queue() -> None:
    timing = sglang(storage_prefetch_wait=0.1, storage_staging_wait=0.05)
    assert (timing.queue_ns, timing.kv_load_ns) == (100_000_000, 150_000_000)


def test_a_retraction_makes_sglangs_queue_and_decode_estimates() -> None:
    timing = sglang(num_retractions=2)
    assert timing.requeues == 2
    assert (timing.basis["queue_ns"], timing.basis["decode_ns"]) == ("estimated", "estimated")
    assert sglang().basis["queue_ns"] == "measured"


def test_sglang_without_metrics_says_so() -> None:
    timing = sglang(**{name: None for name in META if name.endswith(("time", "ts", "latency"))})
    assert timing.phases_ns == {}
    assert "--enable-metrics" in timing.not_observable["queue_ns"]
    assert timing.cached_tokens == 60
