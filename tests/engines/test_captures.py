"""What real engines said of one conversation parses to the figures written here."""

import pytest

from tests.engines.captured import page_of, span_of, spans, timings
from touchdown.engines.exposition import counted
from touchdown.engines.registry import engine_of, recognise
from touchdown.engines.sglang import Sglang
from touchdown.engines.vllm import Vllm
from touchdown.records import EngineTiming
from touchdown.records.engine import FIGURES

PROMPTS = [512, 763, 1014, 1265, 1516]


def tokens(found: list[EngineTiming]) -> list[tuple[int | None, int | None]]:
    return [(timing.prompt_tokens, timing.cached_tokens) for timing in found]


@pytest.mark.parametrize(
    ("kind", "engine", "name", "prompts", "cached"),
    [
        ("dynamo", "dynamo", "responses.json", PROMPTS, [0, 512, 752, 1008, 1264]),
        ("dynamo", "dynamo-vllm", "kvevents-responses.json", PROMPTS[:4], [0, 512, 736, 992]),
        ("vllm", "vllm", "responses.json", PROMPTS, [0, 512, 640, 896, 1152]),
        ("vllm", "vllm", "flags-responses.json", PROMPTS[:4], [0, 512, 736, 992]),
        (
            "sglang",
            "sglang",
            "responses.json",
            [p + 30 for p in PROMPTS],
            [0, 542, 793, 1044, 1295],
        ),
        ("vllm", "smg", "responses.json", PROMPTS[:4], [0, 512, 736, 992]),
    ],
)
def test_the_tokens_of_each_turn(
    kind: str, engine: str, name: str, prompts: list[int], cached: list[int]
) -> None:
    found = timings(kind, engine, name)
    assert tokens(found) == list(zip(prompts, cached, strict=True))
    for timing in found:
        assert timing.computed_tokens == (timing.prompt_tokens or 0) - (timing.cached_tokens or 0)
        assert timing.basis["cached_tokens"] == "measured"
        assert timing.basis["computed_tokens"] == "derived"


@pytest.mark.parametrize(
    ("kind", "engine", "before", "after", "figures"),
    [
        (
            "vllm",
            "vllm",
            "metrics-server-before.txt",
            "metrics-server-after.txt",
            {"requests": 5, "prompt_tokens": 5070, "cached_tokens": 3200, "computed_tokens": 1870},
        ),
        (
            "sglang",
            "sglang",
            "metrics-server-before.txt",
            "metrics-server-after.txt",
            {"requests": 5, "prompt_tokens": 5220, "cached_tokens": 3674, "computed_tokens": 1546},
        ),
        (
            "dynamo",
            "dynamo",
            "metrics-frontend-before.txt",
            "metrics-frontend-after.txt",
            {"requests": 5, "prompt_tokens": 5070, "cached_tokens": 3536},
        ),
        (
            "dynamo",
            "dynamo",
            "concurrent-metrics-frontend-before.txt",
            "concurrent-metrics-frontend-after.txt",
            {"requests": 24, "best_eligible_tokens": 9536, "selected_tokens": 8800},
        ),
    ],
)
def test_counters_grew_by_what_the_answers_say(
    kind: str, engine: str, before: str, after: str, figures: dict[str, float]
) -> None:
    page = page_of(engine, after)
    found, problem = recognise(page)
    assert (found, problem) == (engine_of(kind), "")
    assert found is not None
    grown = counted(page_of(engine, before), page, found.counters)
    assert {name: grown.figures[name] for name in figures} == figures


@pytest.mark.parametrize(("engine", "name", "tokens"), [
    ("vllm", "metrics-server-before.txt", 128),
    ("vllm", "flags-metrics-server-after.txt", 32),
    ("sglang", "metrics-server-after.txt", 1),
    ("dynamo", "metrics-frontend-after.txt", 16),
    ("dynamo-vllm", "kvevents-metrics-frontend-after.txt", 32),
])  # fmt: skip
def test_the_block_of_the_cache_is_in_the_metrics(engine: str, name: str, tokens: int) -> None:
    page = page_of(engine, name)
    found, _ = recognise(page)
    assert found is not None
    assert found.block_tokens(page) == tokens


def test_the_metrics_of_a_router_are_no_engine_of_ours() -> None:
    found, problem = recognise(page_of("smg", "metrics-gateway-after.txt"))
    assert found is None
    assert problem == "its metrics are those of no engine that is known here"


def test_vllm_starts_its_first_token_at_scheduling_so_the_queue_is_beside_it() -> None:
    timing = timings("vllm", "vllm", "flags-responses.json")[0]
    assert timing.phases_ns == {
        "queue_ns": 71_697,
        "prefill_ns": 29_161_050,
        "decode_ns": 92_962_919,
    }
    assert timing.total_ns == sum(timing.phases_ns.values())
    assert timing.basis["total_ns"] == "derived"
    assert timing.evidence["prefill_ns"] == "metrics.time_to_first_token_ms"
    assert timing.not_observable["requeues"] == "vLLM counts it for all requests together only"


def test_vllm_without_its_switch_says_which_one_it_is() -> None:
    timing = timings("vllm", "vllm")[0]
    assert timing.phases_ns == {}
    assert "--enable-per-request-metrics" in timing.not_observable["queue_ns"]


def test_vllms_span_has_no_front_end_so_it_is_the_rest() -> None:
    (span, *rest) = [row for row in spans("vllm") if row["name"] == "llm_request"]
    timing = Vllm().read_request(span_of(span))
    assert timing.queue_ns == 30_225
    assert timing.prefill_ns == 100_913_592
    assert timing.decode_ns == 199_733_870
    assert timing.total_ns == 311_062_098
    assert timing.frontend_ns == 10_384_411
    assert abs(sum(timing.phases_ns.values()) - timing.total_ns) <= 2
    assert "cached_tokens" in timing.not_observable
    assert len(rest) == 4


def test_sglangs_queue_is_a_slice_and_is_taken_out_of_its_prefill() -> None:
    rows = spans("sglang")
    roots = [row for row in rows if row["name"].startswith(" Req")]
    found = [Sglang().read_request(span_of(row, rows)) for row in roots]
    assert sorted(tokens(found), key=str) == sorted(
        [(1, 0), (542, 0), (793, 542), (1044, 793)], key=str
    )
    for root, timing in zip(roots, found, strict=True):
        attributes = root["attributes"]
        whole = round(attributes["gen_ai.latency.time_in_model_prefill"] * 1e9)
        assert timing.queue_ns is not None
        assert timing.prefill_ns is not None
        assert 0 < timing.queue_ns < 2_000_000
        assert abs(timing.queue_ns + timing.prefill_ns - whole) <= 1
        assert timing.frontend_ns is not None
        assert abs(sum(timing.phases_ns.values()) - (timing.total_ns or 0)) <= 2


def test_sglang_without_its_slices_knows_no_queue() -> None:
    root = next(row for row in spans("sglang") if row["name"].startswith(" Req"))
    timing = Sglang().read_request(span_of(root))
    assert timing.queue_ns is None
    assert timing.not_observable["queue_ns"] == "its slices were sampled away"
    assert timing.decode_ns is not None


def test_dynamos_times_are_estimates_and_its_workers_usage_is_not() -> None:
    timing = timings("dynamo", "dynamo")[-1]
    assert timing.worker == "11731975439582334656"
    assert timing.phases_ns == {
        "frontend_ns": 4_090_385,
        "prefill_ns": 4_334_318,
        "decode_ns": 15_052_983,
    }
    assert {timing.basis[name] for name in timing.phases_ns} == {"estimated"}
    assert timing.basis["cached_tokens"] == "measured"
    assert timing.total_ns == 23_477_686


def test_dynamo_before_a_real_engine_on_a_busy_machine_cannot_tell_prefill_from_decode() -> None:
    found = timings("dynamo", "dynamo-vllm", "kvevents-responses.json")
    assert [timing.decode_ns is None for timing in found] == [False, False, True, True]
    assert "in one piece" in found[2].not_observable["prefill_ns"]


@pytest.mark.parametrize("kind", ["vllm", "sglang", "dynamo"])
def test_every_figure_has_a_basis_or_a_reason(kind: str) -> None:
    for timing in timings(kind, kind):
        for name in FIGURES:
            known = getattr(timing, name) is not None
            assert (name in timing.basis, name in timing.evidence) == (known, known)
            assert (name in timing.not_observable) is not known
