"""Each dialect's names into one usage; what is not said stays unknown, and wrong types are one line."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.telemetry.foreign.spans import calls, read, span, tools
from touchdown.records import Usage
from touchdown.telemetry.foreign.dialects import DIALECTS, dialect_of
from touchdown.telemetry.foreign.reading import read_span
from touchdown.telemetry.span import SpanEvent, SpanView

FULL = Usage(uncached=10, cache_read=70, cache_write={"unknown": 20}, output=5, completeness="full")
_CHAT = {
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "claude-sonnet-5",
    "gen_ai.provider.name": "anthropic",
}
_COUNTS = {
    "gen_ai.usage.input_tokens": 100,
    "gen_ai.usage.output_tokens": 5,
    "gen_ai.usage.cache_read.input_tokens": 70,
    "gen_ai.usage.cache_write.input_tokens": 20,
}
_RAW = {
    "input_tokens": 10,
    "cache_read_input_tokens": 70,
    "cache_creation_input_tokens": 20,
    "cache_creation": {"ephemeral_5m_input_tokens": 15, "ephemeral_1h_input_tokens": 5},
    "output_tokens": 5,
}
_BY_LIFE = Usage(10, 70, {"5m": 15, "1h": 5}, 5, completeness="full")

ROWS: dict[str, tuple[str, str, dict[str, Any], Usage]] = {
    "the conventions now": ("gen_ai", "", {**_CHAT, **_COUNTS}, FULL),
    "the conventions before": (
        "gen_ai",
        "",
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.system": "anthropic",
            "gen_ai.request.model": "claude-sonnet-5",
            "gen_ai.usage.prompt_tokens": 100,
            "gen_ai.usage.completion_tokens": 5,
            "gen_ai.usage.cache_read.input_tokens": 70,
            "gen_ai.usage.cache_creation.input_tokens": 20,
        },
        FULL,
    ),
    "openinference": (
        "openinference",
        "openinference.instrumentation.anthropic",
        {
            "openinference.span.kind": "LLM",
            "llm.system": "anthropic",
            "llm.model_name": "claude-sonnet-5",
            "llm.token_count.prompt": 100,
            "llm.token_count.completion": 5,
            "llm.token_count.prompt_details.cache_read": 70,
            "llm.token_count.prompt_details.cache_write": 20,
        },
        FULL,
    ),
    "openinference with the answer": (
        "openinference",
        "openinference.instrumentation.anthropic",
        {
            "openinference.span.kind": "LLM",
            "llm.system": "anthropic",
            "llm.model_name": "claude-sonnet-5",
            "input.value": json.dumps({"messages": [{"role": "user", "content": "hi"}]}),
            "output.value": json.dumps({"id": "msg_1", "usage": _RAW}),
        },
        _BY_LIFE,
    ),
    "openllmetry": (
        "openllmetry",
        "opentelemetry.instrumentation.anthropic",
        {
            "llm.request.type": "chat",
            "gen_ai.system": "Anthropic",
            "gen_ai.request.model": "claude-sonnet-5",
            "gen_ai.usage.prompt_tokens": 100,
            "llm.usage.completion_tokens": 5,
            "gen_ai.usage.cache_read_input_tokens": 70,
            "gen_ai.usage.cache_creation_input_tokens": 20,
        },
        FULL,
    ),
    "logfire": (
        "logfire",
        "logfire.anthropic",
        {**_CHAT, "gen_ai.usage.input_tokens": 100, "gen_ai.usage.raw": json.dumps(_RAW)},
        _BY_LIFE,
    ),
    "logfire before it kept the conventions": (
        "logfire",
        "logfire.anthropic",
        {
            "gen_ai.system": "anthropic",
            "request_data": json.dumps({"model": "claude-sonnet-5", "messages": []}),
            "response_data": json.dumps({"usage": _RAW}),
        },
        _BY_LIFE,
    ),
    "pydantic ai": (
        "pydantic-ai",
        "pydantic-ai",
        {**_CHAT, **_COUNTS, "operation.cost": 1.5},
        FULL,
    ),
    "the anthropic sdk": (
        "anthropic-sdk",
        "com.anthropic.sdk.python",
        {
            **_CHAT,
            **_COUNTS,
            "anthropic.usage.cache_creation.ephemeral_5m_input_tokens": 15,
            "anthropic.usage.cache_creation.ephemeral_1h_input_tokens": 5,
        },
        _BY_LIFE,
    ),
    "claude code": (
        "claude-code",
        "com.anthropic.claude_code",
        {
            "model": "claude-sonnet-5",
            "input_tokens": "10",
            "output_tokens": "5",
            "cache_read_tokens": 70,
            "cache_creation_tokens": 20,
        },
        FULL,
    ),
    "copilot": (
        "gen_ai",
        "copilot-chat",
        {**_CHAT, **_COUNTS, "gen_ai.provider.name": "github", "copilot_chat.turn_count": 1},
        FULL,
    ),
}
_SPAN_NAMES = {"claude code": "claude_code.llm_request"}


@pytest.mark.parametrize("row", ROWS)
def test_one_usage_from_every_dialect(row: str) -> None:
    dialect, scope, attributes, usage = ROWS[row]
    made = span(_SPAN_NAMES.get(row, "chat"), attributes, scope=scope)
    found = dialect_of(made)
    assert found is not None
    assert found.name == dialect
    (call,) = calls(read(made))
    assert call.usage == usage
    assert call.provider == ("github" if row == "copilot" else "anthropic")
    assert call.priced_model == ("" if row.startswith("logfire before") else "claude-sonnet-5")


def test_every_dialect_has_a_row() -> None:
    assert {row[0] for row in ROWS.values()} == {dialect.name for dialect in DIALECTS}


def test_what_is_not_said_is_unknown() -> None:
    (call,) = calls(read(span("chat", _CHAT)))
    assert call.usage == Usage(problems=("the span reports no usage",))
    (call,) = calls(read(span("chat", {**_CHAT, "gen_ai.usage.input_tokens": 3})))
    assert (call.usage.cache_read, call.usage.cache_write) == (None, None)
    assert call.usage.completeness == "input_only"


def test_more_cached_than_read_contradicts_itself() -> None:
    told = {**_CHAT, **_COUNTS, "gen_ai.usage.input_tokens": 10}
    (call,) = calls(read(span("chat", told)))
    assert call.usage.uncached is None
    assert call.usage.problems == ("contradictory usage: 90 cached of 10 input tokens",)


def test_a_count_of_the_wrong_type_is_one_problem() -> None:
    told = {**_CHAT, "gen_ai.usage.input_tokens": "many", "gen_ai.usage.output_tokens": 5}
    (call,) = calls(read(span("chat", told)))
    assert call.usage.problems[0] == "gen_ai.usage.input_tokens is no count"
    assert call.usage.uncached is None


def test_a_stream_of_logfire_is_one_call() -> None:
    outer = span("work", {}, began=1, ended=9_000)
    told = {**_CHAT, "request_data": "{}"}
    opening = span(
        "Message with", told, parent=outer, scope="logfire.anthropic", began=10, ended=20
    )
    end = span(
        "streaming response from",
        {**told, **_COUNTS, "gen_ai.response.id": "msg_1", "duration": 5e-8},
        parent=outer,
        scope="logfire.anthropic",
        began=70,
        ended=70,
    )
    (call,) = calls(read(opening, end, outer))
    assert (call.response_id, call.sent_at_ns, call.duration_ns) == ("msg_1", 20, 50)
    (unread,) = calls(read(opening, outer))
    assert unread.usage.completeness == "none"


def test_content_becomes_segments_under_a_key_of_our_own() -> None:
    messages = [
        {"role": "user", "parts": [{"type": "text", "content": "a secret"}]},
        {
            "role": "assistant",
            "parts": [{"type": "tool_call", "id": "t1", "name": "ls", "arguments": {"a": 1}}],
        },
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "t1", "response": "a b"}]},
    ]
    told = {**_CHAT, **_COUNTS, "gen_ai.input.messages": json.dumps(messages)}
    one, other = calls(read(span("chat", told), span("chat", told)))
    kinds = [(part.kind, part.tool_name, part.call_id) for part in one.context.new]
    assert kinds == [("user", None, None), ("tool_use", "ls", "t1"), ("tool_result", "ls", "t1")]
    assert one.context.opaque is None
    assert "secret" not in repr(one)
    assert (other.context.predecessor, other.context.shared, other.context.new) == (one.id, 3, ())
    (again,) = calls(read(span("chat", told)))
    assert again.context.new[0].digest != one.context.new[0].digest


@pytest.mark.parametrize(
    "event",
    [
        SpanEvent(
            "gen_ai.client.inference.operation.details",
            1,
            {"gen_ai.input.messages": '[{"role": "user", "parts": [{"content": "hi"}]}]'},
        ),
        SpanEvent(
            "gen_ai.content.prompt", 1, {"gen_ai.prompt": '[{"role": "user", "content": "hi"}]'}
        ),
        SpanEvent("gen_ai.user.message", 1, {"content": "hi"}),
    ],
)
def test_content_may_stand_in_events(event: SpanEvent) -> None:
    (call,) = calls(read(span("chat", {**_CHAT, **_COUNTS}, events=(event,))))
    assert [(part.kind, part.chars) for part in call.context.new] == [("user", 2)]


def test_flat_messages_are_read_too() -> None:
    flat = {
        "llm.request.type": "chat",
        "gen_ai.prompt.0.role": "system",
        "gen_ai.prompt.0.content": "be exact",
        "gen_ai.prompt.1.role": "user",
        "gen_ai.prompt.1.content": "hi",
        "gen_ai.completion.0.role": "assistant",
        "gen_ai.completion.0.content": "yes",
    }
    (call,) = calls(read(span("openai.chat", flat)))
    assert [(part.kind, part.chars) for part in call.context.new] == [("system", 8), ("user", 2)]
    assert call.output.text_chars == 3


def test_a_failed_call_and_a_failed_tool() -> None:
    told = {**_CHAT, "error.type": "RateLimitError", "http.response.status_code": 429}
    (call,) = calls(read(span("chat", told, status="ERROR")))
    assert (call.status, call.error_type, call.http_status) == ("error", "RateLimitError", 429)
    said = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "ls"}
    (failed,) = tools(read(span("execute_tool", said, status="ERROR")))
    assert (failed.name, failed.failed, failed.failure) == ("ls", True, "raised")


_NAMES_USED = sorted(
    {name for dialect in DIALECTS for names in dialect.names.values() for name in names}
    | {sign for dialect in DIALECTS for sign in dialect.signs}
)
_VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(
        ["chat", "LLM", "[{", '[{"role": 3}]', '{"usage": [1]}', '{"messages": 5}', "[[]]"]
    ),
    st.lists(st.one_of(st.integers(), st.text(max_size=3)), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)


@settings(max_examples=150)
@given(
    st.dictionaries(st.sampled_from(_NAMES_USED), _VALUES, max_size=12),
    st.sampled_from(["", *(scope for dialect in DIALECTS for scope in dialect.scopes)]),
    st.sampled_from(["chat", "claude_code.llm_request", "agent run", "claude_code.tool"]),
)
def test_attributes_of_any_type_raise_nothing(
    attributes: dict[str, Any], scope: str, name: str
) -> None:
    made = span(name, attributes, scope=scope)
    read_span(made)
    for call in calls(read(made)):
        counts = (call.usage.uncached, call.usage.cache_read, call.usage.output)
        assert all(count is None or type(count) is int for count in counts)
        assert call.duration_ns >= 0


def test_flat_attributes_of_any_shape_raise_nothing() -> None:
    odd = {
        "openinference.span.kind": "LLM",
        "llm.input_messages.0": "x",
        "llm.input_messages.0.message": 4,
        "llm.input_messages.0.message.role": "user",
        "llm.input_messages.x.message.role": "user",
        "llm.input_messages.1.message.contents.0": 1,
        "llm.input_messages.1.message.contents.1.message_content": [1],
        "llm.input_messages.1.message.tool_calls.0.tool_call": "no",
        "llm.tools.0.tool": 5,
    }
    assert isinstance(read_span(span("x", odd)).span, SpanView)
