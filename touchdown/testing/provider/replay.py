"""Recorded exchanges, served again as they were."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

from touchdown.testing.provider.answer import EVENT_STREAM, JSON, Answer, split_events
from touchdown.testing.provider.request import Request

Match: TypeAlias = Literal["order", "path"]

_NOT_OURS_TO_SEND = frozenset(
    {
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "date",
        "keep-alive",
        "proxy-authenticate",
        "server",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)


class ReplayError(ValueError):
    """A recording cannot be read, or does not fit the requests."""


class RecordedRequest(msgspec.Struct, frozen=True):
    """What was asked. `path` may carry a query."""

    method: str
    path: str
    host: str = ""
    body: object = None


class RecordedResponse(msgspec.Struct, frozen=True):
    """What came back: a JSON value, or text (an event stream) as it was sent."""

    status: int
    headers: dict[str, str] = msgspec.field(default_factory=dict)
    body: object = None


class Exchange(msgspec.Struct, frozen=True):
    """One request and its response."""

    request: RecordedRequest
    response: RecordedResponse


class _Recording(msgspec.Struct, frozen=True):
    exchanges: list[Exchange]


class Replay:
    """A script made of recorded exchanges, each served once.

    `match="order"` serves them one after the other and says so if a request is for another
    path; `match="path"` takes the next unused exchange of the same method and path.

    Errors: `ReplayError`, one line, if an exchange has the wrong form.
    """

    def __init__(
        self, exchanges: Iterable[Exchange | Mapping[str, object]], *, match: Match = "order"
    ) -> None:
        if match not in ("order", "path"):
            raise ReplayError(f"match must be 'order' or 'path', not {match!r}")
        self._match = match
        self._unused = [_exchange(given, index) for index, given in enumerate(exchanges)]
        self._lock = threading.Lock()

    @classmethod
    def from_file(cls, path: str | Path, *, match: Match = "order") -> Replay:
        """The exchanges of a JSON file `{"exchanges": [...]}`.

        Errors: `ReplayError` names the file and what is wrong with it.
        """
        try:
            raw = Path(path).read_bytes()
        except OSError as error:
            raise ReplayError(f"{path}: {error.strerror or error}") from error
        try:
            recording = msgspec.json.decode(raw, type=_Recording)
        except msgspec.ValidationError as error:
            raise ReplayError(f"{path}: not a recording: {error}") from error
        except msgspec.DecodeError as error:
            raise ReplayError(f"{path}: not JSON: {error}") from error
        if not recording.exchanges:
            raise ReplayError(f"{path}: the recording has no exchanges")
        return cls(recording.exchanges, match=match)

    @property
    def remaining(self) -> int:
        """Exchanges not served yet."""
        with self._lock:
            return len(self._unused)

    def next_answer(self, request: Request) -> Answer:
        """The recorded answer to `request`.

        Errors: `ReplayError` if the recording has none.
        """
        with self._lock:
            index = self._find(request)
            return _answer(self._unused.pop(index).response)

    def _find(self, request: Request) -> int:
        asked = f"{request.method} {request.path}"
        if not self._unused:
            raise ReplayError(f"the recording has no exchange left for {asked}")
        recorded = [
            f"{exchange.request.method} {exchange.request.path.partition('?')[0]}"
            for exchange in self._unused
        ]
        candidates = recorded[:1] if self._match == "order" else recorded
        if asked in candidates:
            return candidates.index(asked)
        if self._match == "order":
            raise ReplayError(f"the recording goes on with {recorded[0]}, not with {asked}")
        raise ReplayError(f"the recording has no unused exchange for {asked}")


def _exchange(given: Exchange | Mapping[str, object], index: int) -> Exchange:
    if isinstance(given, Exchange):
        return given
    try:
        return msgspec.convert(given, Exchange)
    except msgspec.ValidationError as error:
        raise ReplayError(f"exchange {index}: {error}") from error


def _answer(response: RecordedResponse) -> Answer:
    headers = {name.lower(): value for name, value in response.headers.items()}
    kept = {name: value for name, value in headers.items() if name not in _NOT_OURS_TO_SEND}
    if isinstance(response.body, str):
        kind = headers.get("content-type", EVENT_STREAM)
        if "event-stream" in kind:
            chunks = split_events(response.body)
            return Answer(response.status, kept, chunks=chunks, content_type=kind)
        return Answer(response.status, kept, response.body.encode(), content_type=kind)
    body = msgspec.json.encode(response.body)
    return Answer(response.status, kept, body, content_type=headers.get("content-type", JSON))
