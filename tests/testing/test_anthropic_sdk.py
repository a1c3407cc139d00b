"""The Anthropic SDK against the loopback provider."""

from __future__ import annotations

import anthropic
import pytest
from anthropic import beta_tool
from pydantic import BaseModel

from touchdown.testing.provider import Fault, Reply, Request, ToolUse, count_tokens

MODEL = "claude-opus-5"
ASK = {"model": MODEL, "max_tokens": 100, "messages": [{"role": "user", "content": "fix it"}]}
TOOL = {"name": "run_tests", "description": "runs", "input_schema": {"type": "object"}}
LONG = "You fix bugs. " * 400


def cached(**more):
    block = {"type": "text", "text": LONG, "cache_control": {"type": "ephemeral"}}
    return {**ASK, "system": [block], **more}


def test_plain_answer(serve, claude):
    provider = serve([Reply("hello", output_tokens=7)])
    message = claude(provider).messages.create(**ASK)
    assert [block.text for block in message.content] == ["hello"]
    assert (message.stop_reason, message.usage.output_tokens) == ("end_turn", 7)
    assert message.usage.input_tokens == provider.requests[0].input_tokens == 2
    assert message._request_id.startswith("req_")


async def test_async_client_and_stream(serve):
    provider = serve(["one", Reply("two and more words", chunk_chars=3)])
    async with anthropic.AsyncAnthropic(base_url=provider.url, api_key="test") as client:
        assert (await client.messages.create(**ASK)).content[0].text == "one"
        async with client.messages.stream(**ASK) as stream:
            texts = [text async for text in stream.text_stream]
    assert len(texts) == 6
    assert "".join(texts) == "two and more words"


def test_stream_has_the_events_of_the_api_in_order(serve, claude):
    reply = Reply("hi", [ToolUse("run_tests", {"pattern": "x"})], reasoning="so", chunk_chars=99)
    events = list(claude(serve([reply])).messages.create(**ASK, stream=True))
    block = ["content_block_start", "content_block_delta", "content_block_delta"]
    assert [event.type for event in events] == [
        "message_start",
        *block,
        "content_block_stop",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        *block,
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert events[0].message.usage.input_tokens == 2
    spoken = "hi" + "run_tests" + '{"pattern":"x"}'
    output_tokens = count_tokens("so", MODEL) + count_tokens(spoken, MODEL)
    assert events[-2].usage.output_tokens == output_tokens == 10
    assert events[-2].delta.stop_reason == "tool_use"


def test_streamed_message_equals_the_plain_one(serve, claude):
    reply = Reply(
        "look: é 日本",
        [ToolUse("f", {"a": [1, {"b": "ü"}]}, id="toolu_1")],
        "because",
        chunk_chars=2,
    )
    client = claude(serve([reply, reply]))
    plain = client.messages.create(**ASK)
    with client.messages.stream(**ASK) as stream:
        streamed = stream.get_final_message()
    volatile = {"id", "content", "stop_details"}
    assert streamed.model_dump(exclude=volatile) == plain.model_dump(exclude=volatile)
    assert streamed.content[2].input == {"a": [1, {"b": "ü"}]}
    assert [block.type for block in streamed.content] == ["thinking", "text", "tool_use"]
    assert streamed.content[1].text == plain.content[1].text == "look: é 日本"


def test_tool_round_trip(serve, claude):
    def decide(request: Request) -> Reply:
        if request.tool_results:
            ((call_id, text),) = request.tool_results
            return Reply(f"{call_id} said {text}")
        return Reply(tool_uses=[ToolUse("run_tests", {"pattern": request.last_user_text})])

    client = claude(serve(decide))
    first = client.messages.create(**ASK, tools=[TOOL])
    use = first.content[0]
    assert (first.stop_reason, use.name, use.input) == (
        "tool_use",
        "run_tests",
        {"pattern": "fix it"},
    )
    result = {"type": "tool_result", "tool_use_id": use.id, "content": "3 failed"}
    history = [
        *ASK["messages"],
        {"role": "assistant", "content": first.content},
        {"role": "user", "content": [result]},
    ]
    second = client.messages.create(**{**ASK, "messages": history}, tools=[TOOL])
    assert second.content[0].text == f"{use.id} said 3 failed"


def test_beta_tool_runner(serve, claude):
    @beta_tool
    def run_tests(pattern: str) -> str:
        """Run the tests.

        Args:
            pattern: which ones
        """
        return f"{pattern}: 1 failed"

    provider = serve([Reply(tool_uses=[ToolUse("run_tests", {"pattern": "x"})]), "done"])
    runner = claude(provider).beta.messages.tool_runner(**ASK, tools=[run_tests])
    assert runner.until_done().content[0].text == "done"
    assert [text for _, text in provider.requests[1].tool_results] == ["x: 1 failed"]


def test_parse(serve, claude):
    class Verdict(BaseModel):
        ok: bool

    message = claude(serve(['{"ok": true}'])).messages.parse(**ASK, output_format=Verdict)
    assert message.parsed_output == Verdict(ok=True)


def test_count_tokens_takes_nothing_from_the_script(serve, claude):
    provider = serve(["hello"])
    client = claude(provider)
    counted = client.messages.count_tokens(model=MODEL, messages=ASK["messages"])
    assert counted.input_tokens == 2
    assert client.messages.create(**ASK).usage.input_tokens == 2


def test_cache_usage_over_http(serve, claude):
    provider = serve(["one", "two", "three"])
    client = claude(provider)
    first, second = (client.messages.create(**cached()).usage for _ in range(2))
    assert first.cache_creation_input_tokens == second.cache_read_input_tokens == 1_820
    assert first.cache_creation.ephemeral_5m_input_tokens == 1_820
    assert (first.input_tokens, second.input_tokens) == (2, 2)
    provider.clock.advance(301)
    third = client.messages.create(**cached()).usage
    assert (third.cache_read_input_tokens, third.cache_creation_input_tokens) == (0, 1_820)


def test_evict(serve, claude):
    provider = serve(["one", "two"])
    client = claude(provider)
    client.messages.create(**cached())
    provider.evict()
    assert client.messages.create(**cached()).usage.cache_read_input_tokens == 0


def test_a_stream_that_has_begun_can_be_read_from(serve, claude):
    client = claude(serve([Reply("one " * 20, chunk_chars=4, chunk_delay_s=0.01), "two"]))
    with client.messages.stream(**cached()) as stream:
        next(iter(stream))
        assert client.messages.create(**cached()).usage.cache_read_input_tokens == 1_820
        assert stream.get_final_text() == "one " * 20


def test_a_failed_request_writes_nothing(serve, claude):
    client = claude(serve([Fault(500), "two"]))
    with pytest.raises(anthropic.InternalServerError):
        client.messages.create(**cached())
    assert client.messages.create(**cached()).usage.cache_read_input_tokens == 0


def test_prewarm_writes_and_says_nothing(serve, claude):
    client = claude(serve(["ignored", "two"]))
    warm = client.messages.create(**cached(max_tokens=0))
    assert (warm.content, warm.usage.output_tokens) == ([], 0)
    assert warm.usage.cache_creation_input_tokens == 1_820
    assert client.messages.create(**cached()).usage.cache_read_input_tokens == 1_820


def test_too_many_breakpoints_are_refused_like_the_api_does(serve, claude):
    block = {"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}
    provider = serve(["unused"])
    with pytest.raises(anthropic.BadRequestError, match="maximum of 4 blocks"):
        claude(provider).messages.create(**ASK, system=[block] * 5)


def test_usage_service_tier_and_model_as_told(serve, claude):
    usage = {"input_tokens": 5, "output_tokens": 6, "cache_read_input_tokens": None}
    replies = [Reply("a", usage=usage), Reply("b", service_tier="priority", model="claude-x")]
    client = claude(serve(replies))
    told = client.messages.create(**ASK)
    assert told.usage.model_dump(exclude_unset=True) == usage
    other = client.messages.create(**ASK, extra_body={"speed": "fast"})
    assert (other.model, other.usage.service_tier) == ("claude-x", "priority")
    assert other.usage.speed == "fast"


def test_body_as_told(serve, claude):
    body = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": MODEL,
        "content": [],
        "stop_reason": "refusal",
        "stop_sequence": None,
        "usage": {"input_tokens": 1, "output_tokens": 0},
    }
    assert claude(serve([Reply(body=body)])).messages.create(**ASK).stop_reason == "refusal"


def test_vertex_path(serve):
    vertex = pytest.importorskip("anthropic.lib.vertex")
    provider = serve(["hello", "streamed"])
    client = vertex.AnthropicVertex(
        base_url=provider.url, region="global", project_id="p", access_token="t"
    )
    with client:
        assert client.messages.create(**ASK).content[0].text == "hello"
        with client.messages.stream(**ASK) as stream:
            assert stream.get_final_text() == "streamed"
    assert [request.model for request in provider.requests] == [MODEL, MODEL]
