"""Opening what is on disk: plain, or compressed with gzip, which is told by its first bytes."""

import errno
import gzip
import io
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

BUFFER_BYTES = 1024 * 1024
GZIP = b"\x1f\x8b"
BROKEN = "what is compressed in it is cut short or broken"

PACKED = {
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\xfd7zXZ\x00": "xz",
    b"BZh": "bzip2",
    b"PK\x03\x04": "zip",
}
"""How files begin that have to be unpacked by hand."""


@contextmanager
def opened(path: str) -> Iterator[io.BufferedIOBase]:
    """The content of a file. Errors: ``OSError``, also while it is read."""
    with io.BufferedReader(io.FileIO(path), BUFFER_BYTES) as raw:
        if not raw.peek(len(GZIP)).startswith(GZIP):
            yield raw
            return
        try:
            with gzip.GzipFile(fileobj=raw) as content:
                yield content
        except (EOFError, zlib.error) as error:
            raise OSError(errno.EIO, BROKEN, path) from error


def read_beginning(path: str, most: int) -> tuple[bytes, int]:
    """The first bytes of the content and how many it has; of what is compressed only whether it has more.

    Errors: ``OSError``.
    """
    with open(path, "rb") as file:
        data, size = file.read(most), os.fstat(file.fileno()).st_size
    if not data.startswith(GZIP):
        return data, size
    stream = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        content = stream.decompress(data, most)
    except zlib.error as error:
        raise OSError(errno.EIO, BROKEN, path) from error
    whole = stream.eof and not stream.unused_data
    return content, len(content) if whole else len(content) + 1


def packed_with(data: bytes) -> str:
    """With what a file is compressed that begins like this; empty where it is not."""
    return next((name for mark, name in PACKED.items() if data.startswith(mark)), "")
