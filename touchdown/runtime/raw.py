"""Raw answers: bytes that the host reads itself, looked at behind the queue."""

import time
import zlib
from collections.abc import Iterator

import msgspec
from msgspec import Struct, field

from touchdown.records import AnswerView
from touchdown.runtime.reading import CallReader

KEEP_BYTES = 8 << 20
"""A raw body longer than this is not kept: its usage is then unknown."""


class RawBody(Struct):
    """The bytes of one answer as they came over the wire, up to ``KEEP_BYTES``."""

    __repr__ = object.__repr__

    content_type: str = ""
    encoding: str = ""
    parts: list[bytes] = field(default_factory=list)
    size: int = 0
    first_ns: int | None = None
    """When the first part came, on the monotonic clock."""

    @property
    def is_event_stream(self) -> bool:
        """Whether the bytes are server-sent events."""
        return "event-stream" in self.content_type

    def add(self, part: bytes) -> None:
        """Keep one part, by reference; too long a body is let go of."""
        if self.first_ns is None:
            self.first_ns = time.monotonic_ns()
        self.size += len(part)
        if self.size <= KEEP_BYTES:
            self.parts.append(part)
        else:
            self.parts.clear()

    def decoded(self) -> bytes | None:
        """The body's text bytes; ``None`` when too long or in an encoding that is not read here."""
        if self.size > KEEP_BYTES:
            return None
        data = b"".join(self.parts)
        if self.encoding in ("", "identity"):
            return data
        if self.encoding in ("gzip", "deflate"):
            return zlib.decompressobj(wbits=47).decompress(data)
        return None


def read_raw(reader: CallReader, body: RawBody) -> AnswerView:
    """The facts of a raw answer, plain JSON or server-sent events; empty when it cannot be read."""
    if not body.is_event_stream:
        answer = read_json(body)
        return AnswerView(complete=False) if answer is None else reader.read_answer(answer)
    stream = reader.new_stream()
    for event in _events(body.decoded() or b""):
        stream.chunk(event)
    return stream.answer()


def read_json(body: RawBody) -> object:
    """The JSON value of a raw answer; ``None`` where the host did not read all of it."""
    data = body.decoded()
    try:
        return msgspec.json.decode(data) if data else None
    except msgspec.DecodeError:
        return None


def _events(data: bytes) -> Iterator[object]:
    for line in data.splitlines():
        if line.startswith(b"data:") and line[5:].strip() != b"[DONE]":
            try:
                yield msgspec.json.decode(line[5:])
            except msgspec.DecodeError:
                return  # a line cut in half by a broken connection
