"""The body of one HTTP request: with a length, or in chunks; never more than is allowed."""

from collections.abc import Callable, Mapping
from typing import IO

from touchdown.collect.wire import Refused, too_large

_LINE = 1024
_PART = 1 << 18


def read_body(
    headers: Mapping[str, str], source: IO[bytes], most: int, in_time: Callable[[], None]
) -> bytes:
    """The body as it came. ``in_time`` is called between parts and raises when time is up.

    Errors: :class:`Refused` when there is no length, a wrong one, or too much.
    """
    coding = headers.get("transfer-encoding", "").strip().lower()
    length = headers.get("content-length", "").strip()
    if coding:
        if coding != "chunked" or length:
            raise Refused(400, "one length: chunked, or a content-length")
        return _chunks(source, most, in_time)
    if not length:
        raise Refused(411, "how long is it? send a content-length")
    if not (length.isascii() and length.isdigit()):
        raise Refused(400, f"the content-length is no number: {length[:20]!r}")
    if int(length) > most:
        raise too_large(most)
    return _exactly(source, int(length), in_time)


def _exactly(source: IO[bytes], size: int, in_time: Callable[[], None]) -> bytes:
    parts = []
    while size:
        in_time()
        part = source.read(min(size, _PART))
        if not part:
            raise Refused(400, "the body is shorter than its content-length")
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _chunks(source: IO[bytes], most: int, in_time: Callable[[], None]) -> bytes:
    parts, total = [], 0
    while size := _size(source.readline(_LINE)):
        total += size
        if total > most:
            raise too_large(most)
        parts.append(_exactly(source, size, in_time))
        if source.readline(_LINE).strip():
            raise Refused(400, "a chunk is longer than it says")
    while source.readline(_LINE).strip():
        in_time()
    return b"".join(parts)


def _size(line: bytes) -> int:
    digits = line.partition(b";")[0].strip()
    try:
        size = int(digits, 16) if digits.isalnum() else -1
    except ValueError:
        size = -1
    if size < 0:
        raise Refused(400, "not in chunks")
    return size
