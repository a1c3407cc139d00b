"""A real vLLM (``VLLM_URL``), on a CPU too: what it says of each request, and what it counted of them all.

Its spans come to ``VLLM_OTLP_PORT``. ``bash ci/stages/vllm.sh`` starts it.
"""

import os
from typing import Any

import pytest

import touchdown
from tests.stages.checks import (
    joined_in_process,
    phases_add_up,
    spans_below,
    sums_are_counted,
    time_adds_up,
)
from tests.stages.talk import TURNS, converse
from tests.telemetry.receiver import plain_attributes, receiving
from touchdown.engines.engine import EngineSpan
from touchdown.engines.host import EngineHost
from touchdown.engines.hosts import HOSTS
from touchdown.engines.vllm import Vllm
from touchdown.records import ModelCall
from touchdown.testing import Capture, capture

pytestmark = pytest.mark.stage_vllm


def test_a_conversation_of_two_sdks() -> None:
    host = touchdown.engine(os.environ["VLLM_URL"])
    host.look()
    assert (host.engine, host.problem) == ("vllm", "")
    with (
        receiving(port=int(os.environ["VLLM_OTLP_PORT"])) as receiver,
        capture(stream_usage=True) as seen,
    ):
        converse(host, "vllm")
        calls = seen.calls
        spans = spans_below(receiver, calls, lambda span: span.name == "llm_request")
    HOSTS.forget(host)
    assert len(calls) == 2 * TURNS
    first, *others = (call.usage.cache_read or 0 for call in calls)
    assert first < others[0]
    assert all(others)
    sums_are_counted(host, calls)
    check_counted_times(host, calls)
    check_times(seen, calls)
    for call in calls:
        check_span(call, spans[call.span_id])


def check_counted_times(host: EngineHost, calls: list[ModelCall]) -> None:
    told = [call.engine for call in calls if call.engine is not None]
    counted = host.counted.figures
    for name in ("queue", "prefill", "decode"):
        mine = sum(timing.phases_ns.get(f"{name}_ns", 0) for timing in told) / 1e9
        assert mine < counted[f"{name}_s"]  # those in Anthropic's form tell no times


def check_times(seen: Capture, calls: list[ModelCall]) -> None:
    for call in calls[:TURNS]:
        timing = call.engine
        assert timing is not None
        assert timing.phases_ns.keys() == {"queue_ns", "prefill_ns", "decode_ns"}
        assert {timing.basis[name] for name in timing.phases_ns} == {"measured"}
        assert sum(timing.phases_ns.values()) == timing.total_ns
        assert (timing.total_ns or 0) < call.duration_ns
        assert call.id in call.response_id  # it took the request id that was sent with the call
    for call in calls:
        phases_add_up(call)
    time_adds_up(seen)
    (account,) = seen.accounts
    assert account.time.taxes["queue"] == sum(c.engine.queue_ns or 0 for c in calls if c.engine)


def check_span(call: ModelCall, span: Any) -> None:
    """One trace, and in it the same request with the same figures."""
    assert span.trace_id.hex() == call.trace_id
    attributes = plain_attributes(span)
    assert call.id in attributes["gen_ai.request.id"]
    lasted_s = (span.end_time_unix_nano - span.start_time_unix_nano) / 1e9
    told = Vllm().read_request(EngineSpan(span.name, "", attributes, lasted_s))
    assert call.engine is not None
    assert told.prompt_tokens == call.usage.input_tokens
    assert attributes["gen_ai.usage.completion_tokens"] == call.usage.output
    assert (told.total_ns or 0) < call.duration_ns
    if call.engine.prefill_ns is not None:
        for name in ("queue_ns", "prefill_ns", "decode_ns"):
            assert getattr(told, name) == pytest.approx(getattr(call.engine, name), abs=1000)


def test_its_spans_tell_what_its_answers_do_not() -> None:
    """Collected inside the process: an answer in Anthropic's form tells no times, the span of it does."""
    host = touchdown.engine(os.environ["VLLM_URL"])
    host.look()
    with capture(stream_usage=True, collect=int(os.environ["VLLM_OTLP_PORT"])) as seen:
        converse(host, "collected")
        calls = seen.calls
        counts = joined_in_process(seen, ("parent",), len(calls))
        assert counts["parent"] == len(calls)
        (account,) = seen.accounts
    HOSTS.forget(host)
    told = sum(call.engine.queue_ns or 0 for call in calls[:TURNS] if call.engine)
    assert account.time.taxes["queue"] > told
    assert "queue" not in account.not_observable
    time_adds_up(seen)
