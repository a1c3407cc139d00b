"""Dynamo's figures where one worker prefills and another decodes, as its frontend 1.6.1 gave them here."""

from typing import Any

import pytest

from touchdown.engines.dynamo import AT_WORKER, MERGED, ONE_PIECE, Dynamo
from touchdown.engines.engine import ONE_WORKER, EngineSpan, Told
from touchdown.records import EngineTiming, Usage

TIMING: dict[str, Any] = {
    "request_received_ms": 1796021121785,
    "prefill_wait_time_ms": 9.068572,
    "prefill_time_ms": 62.723675,
    "ttft_ms": 71.792247,
    "total_time_ms": 214.932592,
    "kv_hit_rate": 0.0,
    "router_queue_depth": 0,
    "kv_transfer_estimated_latency_ms": 10.14133,
}
WORKERS = {
    "prefill_worker_id": 12965980624124671643,
    "prefill_dp_rank": 0,
    "decode_worker_id": 13580000540466886751,
    "decode_dp_rank": 0,
}


def read(workers: dict[str, int] = WORKERS, **changes: Any) -> EngineTiming:
    timing = {name: value for name, value in {**TIMING, **changes}.items() if value is not None}
    nvext = {"timing": timing, "worker_id": workers}
    return Dynamo().read(Told(({"nvext": nvext},), Usage(uncached=1512, cache_read=0, output=20)))


def test_what_lies_between_prefill_and_decode_is_the_transfer() -> None:
    timing = read()
    assert timing.phases_ns == {
        "frontend_ns": 9_068_572,
        "fabric_ns": 10_141_330,
        "prefill_ns": 62_723_675,
        "decode_ns": 132_999_015,
    }
    assert sum(timing.phases_ns.values()) == timing.total_ns
    assert {timing.basis[name] for name in timing.phases_ns} == {"estimated"}
    assert timing.worker == "12965980624124671643"


def test_one_worker_moves_nothing_and_an_older_frontend_does_not_tell() -> None:
    name = "kv_transfer_estimated_latency_ms"
    one = {**WORKERS, "decode_worker_id": WORKERS["prefill_worker_id"]}
    assert read(one, **{name: None}).not_observable["fabric_ns"] == ONE_WORKER
    assert read(**{name: None}).not_observable["fabric_ns"] == MERGED


def test_tokens_that_came_in_one_piece_behind_the_transfer() -> None:
    timing = read(total_time_ms=82.0)
    assert timing.decode_ns is None
    assert timing.not_observable["decode_ns"] == ONE_PIECE
    assert timing.fabric_ns == 10_141_330


@pytest.mark.parametrize(
    ("decode", "steps", "frontend_ns"),
    [
        ("7", {AT_WORKER: 0.9}, 100_000_000),
        ("7", {}, None),
        ("8", {AT_WORKER: 0.9}, None),  # of two workers, who may have worked at once
    ],
)
def test_what_the_worker_did_not_take_is_front_end(
    decode: str, steps: dict[str, float], frontend_ns: int | None
) -> None:
    told = {"output_tokens": "20", "ttft_ms": "300", "prefill_worker_id": "7"}
    timing = Dynamo().read_request(
        EngineSpan("http-request", "", {**told, "decode_worker_id": decode}, 1.0, steps)
    )
    assert timing.frontend_ns == frontend_ns
    assert (timing.basis.get("frontend_ns") == "derived") is (frontend_ns is not None)
