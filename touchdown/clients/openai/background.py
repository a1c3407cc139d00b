"""Background responses: billed once, at the first terminal answer that anyone reads."""

import threading
from collections import OrderedDict

from touchdown.clients.endpoint import endpoint_of
from touchdown.clients.fields import get, text
from touchdown.clients.openai.responses import RUNNING, ResponsesReader
from touchdown.integration import AnswerView, CallObservation, Seam, StreamReader, guarded
from touchdown.records.call import CallStatus
from touchdown.runtime.raw import RawBody, read_json, read_raw

MAX_OPEN = 1_000
"""Background responses kept open; the oldest is then recorded with unknown usage."""


PLATFORMS = {"bedrock": "aws.bedrock", "vertex": "gcp.vertex_ai"}
"""Name of the ``provider`` a client was made with to the conventions' provider name."""


def provider_of(client: object) -> str:
    """``openai``, or the platform of a client on the same base."""
    if "Azure" in type(client).__name__:
        return "azure.ai.openai"
    given = getattr(getattr(client, "_provider_runtime", None), "name", "")
    return PLATFORMS.get(given, "aws.bedrock" if "Bedrock" in type(client).__name__ else "openai")


class BackgroundCalls:
    """The background responses of this process that no one has read to their end yet."""

    def __init__(self, seam: Seam, reader: ResponsesReader) -> None:
        self._seam, self.reader = seam, reader
        self._lock = threading.RLock()  # a stream dropped by the garbage collector may ask again
        self._open: OrderedDict[str, CallObservation] = OrderedDict()
        self._ended: OrderedDict[str, None] = OrderedDict()

    @guarded("openai.background")
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
        elif seen.raw is not None:
            told = read_raw(self.reader, seen.raw)
        else:
            told = self.reader.read_answer(answer)
        return told.response_id, not told.terminal

    def _end(self, response_id: str) -> None:
        self._open.pop(response_id, None)
        self._ended[response_id] = None
        if len(self._ended) > MAX_OPEN:
            self._ended.popitem(last=False)

    def fetched(self, client: object, answer: object) -> None:
        """An answer fetched by id ends its call when it is terminal and nobody read it before."""
        if text(answer, "status") in RUNNING or get(answer, "background") is not True:
            return
        seen = self.claim(text(answer, "id"), client, text(answer, "model"))
        if seen is not None:
            seen.finish(answer)

    def claim(self, response_id: str, client: object, model: str) -> CallObservation | None:
        """The open call of a response, or a new one when another process asked for it; ``None`` if billed.

        What its own answer told so far is forgotten: the answer that was fetched says all of it.
        """
        with self._lock:
            if response_id in self._ended or not response_id:
                return None
            seen = self._open.get(response_id)
            self._end(response_id)
        if seen is not None:
            seen.hold = seen.stream = seen.raw = None
            return seen
        endpoint = endpoint_of(client)
        return self._seam.model_call(
            self.reader,
            vendor="openai",
            provider=provider_of(client),
            model=model,
            host=endpoint.host,
            port=endpoint.port,
        )

    def let_go(self) -> None:
        """Record what is still open with unknown usage: nobody will read it here."""
        with self._lock:
            waiting, self._open = list(self._open.values()), OrderedDict()
        for seen in waiting:
            _let_go(seen)


class Fetch:
    """Follows the answer to a look-up of a background response, read as events or as raw bytes."""

    __slots__ = (
        "_calls",
        "_client",
        "chunks",
        "closed",
        "first_ns",
        "hide_usage_chunk",
        "is_stream",
        "raw",
        "reading",
        "stream",
    )

    def __init__(self, calls: BackgroundCalls, client: object) -> None:
        self._calls, self._client = calls, client
        self.stream: StreamReader | None = None
        self.raw: RawBody | None = None
        self.first_ns: int | None = None
        self.chunks = 0
        self.closed = self.is_stream = self.reading = self.hide_usage_chunk = False

    def begin_stream(self) -> None:
        """The answer is a stream of events that the host will read."""
        self.is_stream = True
        self.stream = self._calls.reader.new_stream()

    def finish(self, answer: object = None, status: CallStatus = "ok") -> None:
        """The answer was read: bill the response if it told its end."""
        if self.closed:
            return
        self.closed = True
        if self.stream is not None and self.chunks:
            self._bill(self.stream.answer())
        elif self.raw is not None and self.raw.is_event_stream:
            self._bill(read_raw(self._calls.reader, self.raw))
        elif self.raw is not None:
            self._calls.fetched(self._client, read_json(self.raw))

    def _bill(self, told: AnswerView) -> None:
        if not told.terminal:
            return
        seen = self._calls.claim(told.response_id, self._client, told.model)
        if seen is not None:
            seen.stream, seen.raw, seen.chunks = self.stream, self.raw, self.chunks
            seen.is_stream = True
            seen.finish()

    def fail(self, error: BaseException) -> None:
        """Reading broke off; the response may still be fetched again."""
        self.finish()

    def dropped(self) -> None:
        """The answer was let go of; the response may still be fetched again."""
        self.finish()


def _let_go(seen: CallObservation) -> None:
    seen.hold = None
    seen.finish(status="not_read")
