"""A model call as a CLIENT span: what is known, and nothing for what is not."""

import pytest
from msgspec.structs import replace

from tests.telemetry.conftest import Seen, memory_provider
from tests.telemetry.samples import BARE_CALL, BEGAN_NS, CALL, CALL_START, TOOK_NS, VERDICT
from touchdown.records import CallVerdict, ModelCall, Segment, TaskRecord, Usage
from touchdown.telemetry import SpanSink

BARE_ATTRIBUTES = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-5",
    "gen_ai.agent.name": "reviewer",
    "server.address": "api.openai.com",
    "server.port": 443,
    "openai.api.type": "responses",
    "touchdown.call.id": "call-1",
    "touchdown.call.api": "responses",
    "touchdown.call.vendor": "openai",
    "touchdown.call.status": "ok",
    "touchdown.task.id": "task-1",
    "touchdown.agent.id": "agent-1",
    "touchdown.usage.completeness": "none",
    "touchdown.context.sequence": 0,
    "touchdown.span.number": 1,
}
"""What is said of the least call in its task."""
CHECK = "touchdown.span.check"
IMPLICIT = "touchdown.task.implicit"


def show(seen: Seen, call: ModelCall, verdict: CallVerdict | None = None) -> dict[str, object]:
    opened = seen.sink.open(CALL_START)
    assert opened is not None
    opened.close(call, verdict)
    shown = seen.only()["attributes"]
    assert isinstance(shown, dict)
    assert len(shown.pop(CHECK)) == 8
    return shown


def test_a_call_of_which_little_is_known(seen: Seen) -> None:
    opened = seen.sink.open(CALL_START)
    assert opened is not None
    opened.close(BARE_CALL, None)
    span = seen.only()
    assert len(span["attributes"].pop(CHECK)) == 8
    assert span == {
        "name": "chat gpt-5",
        "kind": "CLIENT",
        "began_ns": BEGAN_NS,
        "ended_ns": BEGAN_NS + TOOK_NS,
        "status": "UNSET",
        "attributes": BARE_ATTRIBUTES | {IMPLICIT: True},
    }


def test_spans_say_which_conventions_they_follow(seen: Seen) -> None:
    opened = SpanSink(tracer_provider=seen.provider, version="0.1").open(CALL_START)
    assert opened is not None
    opened.close(BARE_CALL, None)
    scope = seen.memory.get_finished_spans()[0].instrumentation_scope
    assert scope is not None
    assert (scope.name, scope.version) == ("touchdown", "0.1")
    assert scope.schema_url == "https://opentelemetry.io/schemas/gen-ai-dev/1.42.0-dev"


ENGINE = [
    'engine="dynamo"',
    'worker="11731975439582334656"',
    "block_tokens=16",
    "prompt_tokens=1000",
    "cached_tokens=800",
    "computed_tokens=200",
    "frontend_ns=1200345",
    "kv_load_ns=0",
    "prefill_ns=4885207",
    "decode_ns=13759889",
    "starved_ns=1000001",
    'starved_by="call-7"',
    "total_ns=21344833",
    'basis={"prefill_ns": "estimated", "total_ns": "measured"}',
    'evidence={"prefill_ns": "nvext.timing.prefill_time_ms"}',
    'not_observable={"queue_ns": "Dynamo\'s frontend has it inside the prefill"}',
]


ALL_THAT_IS_KNOWN = BARE_ATTRIBUTES | {
    "gen_ai.conversation.id": "conversation-1",
    "gen_ai.request.stream": True,
    "gen_ai.request.max_tokens": 512,
    "gen_ai.request.temperature": 0.5,
    "gen_ai.request.previous_response.id": "resp_0",
    "gen_ai.response.id": "resp_1",
    "gen_ai.response.model": "gpt-5-2026-08-07",
    "gen_ai.response.finish_reasons": ["stop"],
    "gen_ai.response.time_to_first_chunk": 0.4,
    "gen_ai.usage.input_tokens": 1_000,
    "gen_ai.usage.output_tokens": 50,
    "gen_ai.usage.cache_read.input_tokens": 800,
    "gen_ai.usage.cache_write.input_tokens": 100,
    "gen_ai.usage.reasoning.output_tokens": 20,
    "http.response.status_code": 200,
    "http.request.resend_count": 2,
    "openai.response.service_tier": "default",
    "touchdown.task.name": "fix issue",
    "touchdown.request.parameters": [
        "max_output_tokens=512",
        "temperature=0.5",
        'verbosity="low"',
        "n=1",
    ],
    "touchdown.call.chunks": 12,
    "touchdown.call.service_tier": "default",
    "touchdown.call.speed": "standard",
    "touchdown.call.geography": "eu",
    "touchdown.call.batch": True,
    "touchdown.usage.completeness": "full",
    "touchdown.usage.uncached_tokens": 100,
    "touchdown.usage.cache_write_5m_tokens": 60,
    "touchdown.usage.cache_write_1h_tokens": 40,
    "touchdown.usage.server_tools.names": ["web_search"],
    "touchdown.usage.server_tools.requests": [2],
    "touchdown.output.text_chars": 80,
    "touchdown.output.reasoning_chars": 60,
    "touchdown.output.tool_requests.names": ["read_file"],
    "touchdown.output.tool_requests.ids": ["toolu_2"],
    "touchdown.output.tool_requests.chars": [25],
    "touchdown.context.tokens": 1_000,
    "touchdown.context.chars": 4_000,
    "touchdown.context.segments": 6,
    "touchdown.context.shared_segments": 4,
    "touchdown.context.new_segments": 2,
    "touchdown.context.sequence": 3,
    "touchdown.context.predecessor.call.id": "call-0",
    "touchdown.context.digest": "dd",
    "touchdown.context.opaque.reason": "server-side state",
    "touchdown.context.shares_basis": "estimated",
    "touchdown.context.system.tokens": 760,
    "touchdown.context.system.chars": 3_070,
    "touchdown.context.assistant.tokens": 10,
    "touchdown.context.assistant.chars": 30,
    "touchdown.context.tool_result.tokens": 230,
    "touchdown.context.tool_result.chars": 900,
    "touchdown.context.new.kinds": ["assistant", "tool_result"],
    "touchdown.context.new.chars": [30, 900],
    "touchdown.context.new.tokens": [0, 260],
    "touchdown.context.new.digests": ["d4", "d5"],
    "touchdown.context.new.roles": ["assistant", "user"],
    "touchdown.context.new.tool_call_ids": ["", "toolu_1"],
    "touchdown.context.new.tool_names": ["", "run_tests"],
    "touchdown.context.new.cache_lives": ["", "5m"],
    "touchdown.context.new.result_digests": ["", "r5"],
    "touchdown.context.new.failed": [False, True],
    "touchdown.context.parameters.names": ["tool_choice"],
    "touchdown.context.parameters.digests": ["p1"],
    "touchdown.cache.state": "partial",
    "touchdown.cache.requested": "explicit",
    "touchdown.cache.scope": "scope-1",
    "touchdown.cache.reusable_tokens": 900,
    "touchdown.cache.read_tokens": 800,
    "touchdown.cache.missed_tokens": 100,
    "touchdown.cache.misses.causes": ["expired", "history_edited"],
    "touchdown.cache.misses.taxes": ["cache_expired", "cache_miss"],
    "touchdown.cache.misses.tokens": [60, 40],
    "touchdown.cache.misses.segments": [4, 5],
    "touchdown.cache.misses.positions": [800, 860],
    "touchdown.cache.misses.kinds": ["assistant", "tool_result"],
    "touchdown.cache.misses.details": ["gap 301 s", ""],
    "touchdown.cache.misses.bases": ["estimated", "estimated"],
    "touchdown.cache.misses.usd": [0.0001, 0.0002],
    "touchdown.cost.usd": 0.0265,
    "touchdown.cost.exact_usd": "0.0265",
    "touchdown.cost.uncached.usd": 0.001,
    "touchdown.cost.cache_read.usd": 0.0002,
    "touchdown.cost.cache_write.usd": 0.0003,
    "touchdown.cost.output.usd": 0.005,
    "touchdown.cost.server_tools.usd": 0.02,
    "touchdown.cost.basis": "estimated",
    "touchdown.cost.basis_reason": "price_assumed_list",
    "touchdown.cost.source": "book 2026-11-20",
    "touchdown.cost.reported_usd": "0.0021",
    "touchdown.attempts.count": 3,
    "touchdown.attempts.statuses": [429, 0],
    "touchdown.attempts.backoff_s": [0.5, 1.0],
    "touchdown.attempts.retry_after_s": [1.0, -1.0],
    "touchdown.attempts.error_types": ["RateLimitError", ""],
    "touchdown.attempts.lasted_s": [0.25, -1.0],
    "touchdown.call.awaited": "tools",
    "touchdown.clock.begun": "[4321,900,80,0]",
    "touchdown.clock.ended": "[4322,950,90,70]",
    "touchdown.clock.call": "[7,1500000007,null,0,2000000000,4000,0,null,90,300,null,[20,3,2500000]]",
    "touchdown.inside.id": "tool-9",
    "touchdown.engine.timing": ENGINE,
}


def test_a_call_of_which_all_is_known(seen: Seen) -> None:
    seen.sink.open(TaskRecord("task-1", "fix issue", BEGAN_NS))
    assert show(seen, CALL, VERDICT) == ALL_THAT_IS_KNOWN


@pytest.mark.parametrize(
    ("usage", "reported"),
    [
        (Usage(), {}),
        (Usage(uncached=0, output=0), {"input_tokens": 0, "output_tokens": 0}),
        (Usage(uncached=7), {"input_tokens": 7}),
        (
            Usage(uncached=7, cache_read=0, cache_write={}),
            {"input_tokens": 7, "cache_read.input_tokens": 0, "cache_write.input_tokens": 0},
        ),
    ],
)
def test_what_was_not_reported_is_absent_and_zero_is_zero(
    seen: Seen, usage: Usage, reported: dict[str, int]
) -> None:
    shown = show(seen, replace(BARE_CALL, usage=usage))
    standard = {name: value for name, value in shown.items() if name.startswith("gen_ai.usage.")}
    assert standard == {f"gen_ai.usage.{name}": tokens for name, tokens in reported.items()}


def test_an_unpriced_call_has_a_reason_and_no_cost(seen: Seen) -> None:
    shown = show(seen, CALL, CallVerdict("call-1", unpriced="unknown model"))
    costs = {name: value for name, value in shown.items() if name.startswith("touchdown.cost.")}
    assert costs == {
        "touchdown.cost.unpriced.reason": "unknown model",
        "touchdown.cost.reported_usd": "0.0021",
    }


@pytest.mark.parametrize(
    ("status", "error_type", "shown"),
    [
        ("error", "openai.RateLimitError", "openai.RateLimitError"),
        ("error", None, "_OTHER"),
        ("cancelled", None, "cancelled"),
        ("cancelled", "asyncio.CancelledError", "asyncio.CancelledError"),
        ("closed_early", None, None),
        ("not_read", None, None),
        ("not_started", None, None),
    ],
)
def test_how_a_call_ended(
    seen: Seen, status: str, error_type: str | None, shown: str | None
) -> None:
    call = replace(BARE_CALL, status=status, error_type=error_type)
    opened = seen.sink.open(CALL_START)
    assert opened is not None
    opened.close(call, None)
    span = seen.only()
    assert span["attributes"]["touchdown.call.status"] == status
    assert span["attributes"].get("error.type") == shown
    assert span["status"] == ("UNSET" if shown is None else "ERROR")
    assert span.get("description") == shown


def test_a_broken_stream_has_error_where_a_reason_was_expected(seen: Seen) -> None:
    cut = replace(BARE_CALL, stream=True, chunks=3, status="closed_early")
    assert show(seen, cut)["gen_ai.response.finish_reasons"] == ["error"]


def test_a_successor_names_the_span_of_its_predecessor(seen: Seen) -> None:
    first = seen.sink.open(CALL_START)
    second = seen.sink.open(replace(CALL_START, id="call-2"))
    assert first is not None
    assert second is not None
    first.close(BARE_CALL, None)
    context = replace(BARE_CALL.context, predecessor="call-1", sequence=1)
    second.close(replace(BARE_CALL, id="call-2", context=context), None)
    shown = seen.spans()[1]["attributes"]
    assert shown["touchdown.context.predecessor.call.id"] == "call-1"
    assert shown["touchdown.context.predecessor.span.id"] == first.span_id


def test_a_long_list_of_new_segments_is_cut_and_says_so(seen: Seen) -> None:
    new = tuple(Segment("user", index, f"d{index}") for index in range(4_097))
    shown = show(seen, replace(BARE_CALL, context=replace(BARE_CALL.context, new=new)))
    assert shown["touchdown.context.new_segments"] == 4_097
    assert shown["touchdown.context.new.chars"] == list(range(4_096))
    assert shown["touchdown.context.truncated"] is True


def test_parameters_are_told_as_sent_and_in_the_conventions_words(seen: Seen) -> None:
    request = {"max_tokens": "many", "n": 3, "seed": 7, "stop": "END", "reasoning_effort": "low"}
    shown = show(seen, replace(BARE_CALL, request=request))
    asked = {name: value for name, value in shown.items() if ".request." in name}
    assert asked == {
        "gen_ai.request.model": "gpt-5",
        "gen_ai.request.choice.count": 3,
        "gen_ai.request.seed": 7,
        "gen_ai.request.stop_sequences": ["END"],
        "gen_ai.request.reasoning.level": "low",
        "touchdown.request.parameters": [
            'max_tokens="many"',
            "n=3",
            "seed=7",
            'stop="END"',
            'reasoning_effort="low"',
        ],
    }


def test_the_fullest_span_stays_within_the_sdks_limit_of_128_attributes(seen: Seen) -> None:
    kinds = ("tools", "system", "user", "assistant", "thinking", "tool_use", "tool_result")
    kinds += ("media", "summary", "opaque", "other")
    by_kind = dict.fromkeys(kinds, 1)
    usage = replace(CALL.usage, cache_write=dict.fromkeys(("5m", "1h", "30m", "12h", "unknown"), 1))
    call = replace(
        CALL,
        context=replace(CALL.context, chars_by_kind=by_kind),
        usage=usage,
        request={f"parameter_{index}": index for index in range(40)},
        status="error",
    )
    shown = show(seen, call, replace(VERDICT, tokens_by_kind=by_kind))
    assert len(shown) <= 128, len(shown)
    assert shown["gen_ai.operation.name"] == "chat"


def test_under_a_lower_limit_the_essential_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "40")
    provider, memory = memory_provider()
    opened = SpanSink(tracer_provider=provider).open(CALL_START)
    assert opened is not None
    opened.close(CALL, VERDICT)
    (span,) = memory.get_finished_spans()
    assert span.attributes is not None
    essential = {"gen_ai.operation.name", "gen_ai.request.model", "gen_ai.usage.input_tokens"}
    essential |= {"touchdown.call.id", "touchdown.task.id", "touchdown.usage.completeness"}
    assert essential <= set(span.attributes)
    assert not any(name.startswith("touchdown.context.new.") for name in span.attributes)
