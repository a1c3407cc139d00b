"""What is measured: requests of both SDKs, large, tiny and streamed, answered without a network."""

import contextlib
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import anthropic
import httpx2
import openai

MESSAGES = 60
CHUNKS = 300
LARGE_CHARS = 3_300
"""Characters of one message: 60 of them are about 200 KB of JSON."""

TOOLS = [
    {"name": f"tool_{n}", "description": "does a thing " * 10, "input_schema": {"type": "object"}}
    for n in range(12)
]
OPENAI_TOOLS = [
    {
        "type": "function",
        "function": {"name": t["name"], "description": t["description"], "parameters": {}},
    }
    for t in TOOLS
]
MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-5",
    "content": [{"type": "text", "text": "done"}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 10, "cache_read_input_tokens": 50_000, "output_tokens": 20},
}
COMPLETION = {
    "id": "chatcmpl_1",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-5.4",
    "choices": [
        {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "done"}}
    ],
    "usage": {"prompt_tokens": 50_000, "completion_tokens": 20, "total_tokens": 50_020},
}


def messages(count: int = MESSAGES - 1, seed: int = 7) -> list[dict[str, str]]:
    """A conversation, the same strings every time, as an agent's own history is."""
    words = random.Random(seed)
    roles = ("user", "assistant")
    return [
        {"role": roles[n % 2], "content": "".join(words.choices("abcdefghij ", k=LARGE_CHARS))}
        for n in range(count)
    ]


def _sse(events: list[dict[str, Any]], named: bool) -> bytes:
    lines = (
        (f"event: {event['type']}\n" if named else "") + f"data: {json.dumps(event)}\n\n"
        for event in events
    )
    return "".join(lines).encode() + (b"" if named else b"data: [DONE]\n\n")


def _anthropic_stream(chunks: int) -> bytes:
    """So many text deltas between the usual first and last events."""
    start = {**MESSAGE, "content": [], "stop_reason": None}
    delta = {
        "type": "content_block_delta",
        "index": 0,
        "delta": {"type": "text_delta", "text": "word "},
    }
    block = {"type": "text", "text": ""}
    end = {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn"},
        "usage": {"output_tokens": chunks},
    }
    return _sse(
        [
            {"type": "message_start", "message": start},
            {"type": "content_block_start", "index": 0, "content_block": block},
            *[delta] * chunks,
            {"type": "content_block_stop", "index": 0},
            end,
            {"type": "message_stop"},
        ],
        named=True,
    )


def _openai_stream(chunks: int) -> bytes:
    """So many chunks, one more with the finish reason, and one with the usage."""
    base = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "gpt-5.4"}
    word = {**base, "choices": [{"index": 0, "delta": {"content": "word "}, "finish_reason": None}]}
    end = {**base, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    usage = {**base, "choices": [], "usage": COMPLETION["usage"]}
    return _sse([*[word] * chunks, end, usage], named=False)


ANSWERS = {
    "anthropic": (json.dumps(MESSAGE).encode(), _anthropic_stream(CHUNKS)),
    "openai": (json.dumps(COMPLETION).encode(), _openai_stream(CHUNKS)),
}


@contextlib.contextmanager
def streams_of(chunks: int) -> Iterator[None]:
    """Answers are streamed in so many pieces of text."""
    before = dict(ANSWERS)
    ANSWERS["anthropic"] = before["anthropic"][0], _anthropic_stream(chunks)
    ANSWERS["openai"] = before["openai"][0], _openai_stream(chunks)
    try:
        yield
    finally:
        ANSWERS.update(before)


def answer(request: httpx2.Request) -> httpx2.Response:
    """What the provider would say."""
    sdk = "anthropic" if request.url.path.endswith("/messages") else "openai"
    body, stream = ANSWERS[sdk]
    ends = request.content[:4000] + request.content[-4000:]
    if b'"stream":true' in ends.replace(b" ", b""):
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=stream)
    return httpx2.Response(200, headers={"content-type": "application/json"}, content=body)


def client_of(sdk: str, *, native: bool = False, is_async: bool = False) -> Any:
    """A client whose requests are answered in this process; ``native``: anthropic's own tracing is on."""
    transport = httpx2.MockTransport(answer)
    client = httpx2.AsyncClient if is_async else httpx2.Client
    given: dict[str, Any] = {"api_key": "k", "http_client": client(transport=transport)}
    if sdk == "openai":
        made = openai.AsyncOpenAI if is_async else openai.OpenAI
        return made(base_url="http://127.0.0.1:9/v1", **given)
    ours = anthropic.AsyncAnthropic if is_async else anthropic.Anthropic
    traces = {"traces": {"enabled": native}}
    return ours(base_url="http://127.0.0.1:9", open_telemetry=traces, **given)


def create_of(sdk: str, client: Any) -> Callable[..., Any]:
    """The method that asks for an answer."""
    created: Callable[..., Any] = (
        client.messages.create if sdk == "anthropic" else client.chat.completions.create
    )
    return created


def request_of(sdk: str, history: list[dict[str, str]], *, tools: bool) -> dict[str, Any]:
    """The arguments of a call with this history."""
    asked: dict[str, Any] = {"messages": history}
    if sdk == "anthropic":
        asked |= {"model": "claude-sonnet-5", "max_tokens": 100}
    else:
        asked |= {"model": "gpt-5.4"}
    if tools:
        asked["tools"] = TOOLS if sdk == "anthropic" else OPENAI_TOOLS
    return asked


@dataclass(frozen=True)
class Case:
    """One call that is measured."""

    name: str
    sdk: str
    call: Callable[[], Any]


def cases() -> list[Case]:
    """Large and tiny, of both SDKs."""
    history, tiny = messages(), [{"role": "user", "content": "hi"}]
    made = []
    for size, said in (("large", history), ("tiny", tiny)):
        for sdk in ("anthropic", "openai"):
            create = create_of(sdk, client_of(sdk))
            asked = request_of(sdk, said, tools=size == "large")
            made.append(Case(f"{sdk} {size}", sdk, lambda c=create, a=asked: c(**a)))
    return made


def stream_events(sdk: str) -> list[object]:
    """The events of one stream, as the SDK makes them."""
    asked = request_of(sdk, [{"role": "user", "content": "hi"}], tools=False)
    return list(create_of(sdk, client_of(sdk))(**asked, stream=True))
