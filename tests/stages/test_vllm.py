"""A real vLLM (``VLLM_URL``), on a CPU too: what it says of each request, and what it counted of them all.

Its spans come to ``VLLM_OTLP_PORT``. ``bash ci/stages/vllm.sh`` starts it.
"""

import os
import time
from typing import Any

import anthropic
import openai
import pytest

import touchdown
from tests.stages.talk import (
    PATIENCE_S,
    SETTLE_S,
    ask,
    ask_as_claude,
    begin,
    counted_by,
    go_on,
    phases_add_up,
)
from tests.telemetry.receiver import Receiver, plain_attributes, receiving
from touchdown.engines.engine import EngineSpan
from touchdown.engines.hosts import HOSTS, EngineHost
from touchdown.engines.vllm import Vllm
from touchdown.records import ModelCall
from touchdown.runtime import core
from touchdown.testing import Capture, capture

pytestmark = pytest.mark.stage_vllm

TURNS, AS_CLAUDE = 5, 5


def spans_of(receiver: Receiver, calls: list[ModelCall]) -> dict[str, Any]:
    """The engine's own span of each call, by the span that it is a child of."""
    wanted = {call.span_id for call in calls}
    deadline = time.monotonic() + SETTLE_S
    while True:
        told = [span for span in receiver.spans() if span.name == "llm_request"]
        found = {span.parent_span_id.hex(): span for span in told}
        if wanted <= found.keys() or time.monotonic() > deadline:
            return {name: found[name] for name in wanted}
        time.sleep(0.2)


def converse(seen: Capture, host: EngineHost) -> list[ModelCall]:
    messages = begin("vllm")
    with (
        openai.OpenAI(base_url=f"{host.url}/v1", api_key="none", timeout=PATIENCE_S) as client,
        anthropic.Anthropic(base_url=host.url, api_key="none", timeout=PATIENCE_S) as claude,
        touchdown.task("mend the option"),
    ):
        for turn in range(TURNS):
            go_on(messages, ask(client, messages, stream=turn % 2 == 1), turn)
        for turn in range(TURNS, TURNS + AS_CLAUDE):
            go_on(messages, ask_as_claude(claude, messages, stream=turn % 2 == 1), turn)
    return seen.calls


def test_a_conversation_of_two_sdks() -> None:
    host = touchdown.engine(os.environ["VLLM_URL"])
    host.look()
    assert (host.engine, host.problem) == ("vllm", "")
    with (
        receiving(port=int(os.environ["VLLM_OTLP_PORT"])) as receiver,
        capture(stream_usage=True) as seen,
    ):
        calls = converse(seen, host)
        spans = spans_of(receiver, calls)
    HOSTS.forget(host)
    assert len(calls) == TURNS + AS_CLAUDE
    assert calls[0].usage.cache_read in (0, None)
    assert all(call.usage.cache_read for call in calls[1:])
    assert counted_by(host, "requests", len(calls)) == len(calls)
    check_sums(host, calls)
    check_times(seen, calls)
    for call in calls:
        check_span(call, spans[call.span_id])


def check_sums(host: EngineHost, calls: list[ModelCall]) -> None:
    """The sums over the calls are what the engine's own counters went up by."""
    told = [call.engine for call in calls if call.engine is not None]
    assert len(told) == len(calls)
    counted = host.counted.figures
    assert counted["prompt_tokens"] == sum(timing.prompt_tokens or 0 for timing in told)
    assert counted["cached_tokens"] == sum(timing.cached_tokens or 0 for timing in told)
    assert counted["cached_tokens"] == sum(call.usage.cache_read or 0 for call in calls)
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
    (account,) = seen.accounts
    whole = account.time
    assert whole.work_ns + sum(whole.taxes.values()) + whole.unexplained_ns == whole.total_ns
    assert whole.taxes["queue"] == sum(c.engine.queue_ns or 0 for c in calls if c.engine)


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
        calls = converse(seen, host)
        runtime = core.active()
        assert runtime is not None
        collector: Any = runtime.collector
        assert collector.problem == ""
        deadline = time.monotonic() + SETTLE_S
        while collector.counts.get("parent", 0) < len(calls) and time.monotonic() < deadline:
            time.sleep(0.2)
            seen.account  # noqa: B018  takes in what has come
        assert collector.counts["parent"] == len(calls)
        (account,) = seen.accounts
    HOSTS.forget(host)
    told = sum(call.engine.queue_ns or 0 for call in calls[:TURNS] if call.engine)
    assert account.time.taxes["queue"] > told
    assert "queue" not in account.not_observable
    whole = account.time
    assert whole.work_ns + sum(whole.taxes.values()) + whole.unexplained_ns == whole.total_ns
