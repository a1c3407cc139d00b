"""What goes back over the wire, before anything is sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from msgspec import Struct, field

from touchdown.testing.provider.payload import json_text

JSON = "application/json"
EVENT_STREAM = "text/event-stream; charset=utf-8"


def _nothing() -> None:
    """The default of `Answer.on_begin`."""


class Answer(Struct, frozen=True):
    """Status, headers, and either one body or a sequence of streamed chunks.

    `on_begin` runs just before the first byte goes out. `cut_after_chunks` drops the connection
    after that many chunks (halfway, for one body); `drop` before anything is sent.

    Units: delays in seconds.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    chunks: Sequence[bytes] | None = None
    content_type: str = JSON
    first_delay_s: float = 0.0
    chunk_delay_s: float = 0.0
    stalls_s: Mapping[int, float] = field(default_factory=dict)
    cut_after_chunks: int | None = None
    drop: bool = False
    on_begin: Callable[[], None] = _nothing

    def pause_before_s(self, number: int) -> float:
        """How long the chunk with this number is held back, behind the one before it."""
        return self.chunk_delay_s + self.stalls_s.get(number, 0.0)


def server_sent_event(data: Mapping[str, object] | str, name: str | None = None) -> bytes:
    """One event of an SSE stream."""
    text = data if isinstance(data, str) else json_text(data)
    return (f"event: {name}\n" if name else "").encode() + f"data: {text}\n\n".encode()


def split_events(text: str) -> list[bytes]:
    """An SSE text cut after every event, to be sent piece by piece; no byte is changed."""
    parts = text.replace("\r\n\r\n", "\r\n\r\n\0").replace("\n\n", "\n\n\0").split("\0")
    return [part.encode() for part in parts if part]


def pieces(text: str, chars: int) -> Iterator[str]:
    """`text` in pieces of at most `chars` characters."""
    step = max(chars, 1)
    for start in range(0, len(text), step):
        yield text[start : start + step]
