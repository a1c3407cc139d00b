"""Background responses: billed once, at the first terminal answer that anyone reads."""

import threading
from collections import OrderedDict

from touchdown.clients.fields import get, text
from touchdown.clients.openai.responses import RUNNING, ResponsesReader
from touchdown.integration import CallObservation, Seam, StreamReader

MAX_OPEN = 1_000
"""Background responses kept open; the oldest is then recorded with unknown usage."""


class BackgroundCalls:
    """The background responses of this process that no one has read to their end yet."""

    def __init__(self, seam: Seam, reader: ResponsesReader) -> None:
        self._seam, self._reader = seam, reader
        self._lock = threading.Lock()
        self._open: OrderedDict[str, CallObservation] = OrderedDict()
        self._ended: OrderedDict[str, None] = OrderedDict()

    def hold(self, seen: CallObservation, answer: object) -> bool:
        """Keep a call open whose response still runs; true when it does."""
        response_id, running = self._state(seen, answer)
        if not response_id:
            return False
        with self._lock:
            if not running:
                self._end(response_id)
                return False
            self._open[response_id] = seen
            oldest = self._open.popitem(last=False)[1] if len(self._open) > MAX_OPEN else None
        if oldest is not None:
            _let_go(oldest)
        return True

    def _state(self, seen: CallObservation, answer: object) -> tuple[str, bool]:
        if seen.stream is not None:
            told = seen.stream.answer()
            return told.response_id, not told.terminal
        return text(answer, "id"), text(answer, "status") in RUNNING

    def _end(self, response_id: str) -> None:
        self._open.pop(response_id, None)
        self._ended[response_id] = None
        if len(self._ended) > MAX_OPEN:
            self._ended.popitem(last=False)

    def fetched(self, client: object, answer: object) -> None:
        """An answer fetched by id ends its call when it is terminal and nobody read it before."""
        if text(answer, "status") in RUNNING or get(answer, "background") is not True:
            return
        seen = self.claim(text(answer, "id"), client, answer)
        if seen is not None:
            seen.finish(answer)

    def claim(self, response_id: str, client: object, answer: object) -> CallObservation | None:
        """The open call of a response, or a new one when another process asked for it; ``None`` if billed."""
        with self._lock:
            if response_id in self._ended or not response_id:
                return None
            seen = self._open.get(response_id)
            self._end(response_id)
        if seen is not None:
            seen.hold = None
            return seen
        url = getattr(client, "base_url", None)
        return self._seam.model_call(
            self._reader,
            vendor="openai",
            provider="openai",
            model=text(answer, "model"),
            host=str(getattr(url, "host", "") or ""),
        )

    def let_go(self) -> None:
        """Record what is still open with unknown usage: nobody will read it here."""
        with self._lock:
            waiting, self._open = list(self._open.values()), OrderedDict()
        for seen in waiting:
            _let_go(seen)


class FetchedStream:
    """Follows the events of a background response that is fetched as a stream."""

    __slots__ = ("_calls", "_client", "_stream", "chunks", "hide_usage_chunk", "reading")

    def __init__(self, calls: BackgroundCalls, client: object, stream: StreamReader) -> None:
        self._calls, self._client, self._stream = calls, client, stream
        self.chunks = 0
        self.reading = False
        self.hide_usage_chunk = False

    def chunk(self, event: object) -> None:
        """Look at one event."""
        self.chunks += 1
        self._stream.chunk(event)

    def finish(self) -> None:
        """The events ended: bill the response if they told its end."""
        answer = self._stream.answer()
        if not answer.terminal:
            return
        seen = self._calls.claim(answer.response_id, self._client, {"model": answer.model})
        if seen is not None:
            seen.stream, seen.is_stream, seen.chunks = self._stream, True, self.chunks
            seen.finish()

    def fail(self, error: BaseException) -> None:
        """Reading broke off; the response may still be fetched again."""
        self.finish()

    def dropped(self) -> None:
        """The stream was let go of; the response may still be fetched again."""
        self.finish()


def _let_go(seen: CallObservation) -> None:
    seen.hold = None
    seen.finish(status="not_read")
