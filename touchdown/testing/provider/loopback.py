"""The loopback provider: real HTTP, scripted answers, the published cache rules."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from types import TracebackType
from typing import TypeAlias

from touchdown.testing.provider.answer import Answer
from touchdown.testing.provider.clock import Clock
from touchdown.testing.provider.dispatch import Decide, Dispatcher, ScriptError, Step
from touchdown.testing.provider.replay import Replay
from touchdown.testing.provider.request import Request
from touchdown.testing.provider.server import LoopbackServer, Received

Script: TypeAlias = Sequence[Step] | Decide | Replay


class Provider:
    """A model provider on 127.0.0.1 that speaks the Anthropic and OpenAI APIs.

    `script` is a sequence of replies and faults, used in order; a callable that decides on each
    request, in the thread that serves it; or a `Replay`. A plain string is a `Reply` with that
    text. Only model calls use up the script: token counts, embeddings, model lists and
    look-ups of earlier responses do not (in a `Replay`, everything does).

    Example:
        with Provider([Reply("hello")]) as provider:
            client = Anthropic(base_url=provider.url, api_key="test")
    """

    def __init__(self, script: Script = (), *, clock: Clock | None = None) -> None:
        self.clock = clock or Clock()
        self._requests: list[Request] = []
        self._lock = threading.Lock()
        self._dispatcher = Dispatcher(_choose(script), self.clock)
        self._server: LoopbackServer | None = None

    def start(self) -> Provider:
        """Begin to listen; `with` does this."""
        if self._server is None:
            self._server = LoopbackServer(self._respond)
            self._server.start()
        return self

    def close(self) -> None:
        """Stop listening and drop open connections; `with` does this."""
        server, self._server = self._server, None
        if server is not None:
            server.close()

    def __enter__(self) -> Provider:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def url(self) -> str:
        """Base URL for the Anthropic SDK.

        Errors: `RuntimeError` before `start()`.
        """
        if self._server is None:
            raise RuntimeError("the provider is not running: use `with Provider(...) as provider`")
        return self._server.url

    @property
    def openai_url(self) -> str:
        """Base URL for the OpenAI SDK."""
        return self.url + "/v1"

    def env(self) -> dict[str, str]:
        """Environment variables that point the SDKs of a child process here."""
        return {
            "ANTHROPIC_BASE_URL": self.url,
            "ANTHROPIC_API_KEY": "loopback",
            "OPENAI_BASE_URL": self.openai_url,
            "OPENAI_API_KEY": "loopback",
        }

    @property
    def requests(self) -> list[Request]:
        """Everything received so far, in order of arrival."""
        with self._lock:
            return list(self._requests)

    def evict(self) -> None:
        """Drop every prompt-cache entry."""
        self._dispatcher.cache.evict()

    def _respond(self, received: Received) -> Answer:
        call = self._dispatcher.read(received)
        with self._lock:
            self._requests.append(call.request)
        return self._dispatcher.answer(call)


def _choose(script: Script) -> Decide | Replay:
    """A sequence becomes a callable that hands out its steps."""
    if isinstance(script, Replay) or callable(script):
        return script
    if isinstance(script, str):
        script = [script]
    steps = list(script)
    taken = iter(steps)
    lock = threading.Lock()

    def next_step(request: Request) -> Step:
        with lock:
            step = next(taken, None)
        if step is None:
            raise ScriptError(f"the script has no reply left ({len(steps)} given)")
        return step

    return next_step
