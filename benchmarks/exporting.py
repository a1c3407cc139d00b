"""A sender for benchmarks/collect.py, in a process of its own: what an agent and engines export, as they do.

The payloads are made by OpenTelemetry's own encoder before the clock starts: calls of an agent, for each
of them the spans of a router (as NVIDIA Dynamo 1.6.1 names them) and of an engine behind it
(vLLM 0.32.0). Then they are sent, as fast as they are taken or at a stated rate, and what was refused is
sent again as an exporter would.
"""

import http.client
import json
import random
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, set_span_in_context

BATCH = 512
CALLS = 20
"""Of one task, all in its trace."""
ROUTER = (
    "kv_router.compute_block_hashes",
    "kv_router.find_matches",
    "kv_router.schedule",
    "kv_router.select_worker",
    "kv_router.route_request",
    "handle_payload",
)


class Maker:
    """Spans of one call after the other, by the SDK."""

    def __init__(self) -> None:
        self._made = InMemorySpanExporter()
        self._tracers = {}
        for service in ("agent", "dynamo-frontend", "vllm"):
            provider = TracerProvider(resource=Resource({"service.name": service}))
            provider.add_span_processor(SimpleSpanProcessor(self._made))
            self._tracers[service] = provider.get_tracer(service)
        self._task: Any = None

    def spans(self, number: int) -> list[ReadableSpan]:
        """All of one call: its own, the router's and the engine's."""
        tokens, request_id = random.randint(500, 90_000), f"req-{number:08x}"
        agent, router, engine = self._tracers.values()
        if number % CALLS == 0:
            if self._task is not None:
                self._task.end()
            told = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "fixer"}
            self._task = agent.start_span("invoke_agent fixer", attributes=told)
        task = set_span_in_context(self._task)
        call = agent.start_span(
            "chat tiny", context=task, kind=SpanKind.CLIENT, attributes=call_of(tokens)
        )
        around = set_span_in_context(call)
        front = router.start_span(
            "http-request", context=around, attributes=front_of(tokens, request_id)
        )
        inside = set_span_in_context(front)
        for name in ROUTER:
            told = {"target": name, "busy_ns": 4_000, "idle_ns": 900, "thread.id": 5}
            router.start_span(name, context=inside, attributes=told).end()
        served = engine.start_span(
            "llm_request",
            context=inside,
            kind=SpanKind.SERVER,
            attributes=served_of(tokens, request_id),
        )
        for span in (served, front, call):
            span.end()
        found = list(self._made.get_finished_spans())
        self._made.clear()
        return found


def call_of(tokens: int) -> dict[str, Any]:
    """What an instrumentation that follows the conventions says of a call."""
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "tiny",
        "gen_ai.usage.input_tokens": tokens,
        "gen_ai.usage.output_tokens": 24,
    }


def front_of(tokens: int, request_id: str) -> dict[str, Any]:
    """Dynamo's span of a request."""
    return {
        "method": "POST",
        "uri": "/v1/chat/completions",
        "x_request_id": request_id,
        "model": "tiny",
        "input_tokens": str(tokens),
        "output_tokens": "24",
        "ttft_ms": "8.38",
        "avg_itl_ms": "0.56",
        "prefill_worker_id": "11731975439582334656",
        "decode_worker_id": "11731975439582334656",
    }


def served_of(tokens: int, request_id: str) -> dict[str, Any]:
    """vLLM's span of a request."""
    return {
        "gen_ai.latency.time_to_first_token": 0.1139,
        "gen_ai.latency.e2e": 0.3110,
        "gen_ai.latency.time_in_queue": 0.0302,
        "gen_ai.latency.time_in_model_prefill": 0.1009,
        "gen_ai.latency.time_in_model_decode": 0.1697,
        "gen_ai.latency.time_in_model_inference": 0.2706,
        "gen_ai.usage.prompt_tokens": tokens,
        "gen_ai.usage.completion_tokens": 24,
        "gen_ai.request.id": f"chatcmpl-{request_id}",
        "gen_ai.request.max_tokens": 24,
    }


def payloads(spans: int) -> Iterator[tuple[int, bytes]]:
    """Requests with so many spans in all, and how many each has."""
    maker, held, number, left = Maker(), [], 0, spans
    while left > 0:
        while len(held) < min(BATCH, left):
            held += maker.spans(number)
            number += 1
        batch, held = held[: min(BATCH, left)], held[min(BATCH, left) :]
        left -= len(batch)
        yield len(batch), encode_spans(batch).SerializeToString()


class Sender(threading.Thread):
    """One exporter: a connection of its own, one request after the other."""

    def __init__(self, endpoint: str, mine: list[tuple[int, bytes]], rate: float) -> None:
        super().__init__()
        self._parts, self._mine, self._rate = urlsplit(endpoint), mine, rate
        self.sent = self.again = self.lost = 0

    def run(self) -> None:
        """Send all."""
        connection = http.client.HTTPConnection(self._parts.hostname or "", self._parts.port)
        began = time.monotonic()
        for spans, body in self._mine:
            pause = began + self.sent / self._rate - time.monotonic() if self._rate else 0
            if pause > 0:
                time.sleep(pause)
            for _ in range(20):
                connection.request(
                    "POST", "/v1/traces", body, {"Content-Type": "application/x-protobuf"}
                )
                answer = connection.getresponse()
                answer.read()
                if answer.status == 200:
                    break
                self.again += 1
                time.sleep(0.2)
            else:
                self.lost += spans
            self.sent += spans


def main() -> None:
    """``exporting.py ENDPOINT SPANS RATE SENDERS``: sends after a line came; one line of JSON at the end."""
    endpoint, rate = sys.argv[1], float(sys.argv[3])
    spans, senders = int(sys.argv[2]), int(sys.argv[4])
    made = list(payloads(spans))
    print("ready", flush=True)
    sys.stdin.readline()
    began = time.monotonic()
    threads = [Sender(endpoint, made[n::senders], rate / senders) for n in range(senders)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    total = {name: sum(getattr(t, name) for t in threads) for name in ("sent", "again", "lost")}
    print(json.dumps({**total, "seconds": time.monotonic() - began}), flush=True)


if __name__ == "__main__":
    main()
