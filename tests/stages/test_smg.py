"""The gateway SMG (``SMG_URL``) before a real vLLM (``VLLM_URL``): one trace, the engine's own figures."""

import os
import time
from collections.abc import Iterator
from typing import Any

import pytest

import touchdown
from tests.stages.checks import SETTLE_S, phases_add_up, sums_are_counted
from tests.stages.talk import TURNS, converse
from tests.telemetry.receiver import Receiver, plain_attributes, receiving
from touchdown.engines.host import EngineHost
from touchdown.engines.hosts import HOSTS
from touchdown.testing import capture

pytestmark = pytest.mark.stage_vllm


@pytest.fixture
def engine() -> Iterator[EngineHost]:
    """vLLM itself, of which only the counters are read."""
    named = touchdown.engine(os.environ["VLLM_URL"], "vllm")
    named.look()
    yield named
    HOSTS.forget(named)


@pytest.fixture
def gateway() -> Iterator[EngineHost]:
    named = touchdown.engine(os.environ["SMG_URL"], "vllm")
    yield named
    HOSTS.forget(named)


def spans_in(receiver: Receiver, trace_id: str) -> list[dict[str, Any]]:
    """What vLLM tells of the requests of one trace."""
    deadline = time.monotonic() + SETTLE_S
    while True:
        told = [
            plain_attributes(span)
            for span in receiver.spans()
            if span.name == "llm_request" and span.trace_id.hex() == trace_id
        ]
        if len(told) >= TURNS or time.monotonic() > deadline:
            return told
        time.sleep(0.2)


def test_a_conversation_through_a_gateway(engine: EngineHost, gateway: EngineHost) -> None:
    with (
        receiving(port=int(os.environ["VLLM_OTLP_PORT"])) as receiver,
        capture(stream_usage=True) as seen,
    ):
        converse(gateway, "gateway", as_claude=0)
        calls = seen.calls
        (trace_id,) = {call.trace_id for call in calls}
        spans = spans_in(receiver, trace_id)
    prompts = [call.usage.input_tokens for call in calls]
    assert sorted(span["gen_ai.usage.prompt_tokens"] for span in spans) == prompts
    assert all(call.usage.cache_read for call in calls[1:])
    sums_are_counted(engine, calls)
    for call in calls:
        phases_add_up(call)
