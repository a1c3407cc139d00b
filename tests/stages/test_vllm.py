"""A real vLLM (``VLLM_URL``), on a CPU too: what it says of each request, and what it counted of them all.

Started by hand with ``--enable-per-request-metrics --enable-prompt-tokens-details`` on a model named ``tiny``
(``ci/tiny_model.py`` and ``--load-format dummy`` will do).
"""

import os

import anthropic
import openai
import pytest

import touchdown
from tests.stages.talk import PATIENCE_S, ask, ask_as_claude, begin, counted_by, go_on
from touchdown.engines.hosts import HOSTS
from touchdown.testing import capture

pytestmark = pytest.mark.stage_vllm


def test_a_conversation_of_two_sdks() -> None:
    url = os.environ["VLLM_URL"]
    host = touchdown.engine(url)
    host.look()
    assert (host.engine, host.problem) == ("vllm", "")
    messages = begin("vllm")
    with (
        openai.OpenAI(base_url=f"{url}/v1", api_key="none", timeout=PATIENCE_S) as client,
        anthropic.Anthropic(base_url=url, api_key="none", timeout=PATIENCE_S) as claude,
        capture(stream_usage=True) as seen,
        touchdown.task("mend the option"),
    ):
        for turn in range(5):
            go_on(messages, ask(client, messages, stream=turn % 2 == 1), turn)
        for turn in range(5, 7):
            go_on(messages, ask_as_claude(claude, messages, stream=turn % 2 == 1), turn)
    HOSTS.forget(host)
    first, *others = calls = seen.calls
    assert first.usage.cache_read in (0, None)
    assert all(call.usage.cache_read for call in others)
    told = [call.engine for call in calls if call.engine is not None]
    assert len(told) == len(calls)
    assert counted_by(host, "requests", len(calls)) == len(calls)
    counted = host.counted.figures
    assert counted["prompt_tokens"] == sum(timing.prompt_tokens or 0 for timing in told)
    assert counted["cached_tokens"] == sum(timing.cached_tokens or 0 for timing in told)
    for call, timing in zip(calls[:5], told, strict=False):
        assert timing.phases_ns.keys() == {"queue_ns", "prefill_ns", "decode_ns"}
        assert {timing.basis[name] for name in timing.phases_ns} == {"measured"}
        assert sum(timing.phases_ns.values()) == timing.total_ns
        assert (timing.total_ns or 0) < call.duration_ns
        assert call.id in call.response_id  # it took the request id that was sent with the call
    for name in ("queue", "prefill", "decode"):
        mine = sum(timing.phases_ns.get(f"{name}_ns", 0) for timing in told) / 1e9
        assert mine < counted[f"{name}_s"]  # the two in Anthropic's form tell no times
