"""The calls that are measured with a peer and without; proof that it is there exactly when it is on."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import workload
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from workload import CHUNKS, client_of, create_of, messages, request_of

from peers.patches import Patches

TINY = [{"role": "user", "content": "hi"}]
STATES = ("off", "on")
Call = Callable[[], object]


class Counted(SpanProcessor):
    """Hands everything on, and counts the spans that end."""

    def __init__(self, processor: SpanProcessor) -> None:
        self._processor = processor
        self.ended = 0

    def on_start(self, span: Any, parent_context: Any = None) -> None:
        """A span began."""
        self._processor.on_start(span, parent_context)

    def on_end(self, span: ReadableSpan) -> None:
        """A span ended."""
        self.ended += 1
        self._processor.on_end(span)

    def shutdown(self) -> None:
        """End."""
        self._processor.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Send all."""
        return self._processor.force_flush(timeout_millis)


@dataclass(frozen=True)
class Measured:
    """One kind of call, in both states. ``units``: what the cost is divided by, the chunks of a stream."""

    name: str
    by_state: dict[str, Call]
    units: int = 1


class Switch:
    """One peer, on or off."""

    def __init__(self, patches: Patches, counted: Counted, flush: Callable[[], object]) -> None:
        self.to, self._counted, self.flush = patches.to, counted, flush

    def prove(self, measured: Measured) -> None:
        """Fail unless each call makes spans when the peer is on, and none when it is off."""
        for state, call in measured.by_state.items():
            self.to(state)
            before = self._counted.ended
            for _ in range(2):
                call()
            self.flush()
            spans = self._counted.ended - before
            if (spans < 2) if state == "on" else spans:
                raise SystemExit(f"{measured.name}: {spans} spans of 2 calls while {state}")


def calls_of(*, native: bool) -> Iterator[Measured]:
    """Large, tiny and streamed calls of both SDKs, or of the one that traces itself."""
    history = messages()
    for sdk in ("anthropic",) if native else ("anthropic", "openai"):
        clients = {"off": client_of(sdk), "on": client_of(sdk, native=native)}
        large, tiny = (request_of(sdk, said, tools=said is history) for said in (history, TINY))
        yield Measured(f"{sdk} large", _each(clients, sdk, large))
        yield Measured(f"{sdk} tiny", _each(clients, sdk, tiny))
        yield Measured(f"{sdk} chunk", _each(clients, sdk, tiny, stream=True), CHUNKS)


def _each(
    clients: dict[str, Any], sdk: str, asked: dict[str, Any], *, stream: bool = False
) -> dict[str, Call]:
    return {state: _call(sdk, made, asked, stream) for state, made in clients.items()}


def _call(sdk: str, client: Any, asked: dict[str, Any], stream: bool) -> Call:
    # The method is looked up for each call: a bound one would stay as it was patched when it was bound.
    if stream:
        return lambda: [None for _ in create_of(sdk, client)(**asked, stream=True)]
    return lambda: create_of(sdk, client)(**asked)


@contextmanager
def growing_usage() -> Iterator[None]:
    """The loopback answers count the input by its length, as a provider would."""

    def answer(request: Any) -> Any:
        response, size = before(request), len(request.content) // 4
        body = json.loads(response.content)
        body["usage"] |= {"cache_read_input_tokens": size - 10}
        return type(response)(200, headers=dict(response.headers), content=json.dumps(body))

    before, workload.answer = workload.answer, answer
    try:
        yield
    finally:
        workload.answer = before
