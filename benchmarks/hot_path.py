"""What touchdown adds to the caller's thread, against the floor: one span with 25 attributes.

Run ``python benchmarks/hot_path.py [--pairs N] [--json]``. One process, on one CPU where the
system allows it; the SDK bare, the SDK with a hook that makes one span with 25 attributes through a
``BatchSpanProcessor``, and the SDK with touchdown take turns, in changing order, on the same request:
60 messages, about 200 KB of JSON, 12 tools. The figure is the median over pairs of the difference in
``time.thread_time`` per call; what is claimed is the ratio of two such differences of one run.

A chunk of a stream costs an SDK far more than it costs us, so that a difference of two whole streams
says little: the SDK's own events are read again, through our iterator and without it.
"""

import argparse
import gc
import json
import os
import random
import statistics
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import anthropic
import httpx2
import openai
import wrapt
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

import touchdown
from touchdown.clients.anthropic.reader import READERS as ANTHROPIC_READERS
from touchdown.clients.events import events_of
from touchdown.clients.openai.reader import READERS as OPENAI_READERS
from touchdown.integration import CallReader, Seam

CALLS = 10
MESSAGES = 60
CHUNKS = 300
STATES = ("bare", "floor", "touchdown")


class Discard(SpanExporter):
    """An exporter that lets spans go."""

    def export(self, spans: Any) -> SpanExportResult:
        return SpanExportResult.SUCCESS


PROVIDER = TracerProvider(shutdown_on_exit=False)
PROVIDER.add_span_processor(BatchSpanProcessor(Discard()))
ATTRIBUTES = {f"benchmark.attribute.{n}": n for n in range(25)}


def messages() -> list[dict[str, str]]:
    """A conversation of about 200 KB, the same strings every time, as an agent's own history is."""
    words = random.Random(7)
    roles = ("user", "assistant")
    return [
        {"role": roles[n % 2], "content": "".join(words.choices("abcdefghij ", k=3300))}
        for n in range(MESSAGES - 1)
    ]


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


def _sse(events: list[dict[str, Any]], named: bool) -> bytes:
    lines = (
        (f"event: {event['type']}\n" if named else "") + f"data: {json.dumps(event)}\n\n"
        for event in events
    )
    return "".join(lines).encode() + (b"" if named else b"data: [DONE]\n\n")


def anthropic_stream() -> bytes:
    """300 text deltas between the usual first and last events."""
    start = {**MESSAGE, "content": [], "stop_reason": None}
    delta = {
        "type": "content_block_delta",
        "index": 0,
        "delta": {"type": "text_delta", "text": "word "},
    }
    return _sse(
        [
            {"type": "message_start", "message": start},
            {
                "type": "content_block_start",
                "index": 0,
                "content_block": {"type": "text", "text": ""},
            },
            *[delta] * CHUNKS,
            {"type": "content_block_stop", "index": 0},
            {
                "type": "message_delta",
                "delta": {"stop_reason": "end_turn"},
                "usage": {"output_tokens": 300},
            },
            {"type": "message_stop"},
        ],
        named=True,
    )


def openai_stream() -> bytes:
    """300 chunks, the last with a finish reason, and one with the usage."""
    base = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "gpt-5.4"}
    word = {**base, "choices": [{"index": 0, "delta": {"content": "word "}, "finish_reason": None}]}
    end = {**base, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    return _sse(
        [*[word] * CHUNKS, end, {**base, "choices": [], "usage": COMPLETION["usage"]}], named=False
    )


def _answer(request: httpx2.Request) -> httpx2.Response:
    wants_stream = b'"stream":true' in request.content.replace(b" ", b"")[-4000:] or (
        b'"stream":true' in request.content.replace(b" ", b"")[:4000]
    )
    is_anthropic = request.url.path.endswith("/messages")
    if wants_stream:
        body = ANTHROPIC_STREAM if is_anthropic else OPENAI_STREAM
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=body)
    return httpx2.Response(200, json=MESSAGE if is_anthropic else COMPLETION)


ANTHROPIC_STREAM = anthropic_stream()
OPENAI_STREAM = openai_stream()


def cases() -> dict[str, Callable[[], object]]:
    """The measured calls by name."""
    transport = httpx2.Client(transport=httpx2.MockTransport(_answer))
    claude = anthropic.Anthropic(api_key="k", base_url="http://127.0.0.1:9", http_client=transport)
    gpt = openai.OpenAI(api_key="k", base_url="http://127.0.0.1:9/v1", http_client=transport)
    history: Any = messages()
    asked: Any = {
        "model": "claude-sonnet-5",
        "max_tokens": 100,
        "messages": history,
        "tools": TOOLS,
    }
    chat: Any = {"model": "gpt-5.4", "messages": history, "tools": OPENAI_TOOLS}
    tiny: Any = [{"role": "user", "content": "hi"}]
    return {
        "anthropic large": lambda: claude.messages.create(**asked),
        "openai large": lambda: gpt.chat.completions.create(**chat),
        "anthropic tiny": lambda: claude.messages.create(
            model="claude-sonnet-5", max_tokens=9, messages=tiny
        ),
        "openai tiny": lambda: gpt.chat.completions.create(model="gpt-5.4", messages=tiny),
    }


def streams() -> dict[str, tuple[CallReader, list[object]]]:
    """The events of one stream of each SDK, and who reads them."""
    transport = httpx2.Client(transport=httpx2.MockTransport(_answer))
    claude = anthropic.Anthropic(api_key="k", base_url="http://127.0.0.1:9", http_client=transport)
    gpt = openai.OpenAI(api_key="k", base_url="http://127.0.0.1:9/v1", http_client=transport)
    asked: Any = {"messages": [], "stream": True}
    return {
        "anthropic": (
            ANTHROPIC_READERS["/v1/messages"],
            list(claude.messages.create(model="claude-sonnet-5", max_tokens=9, **asked)),
        ),
        "openai": (
            OPENAI_READERS["/chat/completions"],
            list(gpt.chat.completions.create(model="gpt-5.4", **asked)),
        ),
    }


class Stream:
    """As much of an SDK stream as is followed."""

    def __init__(self, events: list[object]) -> None:
        self._iterator = iter(events)


def chunk_us(reader: CallReader, events: list[object]) -> float:
    """Microseconds that following adds to each event."""
    seen = Seam().model_call(reader, vendor="v", provider="p", model="m")
    assert seen is not None
    seen.begin_stream()
    followed, bare = events_of(Stream(events), seen), iter(events)
    gc.disable()
    began = time.thread_time_ns()
    deque(followed, 0)
    between = time.thread_time_ns()
    deque(bare, 0)
    ended = time.thread_time_ns()
    gc.enable()
    return ((between - began) - (ended - between)) / len(events) / 1000


@contextmanager
def floor() -> Iterator[None]:
    """A hook at the same place that makes one span with 25 attributes and nothing else."""
    tracer = PROVIDER.get_tracer("floor")

    def hook(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        with tracer.start_as_current_span("chat") as span:
            answer = wrapped(*args, **kwargs)
            span.set_attributes(ATTRIBUTES)
        return answer

    owners = [openai._base_client.SyncAPIClient, anthropic._base_client.SyncAPIClient]
    originals = [vars(owner)["request"] for owner in owners]
    for owner, original in zip(owners, originals, strict=True):
        setattr(owner, "request", wrapt.FunctionWrapper(original, hook))  # noqa: B010
    try:
        yield
    finally:
        for owner, original in zip(owners, originals, strict=True):
            setattr(owner, "request", original)  # noqa: B010


@contextmanager
def instrumented() -> Iterator[None]:
    """touchdown, with spans through the same kind of processor."""
    touchdown.instrument(tracer_provider=PROVIDER, integrations=False)
    try:
        yield
    finally:
        touchdown.uninstrument()


@contextmanager
def bare() -> Iterator[None]:
    """Nothing."""
    yield


def measure(call: Callable[[], object], calls: int) -> float:
    """Microseconds of this thread per call, with garbage collection off."""
    call()
    gc.collect()
    gc.disable()
    began = time.thread_time_ns()
    for _ in range(calls):
        call()
    spent = time.thread_time_ns() - began
    gc.enable()
    return spent / calls / 1000


def run(pairs: int, only: str) -> dict[str, dict[str, float]]:
    """Added microseconds per call by case, and their ratio."""
    states = {"bare": bare, "floor": floor, "touchdown": instrumented}
    results: dict[str, dict[str, float]] = {}
    for name, call in cases().items():
        if only not in name:
            continue
        samples: dict[str, list[float]] = {state: [] for state in STATES}
        for n in range(pairs):
            order = list(STATES)
            random.Random(n).shuffle(order)
            for state in order:
                with states[state]():
                    samples[state].append(measure(call, CALLS))
        added = {
            state: statistics.median(
                a - b for a, b in zip(samples[state], samples["bare"], strict=True)
            )
            for state in ("floor", "touchdown")
        }
        results[name] = {
            "bare_us": statistics.median(samples["bare"]),
            "floor_us": added["floor"],
            "touchdown_us": added["touchdown"],
            "ratio": added["touchdown"] / added["floor"],
        }
        print(f"{name}: {results[name]}", file=sys.stderr)
    return results


def run_chunks(pairs: int) -> dict[str, float]:
    """Added microseconds per event of a stream."""
    with instrumented():
        return {
            name: statistics.median(chunk_us(reader, events) for _ in range(5 * pairs))
            for name, (reader, events) in streams().items()
        }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--pairs", type=int, default=40)
    parser.add_argument("--only", default="")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    results = run(options.pairs, options.only)
    chunks = run_chunks(options.pairs)
    if options.json:
        print(json.dumps({"calls": results, "chunk_us": chunks}, indent=2))
        return
    print(f"{'case':<18}{'bare us':>10}{'floor +us':>11}{'touchdown +us':>15}{'ratio':>8}")
    for name, row in results.items():
        print(
            f"{name:<18}{row['bare_us']:>10.0f}{row['floor_us']:>11.0f}{row['touchdown_us']:>15.0f}"
            f"{row['ratio']:>8.2f}"
        )
    for name, added in chunks.items():
        print(f"{name + ' chunk':<18}{'':>21}{added:>15.2f}")


if __name__ == "__main__":
    main()
