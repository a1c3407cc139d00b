"""Talks with the mark in every place where content can live, through the real SDKs, in all shapes."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

import anthropic
import openai
import pydantic

import touchdown
from tests.clients.conftest import make_client
from tests.privacy.mark import MARK, canary
from touchdown.testing import Fault, Provider, Reply, Request, ToolUse

GPT, CLAUDE = "gpt-5.4", "claude-opus-4-8"
PICTURE = MARK * 2_000
"""Letters of base64: the data of an image."""

USES = [ToolUse("look", {"where": canary("arguments"), "deep": {MARK: [canary("nested")]}}, "id_1")]
TALKS = Reply(
    canary("answer"), USES, reasoning=canary("reasoning"), headers={"x-answer": canary("header")}
)
STRUCTURED = Reply('{"found": "' + canary("structured output") + '"}')
TOKENS = {"input_tokens": 10, "output_tokens": 5}


def reply(request: Request) -> Reply | Fault:
    """An error where the question asks for one, structured where it must be, else text and tools."""
    asked = str(request.body)
    if "error please" in asked:
        return Fault(400, message=canary("the provider's error"), headers={"x-why": canary("why")})
    if "again please" in asked:
        return Fault(429, message=canary("the provider's retry"))
    if "cut please" in asked:
        return Reply(canary("cut"), cut_after_chunks=3)
    if "structured please" in asked:
        return STRUCTURED
    return TALKS


class Found(pydantic.BaseModel):
    """What a structured answer is parsed into."""

    found: str


@touchdown.tool
def look(where: str, deep: object = None) -> str:
    return canary("tool result")


@touchdown.tool(failed=lambda result: bool(1 / (MARK in result) - 1))
def judged(where: str) -> dict[str, str]:
    return {MARK: canary("tool result in a mapping")}


@touchdown.tool(failed=lambda result: int(result) > 0)
def misjudged(where: str) -> str:
    return canary("a rule that fails on this")


@touchdown.tool
def wrong(where: str) -> str:
    raise RuntimeError(canary("a tool's exception"))


@touchdown.tool
def piecewise(where: str) -> Iterator[str]:
    yield canary("yielded")
    yield canary("yielded")


@touchdown.tool
async def later(where: str) -> str:
    await asyncio.sleep(0)
    return canary("async tool result")


@touchdown.tool
async def later_piecewise(where: str) -> AsyncIterator[bytes]:
    yield canary("async yielded").encode()


@touchdown.agent("sub")
def sub_agent(goal: str, talk: Callable[[], object]) -> str:
    talk()
    return canary("sub-agent result")


@touchdown.agent("wrong")
def wrong_agent(goal: str) -> str:
    raise ValueError(canary("an agent's exception"))


def tools() -> None:
    """Every kind of tool and agent, with the mark in arguments, results and exceptions."""
    look(canary("argument"), deep={"key": canary("argument")})
    judged(where=canary("argument"))
    misjudged(canary("argument"))
    with suppress(RuntimeError):
        wrong(canary("argument"))
    list(piecewise(canary("argument")))
    next(piecewise(canary("argument")))
    with suppress(ValueError):
        wrong_agent(canary("goal"))


async def tools_async() -> None:
    """And the async ones."""
    await later(canary("argument"))
    async for _ in later_piecewise(canary("argument")):
        pass


def _function(**more: Any) -> dict[str, Any]:
    schema = {
        "type": "object",
        "properties": {"where": {"type": "string", "description": canary("schema")}},
        "required": ["where"],
        "additionalProperties": False,
    }
    return {"name": "look", "description": canary("description"), **more, "parameters": schema}


def chat(question: str) -> dict[str, Any]:
    """A chat completion that is full of the mark."""
    use = {"id": "id_0", "type": "function"}
    return {
        "model": GPT,
        "user": canary("user id", 2),
        "metadata": {"who": canary("metadata", 2)},
        "stop": [canary("stop", 2)],
        "safety_identifier": canary("safety", 2),
        "prompt_cache_key": canary("cache key", 2),
        "tools": [{"type": "function", "function": _function()}],
        "messages": [
            {"role": "developer", "content": canary("developer")},
            {"role": "system", "content": [{"type": "text", "text": canary("system")}]},
            {"role": "user", "name": MARK, "content": _chat_parts(question)},
            {
                "role": "assistant",
                "content": canary("assistant"),
                "tool_calls": [
                    {**use, "function": {"name": "look", "arguments": f'{{"where": "{MARK}"}}'}}
                ],
            },
            {"role": "tool", "tool_call_id": "id_0", "content": canary("result")},
            {"role": "user", "content": question},
        ],
    }


def _chat_parts(question: str) -> list[dict[str, Any]]:
    return [
        {"type": "text", "text": f"{question} {canary('user')}"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PICTURE}"}},
        {"type": "image_url", "image_url": {"url": f"https://pictures.test/{MARK}.png"}},
        {"type": "input_audio", "input_audio": {"data": PICTURE, "format": "wav"}},
        {"type": "file", "file": {"file_id": f"file-{MARK}"}},
        {"type": "file", "file": {"file_data": PICTURE, "filename": f"{MARK}.pdf"}},
    ]


def response(question: str) -> dict[str, Any]:
    """A request of the Responses API that is full of the mark."""
    return {
        "model": GPT,
        "instructions": canary("instructions"),
        "user": canary("user id", 2),
        "metadata": {"who": canary("metadata", 2)},
        "tools": [{"type": "function", "strict": False, **_function()}],
        "input": [
            {
                "role": "user",
                "content": [
                    {"type": "input_text", "text": f"{question} {canary('user')}"},
                    {"type": "input_image", "detail": "auto", "file_id": f"file-{MARK}"},
                    {"type": "input_file", "file_data": PICTURE, "filename": f"{MARK}.pdf"},
                ],
            },
            {
                "type": "function_call",
                "call_id": "id_0",
                "name": "look",
                "arguments": f'{{"where": "{MARK}"}}',
            },
            {"type": "function_call_output", "call_id": "id_0", "output": canary("result")},
        ],
    }


def message(question: str) -> dict[str, Any]:
    """A message of Anthropic's API that is full of the mark."""
    data = {"type": "base64", "media_type": "image/png", "data": PICTURE}
    paper = {"type": "text", "media_type": "text/plain", "data": canary("document")}
    schema = _function()["parameters"]
    look_at = {"type": "tool_use", "id": "id_0", "name": "look", "input": {"where": MARK}}
    seen = {"type": "tool_result", "tool_use_id": "id_0", "is_error": True}
    return {
        "model": CLAUDE,
        "max_tokens": 99,
        "system": [
            {"type": "text", "text": canary("system"), "cache_control": {"type": "ephemeral"}}
        ],
        "metadata": {"user_id": canary("user id", 2)},
        "stop_sequences": [canary("stop", 2)],
        "tools": [{"name": "look", "description": canary("description"), "input_schema": schema}],
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": f"{question} {canary('user')}"},
                    {"type": "image", "source": data},
                    {"type": "document", "source": paper, "title": canary("title", 2)},
                ],
            },
            {"role": "assistant", "content": [{"type": "text", "text": canary("said")}, look_at]},
            {
                "role": "user",
                "content": [
                    {**seen, "content": [{"type": "text", "text": canary("result")}]},
                    {"type": "text", "text": question},
                ],
            },
        ],
    }


def clients(provider: Provider, *, asynchronous: bool = False) -> tuple[Any, Any]:
    """Both SDKs, with the mark in keys, headers and URL."""
    host = provider.url.removeprefix("http://")
    given: dict[str, Any] = {
        "api_key": f"sk-{MARK}-key",
        "asynchronous": asynchronous,
        "max_retries": 1,
        "default_headers": {"x-of-the-host": canary("header", 2)},
        "default_query": {"key": canary("query", 2)},
    }
    gpt = make_client("openai", f"http://{MARK}:{MARK}@{host}/v1", organization=MARK, **given)
    return gpt, make_client("anthropic", f"http://{MARK}:{MARK}@{host}", **given)


def openai_calls(gpt: Any, question: str) -> list[Callable[[], Any]]:
    """Every shape of a call of the OpenAI SDK; sync and async alike."""
    usage = {"stream_options": {"include_usage": True}}
    asked, responded = chat(question), response(question)
    structured = "structured please " + question
    return [
        lambda: gpt.chat.completions.create(**asked),
        lambda: gpt.chat.completions.create(**asked, stream=True, **usage),
        lambda: gpt.chat.completions.create(**asked, extra_headers={"x-more": MARK}),
        lambda: gpt.chat.completions.with_raw_response.create(**asked),
        lambda: gpt.chat.completions.with_raw_response.create(**asked, stream=True, **usage),
        lambda: gpt.chat.completions.with_streaming_response.create(**asked),
        lambda: gpt.chat.completions.stream(
            **{**asked, "tools": [{"type": "function", "function": _function(strict=True)}]}
        ),
        lambda: gpt.chat.completions.parse(
            model=GPT, messages=chat(structured)["messages"], response_format=Found
        ),
        lambda: gpt.responses.create(**responded),
        lambda: gpt.responses.create(**responded, stream=True),
        lambda: gpt.responses.with_raw_response.create(**responded),
        lambda: gpt.responses.with_streaming_response.create(**responded, stream=True),
        lambda: gpt.responses.stream(**responded),
        lambda: gpt.responses.parse(
            model=GPT, input=response(structured)["input"], text_format=Found
        ),
        lambda: gpt.embeddings.create(model="text-embedding-3-small", input=[canary("embedded")]),
    ]


def anthropic_calls(claude: Any, question: str) -> list[Callable[[], Any]]:
    """Every shape of a call of the Anthropic SDK."""
    asked = message(question)
    structured = message("structured please " + question)
    return [
        lambda: claude.messages.create(**asked),
        lambda: claude.messages.create(**asked, stream=True),
        lambda: claude.messages.stream(**asked),
        lambda: claude.messages.with_raw_response.create(**asked),
        lambda: claude.messages.with_streaming_response.create(**asked),
        lambda: claude.messages.parse(**structured, output_format=Found),
        lambda: claude.beta.messages.create(**asked),
        lambda: claude.beta.messages.create(**asked, stream=True),
    ]


QUESTIONS = ("hello", "error please", "again please", "cut please")


def read(answer: Any) -> None:
    """Read an answer to its end, whatever its shape."""
    if hasattr(answer, "__enter__"):
        with answer as inner:
            read_parts(inner)
    else:
        read_parts(answer)


def read_parts(answer: Any) -> None:
    """The pieces of a stream, of a raw answer, or nothing."""
    if hasattr(answer, "parse"):
        answer = answer.parse()
    if hasattr(answer, "__next__"):
        for _ in answer:
            pass


async def read_async(answer: Any) -> None:
    """The same of an async one."""
    if hasattr(answer, "__aenter__"):
        async with answer as inner:
            await read_parts_async(inner)
        return
    await read_parts_async(await answer if hasattr(answer, "__await__") else answer)


async def read_parts_async(answer: Any) -> None:
    """Its pieces."""
    if hasattr(answer, "parse"):
        answer = answer.parse()
        answer = await answer if hasattr(answer, "__await__") else answer
    if hasattr(answer, "__anext__"):
        async for _ in answer:
            pass


REFUSED = (openai.APIError, anthropic.APIError, Exception)
"""A cut stream is an error of the transport's, which has another name with each SDK's library."""


def talk(provider: Provider, questions: Sequence[str]) -> int:
    """All calls, sync; hands back how many there were."""
    made = 0
    for client, calls in zip(clients(provider), (openai_calls, anthropic_calls), strict=True):
        for question in questions:
            for call in calls(client, question):
                made += 1
                with suppress(*REFUSED):
                    read(call())
        client.close()
    return made


async def talk_async(provider: Provider, questions: Sequence[str]) -> int:
    """All calls, async."""
    made = 0
    both = clients(provider, asynchronous=True)
    for client, calls in zip(both, (openai_calls, anthropic_calls), strict=True):
        for question in questions:
            for call in calls(client, question):
                made += 1
                with suppress(*REFUSED):
                    await read_async(call())
        await client.close()
    return made


def everything(
    provider: Provider, questions: Sequence[str] = QUESTIONS[:1]
) -> tuple[touchdown.Task, int]:
    """A task with all shapes of calls for each question, and all tools; how many calls there were."""
    with touchdown.task("canaries") as task:
        made = talk(provider, questions) + asyncio.run(talk_async(provider, questions))
        tools()
        asyncio.run(tools_async())
        gpt, _ = clients(provider)
        sub_agent(canary("goal"), lambda: gpt.chat.completions.create(**chat("hello")))
        gpt.close()
        task.useful()
    return task, made + 1
