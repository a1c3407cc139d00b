"""The OpenAI SDK against the loopback provider."""

from __future__ import annotations

import openai
import pytest
from pydantic import BaseModel

from touchdown.testing.provider import Reply, Request, ToolUse

MODEL = "gpt-6-sol"
ASK = {"model": MODEL, "messages": [{"role": "user", "content": "fix it"}]}
TOOL = {"type": "function", "function": {"name": "run_tests", "parameters": {"type": "object"}}}
LONG = "You fix bugs. " * 400
WITH_USAGE = {"stream": True, "stream_options": {"include_usage": True}}


def test_plain_chat(serve, gpt):
    provider = serve([Reply("hello", reasoning="12345678")])
    answer = gpt(provider).chat.completions.create(**ASK)
    assert answer.choices[0].message.content == "hello"
    assert answer.choices[0].finish_reason == "stop"
    usage = answer.usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (2, 4, 6)
    assert usage.completion_tokens_details.reasoning_tokens == 2
    assert answer.service_tier == "default"
    assert provider.requests[0].api == "openai.chat"


def test_streamed_chat_reports_usage_only_when_asked(serve, gpt):
    client = gpt(serve(["hello there", "hello there"]))
    silent = list(client.chat.completions.create(**ASK, stream=True))
    asked = list(client.chat.completions.create(**ASK, **WITH_USAGE))
    assert all(chunk.usage is None for chunk in silent)
    assert all(chunk.choices for chunk in silent)
    assert asked[-1].choices == []
    assert asked[-1].usage.total_tokens == 5
    assert all(chunk.usage is None for chunk in asked[:-1])


async def test_async_chat_and_stream(serve):
    provider = serve(["one", Reply("two and more", chunk_chars=4)])
    async with openai.AsyncOpenAI(base_url=provider.openai_url, api_key="test") as client:
        assert (await client.chat.completions.create(**ASK)).choices[0].message.content == "one"
        stream = await client.chat.completions.create(**ASK, stream=True)
        texts = [chunk.choices[0].delta.content async for chunk in stream]
    assert [text for text in texts if text] == ["two ", "and ", "more"]


def test_chat_helper_stream_with_tools(serve, gpt):
    uses = [ToolUse("run_tests", {"pattern": "ü" * 20}), ToolUse("run_tests", {"pattern": "b"})]
    client = gpt(serve([Reply("let me see", uses, chunk_chars=3)]))
    with client.chat.completions.stream(**ASK, tools=[TOOL]) as stream:
        kinds = {event.type for event in stream}
        final = stream.get_final_completion()
    assert {"content.delta", "tool_calls.function.arguments.delta"} <= kinds
    calls = final.choices[0].message.tool_calls
    assert [call.function.arguments for call in calls] == [
        '{"pattern":"' + "ü" * 20 + '"}',
        '{"pattern":"b"}',
    ]
    assert calls[0].id != calls[1].id
    assert final.choices[0].finish_reason == "tool_calls"


def test_chat_tool_round_trip(serve, gpt):
    def decide(request: Request) -> Reply:
        if request.tool_results:
            return Reply("saw " + request.tool_results[-1][1])
        return Reply(tool_uses=[ToolUse("run_tests", {"pattern": "x"})])

    client = gpt(serve(decide))
    first = client.chat.completions.create(**ASK, tools=[TOOL]).choices[0].message
    assert first.content is None
    result = {"role": "tool", "tool_call_id": first.tool_calls[0].id, "content": "3 failed"}
    history = [*ASK["messages"], first, result]
    second = client.chat.completions.create(model=MODEL, messages=history, tools=[TOOL])
    assert second.choices[0].message.content == "saw 3 failed"


def test_parse(serve, gpt):
    class Verdict(BaseModel):
        ok: bool

    client = gpt(serve(['{"ok": true}', '{"ok": false}']))
    chat = client.chat.completions.parse(**ASK, response_format=Verdict)
    assert chat.choices[0].message.parsed == Verdict(ok=True)
    response = client.responses.parse(model=MODEL, input="fix it", text_format=Verdict)
    assert response.output_parsed == Verdict(ok=False)


def test_chat_cache_usage(serve, gpt):
    client = gpt(serve(["one", "two"]))
    head = {"role": "system", "content": LONG}
    ask = {"model": MODEL, "messages": [head, *ASK["messages"]]}
    first, second = (client.chat.completions.create(**ask).usage for _ in range(2))
    assert first.prompt_tokens == second.prompt_tokens == 1_402
    assert first.prompt_tokens_details.cache_write_tokens == 1_402
    assert second.prompt_tokens_details.cached_tokens == 1_402
    assert second.prompt_tokens_details.cache_write_tokens == 0


def test_older_models_report_no_writes(serve, gpt):
    client = gpt(serve(["one", "two"]))
    ask = {"model": "gpt-4o", "messages": [{"role": "user", "content": LONG}]}
    first, second = (client.chat.completions.create(**ask).usage for _ in range(2))
    assert "cache_write_tokens" not in first.prompt_tokens_details.model_fields_set
    assert second.prompt_tokens_details.cached_tokens == 1_280


def test_plain_response(serve, gpt):
    reply = Reply("hello", [ToolUse("f", {"a": 1})], reasoning="because")
    response = gpt(serve([reply])).responses.create(model=MODEL, input="fix it")
    assert [item.type for item in response.output] == ["reasoning", "message", "function_call"]
    assert response.output_text == "hello"
    assert response.status == "completed"
    usage = response.usage
    assert (usage.input_tokens, usage.output_tokens_details.reasoning_tokens) == (2, 2)
    assert usage.total_tokens == usage.input_tokens + usage.output_tokens


def test_response_stream_is_numbered_and_complete(serve, gpt):
    reply = Reply("hello there", [ToolUse("f", {"a": 1})], "because", chunk_chars=6)
    client = gpt(serve([reply]))
    events = list(client.responses.create(model=MODEL, input="fix it", stream=True))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    kinds = [event.type.removeprefix("response.") for event in events]
    assert kinds == [
        "created",
        "in_progress",
        "output_item.added",
        "reasoning_summary_part.added",
        *["reasoning_summary_text.delta"] * 2,
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
        "output_item.done",
        "output_item.added",
        "content_part.added",
        *["output_text.delta"] * 2,
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "output_item.added",
        *["function_call_arguments.delta"] * 2,
        "function_call_arguments.done",
        "output_item.done",
        "completed",
    ]
    assert events[0].response.usage is None
    assert events[-1].response.usage.output_tokens > 0


def test_response_helper_stream(serve, gpt):
    client = gpt(serve([Reply("hello there", [ToolUse("f", {"a": 1})], chunk_chars=4)]))
    with client.responses.stream(model=MODEL, input="fix it") as stream:
        final = stream.get_final_response()
    assert final.output_text == "hello there"
    assert final.output[1].arguments == '{"a":1}'


async def test_async_response_stream(serve):
    provider = serve([Reply("hello there")])
    async with (
        openai.AsyncOpenAI(base_url=provider.openai_url, api_key="test") as client,
        client.responses.stream(model=MODEL, input="fix it") as stream,
    ):
        final = await stream.get_final_response()
    assert final.output_text == "hello there"


def test_previous_response_keeps_the_context(serve, gpt):
    provider = serve([Reply(tool_uses=[ToolUse("f", {})]), "done"])
    client = gpt(provider)
    first = client.responses.create(model=MODEL, input=LONG)
    result = {
        "type": "function_call_output",
        "call_id": first.output[0].call_id,
        "output": "3 failed",
    }
    second = client.responses.create(model=MODEL, input=[result], previous_response_id=first.id)
    assert second.previous_response_id == first.id
    assert second.usage.input_tokens > first.usage.input_tokens == 1_400
    assert second.usage.input_tokens_details.cached_tokens == 1_400
    assert provider.requests[1].tool_results == [(first.output[0].call_id, "3 failed")]
    assert provider.requests[1].input_tokens == second.usage.input_tokens


@pytest.mark.parametrize("previous", ["resp_none", "unstored"])
def test_unknown_previous_response(serve, gpt, previous):
    client = gpt(serve(["hello", "unused"]))
    if previous == "unstored":
        previous = client.responses.create(model=MODEL, input="a", store=False).id
    with pytest.raises(openai.BadRequestError) as raised:
        client.responses.create(model=MODEL, input="b", previous_response_id=previous)
    assert raised.value.code == "previous_response_not_found"


def test_background_response(serve, gpt):
    client = gpt(serve(["hello"]))
    queued = client.responses.create(model=MODEL, input="fix it", background=True)
    assert (queued.status, queued.output, queued.usage) == ("queued", [], None)
    finished = client.responses.retrieve(queued.id)
    assert (finished.status, finished.output_text) == ("completed", "hello")
    assert finished.usage.input_tokens == 2
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve("resp_none")


def test_incomplete_response(serve, gpt):
    client = gpt(serve([Reply("hel", stop_reason="max_tokens")] * 2))
    response = client.responses.create(model=MODEL, input="fix it")
    assert (response.status, response.incomplete_details.reason) == (
        "incomplete",
        "max_output_tokens",
    )
    assert client.chat.completions.create(**ASK).choices[0].finish_reason == "length"


@pytest.mark.parametrize(
    ("asked", "told", "tier"),
    [
        (None, None, "default"),
        ("auto", None, "default"),
        ("fast", None, "priority"),
        ("flex", None, "flex"),
        ("flex", "default", "default"),
    ],
)
def test_service_tier_is_the_one_answered(serve, gpt, asked, told, tier):
    client = gpt(serve([Reply("a", service_tier=told)] * 2))
    more = {"service_tier": asked} if asked else {}
    assert client.chat.completions.create(**ASK, **more).service_tier == tier
    assert client.responses.create(model=MODEL, input="a", **more).service_tier == tier


def test_embeddings_and_models_take_nothing_from_the_script(serve, gpt):
    provider = serve([])
    client = gpt(provider)
    made = client.embeddings.create(model="text-embedding-3-small", input=["abcd", "abcd", "e"])
    vectors = [item.embedding for item in made.data]
    assert vectors[0] == vectors[1] != vectors[2]
    assert sum(value * value for value in vectors[0]) == pytest.approx(1)
    assert made.usage.prompt_tokens == 3
    assert MODEL in [model.id for model in client.models.list()]
    assert [request.api for request in provider.requests] == ["openai.embeddings", "other"]


def test_azure_path(serve):
    provider = serve(["hello"])
    with openai.AzureOpenAI(
        azure_endpoint=provider.url, api_key="test", api_version="2024-10-21"
    ) as client:
        answer = client.chat.completions.create(**{**ASK, "model": "my-deployment"})
    assert answer.choices[0].message.content == "hello"
    assert provider.requests[0].path == "/openai/deployments/my-deployment/chat/completions"
    assert provider.requests[0].query == {"api-version": "2024-10-21"}
    assert provider.requests[0].model == "my-deployment"
