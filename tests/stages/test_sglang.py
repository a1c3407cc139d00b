"""A real SGLang (``SGLANG_URL``) on a CPU: what it says of each request, and what it counted of them all.

Its spans come to ``SGLANG_OTLP_PORT``; ``bash ci/stages/sglang.sh`` starts it. Only its kernels are replaced,
by torch's: scheduler, cache and metrics are its own.
"""

import os
from collections.abc import Iterator
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
from touchdown.engines.host import EngineHost
from touchdown.engines.hosts import HOSTS
from touchdown.records import ModelCall
from touchdown.testing import capture

pytestmark = pytest.mark.stage_sglang

USAGE = "gen_ai.usage."
TOLD_IN_WHOLE = {"frontend_ns", "queue_ns", "prefill_ns", "decode_ns"}


@pytest.fixture
def host() -> Iterator[EngineHost]:
    named = touchdown.engine(os.environ["SGLANG_URL"])
    named.look()
    assert (named.engine, named.problem) == ("sglang", "")
    yield named
    HOSTS.forget(named)


def test_a_conversation_of_two_sdks(host: EngineHost) -> None:
    with (
        receiving(port=int(os.environ["SGLANG_OTLP_PORT"])) as receiver,
        capture(stream_usage=True) as seen,
    ):
        converse(host, "sglang")
        calls = seen.calls
        spans = spans_below(receiver, calls, lambda span: "Req " in span.name)
    assert len(calls) == 2 * TURNS
    first, *others = (call.usage.cache_read or 0 for call in calls)
    assert first < others[0]
    assert all(others)
    sums_are_counted(host, calls)
    for number, call in enumerate(calls):
        check_span(call, spans[call.span_id])
        check_times(call, is_whole=number < TURNS and not call.stream)
        phases_add_up(call)
    time_adds_up(seen)


def check_span(call: ModelCall, span: Any) -> None:
    """One trace, and in it the same request with the same tokens."""
    assert span.trace_id.hex() == call.trace_id
    told = plain_attributes(span)
    assert told[USAGE + "prompt_tokens"] == call.usage.input_tokens
    assert told[USAGE + "completion_tokens"] == call.usage.output
    assert told[USAGE + "cached_tokens"] == (call.usage.cache_read or 0)
    if call.api == "chat.completions":
        assert told["rid"] == call.response_id


def check_times(call: ModelCall, is_whole: bool) -> None:
    """It tells its times in whole answers to chats alone."""
    timing = call.engine
    assert timing is not None
    assert timing.phases_ns.keys() == (TOLD_IN_WHOLE if is_whole else set())
    if is_whole:
        assert sum(timing.phases_ns.values()) <= (timing.total_ns or 0) < call.duration_ns
    else:
        assert "in its spans" in timing.not_observable["queue_ns"]


def test_its_spans_tell_what_its_answers_do_not(host: EngineHost) -> None:
    """Collected inside the process: of streams, and in Anthropic's form, only the spans tell times."""
    with capture(stream_usage=True, collect=int(os.environ["SGLANG_OTLP_PORT"])) as seen:
        converse(host, "collected")
        calls = seen.calls
        counts = joined_in_process(seen, ("parent",), len(calls))
        (account,) = seen.accounts
    assert counts["parent"] == len(calls)
    told = sum(call.engine.queue_ns or 0 for call in calls if call.engine)
    assert account.time.taxes["queue"] > told
    assert {"queue", "runtime_overhead"}.isdisjoint(account.not_observable)
    time_adds_up(seen)
