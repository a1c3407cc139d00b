"""The requests of an OTLP file, one after the other, none of them held beyond a stated size."""

import gzip
import os
import zlib
from collections.abc import Callable, Iterator
from typing import IO, Any

import msgspec
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

MOST_BYTES = 64 * 1024 * 1024
"""A larger request is passed over: exporters write batches of a few megabytes."""

_GZIP = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"
_PART = 1024 * 1024
_decode = msgspec.json.Decoder().decode

Said = Callable[[str], None]
"""Told of what could not be read, in one line."""


class OtlpError(ValueError):
    """A file that cannot be read as OTLP, in one line: the file, where, and why."""


def refuse(line: str) -> None:
    """Raise what could not be read."""
    raise OtlpError(line)


def read_requests(path: str | os.PathLike[str], said: Said) -> Iterator[object]:
    """The requests as JSON values or protobuf messages; a half-written end is passed over.

    Recognised by content. A protobuf file holds one request, or several each behind its length in four
    bytes, as the collector's file exporter writes them.
    """
    with open(path, "rb") as raw:
        zipped = raw.read(2) == _GZIP
        raw.seek(0)
        source: Any = gzip.GzipFile(fileobj=raw) if zipped else raw
        try:
            first = source.peek(1)[:1]
            # A newline is also the first byte of a protobuf request, and taken for that.
            is_json = first in (b"{", b"[", b" ", b"\r", b"\t", b"\xef")
            read = _json_requests if is_json else _protobuf_requests
            yield from read(os.fspath(path), source, said)
        except EOFError:
            return
        except (gzip.BadGzipFile, zlib.error) as error:
            said(f"{os.fspath(path)}: not readable gzip ({error})")


def _json_requests(path: str, source: IO[bytes], said: Said) -> Iterator[object]:
    first, rest = source.readline(MOST_BYTES + 1).removeprefix(_BOM), b""
    if len(first) > MOST_BYTES:
        said(f"{path}:1: {_too_long('a request')}")
        _skip_line(source, first)
    else:
        try:
            yield _decode(first)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            # One document over many lines is read whole, if it can be held.
            rest = source.read(MOST_BYTES + 1 - len(first))
            if (document := _document(first + rest)) is not None:
                yield document
                return
            if len(first) + len(rest) > MOST_BYTES and not _begins_with_request(rest):
                said(f"{path}: {_too_long('one JSON document')}")
                return
            said(f"{path}:1: not OTLP JSON ({error})")
    yield from _lines(path, _lines_of(source, rest), said)


def _document(data: bytes) -> object:
    """All of a file as one JSON value; ``None`` where it is none, or too long."""
    try:
        return _decode(data) if len(data) <= MOST_BYTES else None
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _begins_with_request(rest: bytes) -> bool:
    """Whether a whole JSON object stands on the next line: each line is a request then."""
    line, ending, _ = rest.partition(b"\n")
    return bool(ending) and isinstance(_document(line), dict)


def _lines(path: str, lines: Iterator[bytes], said: Said) -> Iterator[object]:
    """The requests from the second line on."""
    for number, line in enumerate(lines, 2):
        if len(line) > MOST_BYTES:
            said(f"{path}:{number}: {_too_long('a request')}")
            continue
        try:
            if line.strip():
                yield _decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            if line.endswith(b"\n"):
                said(f"{path}:{number}: not OTLP JSON ({error})")


def _lines_of(source: IO[bytes], begun: bytes) -> Iterator[bytes]:
    """The lines of what was read already and of the rest; of one that is too long only its beginning."""
    held = begun.splitlines(keepends=True)
    last = held.pop() if held and not held[-1].endswith(b"\n") else b""
    yield from held
    line = last + source.readline(MOST_BYTES + 1 - len(last))
    while line:
        if len(line) > MOST_BYTES:
            _skip_line(source, line)
        yield line
        line = source.readline(MOST_BYTES + 1)


def _skip_line(source: IO[bytes], begun: bytes) -> None:
    part = begun
    while part and not part.endswith(b"\n"):
        part = source.readline(_PART)


def _protobuf_requests(path: str, source: IO[bytes], said: Said) -> Iterator[object]:
    head = source.read(4)
    # A request begins with the tag of its first field, 0x0A; a length below 160 MB does not.
    if head[:1] == b"\x0a":
        data = head + source.read(MOST_BYTES + 1 - len(head))
        if len(data) > MOST_BYTES:
            said(f"{path}: {_too_long('one request')}")
            return
        yield from _message(path, data, said)
        return
    first = True
    while head:
        size = int.from_bytes(head, "big")
        body = source.read(min(size, MOST_BYTES))
        left = size - len(body)
        if size > MOST_BYTES:
            left -= sum(map(len, _parts(source, left)))
        if len(head) < 4 or left:
            if first:
                said(f"{path}: neither OTLP JSON nor OTLP in protobuf")
            return
        if size > MOST_BYTES:
            said(f"{path}: {_too_long('a request')}")
        else:
            yield from _message(path, body, said)
        head, first = source.read(4), False


def _parts(source: IO[bytes], size: int) -> Iterator[bytes]:
    while size and (part := source.read(min(size, _PART))):
        size -= len(part)
        yield part


def _message(path: str, data: bytes, said: Said) -> Iterator[object]:
    try:
        yield ExportTraceServiceRequest.FromString(data)
    except DecodeError as error:
        said(f"{path}: not an OTLP request in protobuf ({error})")


def _too_long(what: str) -> str:
    return f"{what} of more than {MOST_BYTES // 2**20} MiB"
