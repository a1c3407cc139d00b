"""Lines of a file in bounded memory: what is too long is passed over without being held."""

from collections.abc import Iterator
from typing import Any

import msgspec

from touchdown.sessions.files import BUFFER_BYTES, opened
from touchdown.sessions.source import Problems

MOST_BYTES = 64 * 1024 * 1024
"""A longer line is passed over."""

BOM = b"\xef\xbb\xbf"


def read_lines(
    path: str, problems: Problems, most: int = MOST_BYTES
) -> Iterator[tuple[int, bytes]]:
    """The lines that hold something, with their numbers from 1.

    A file that cannot be opened or read to its end is told to ``problems``; what was read holds.
    """
    try:
        with opened(path) as file:
            number = 0
            while line := file.readline(most + 1):
                number += 1
                if len(line) > most and not line.endswith(b"\n"):
                    _skip(file.readline)
                    what = f"a line of more than {most // 2**20} MiB"
                    problems.add(path, what, "it is left out", number)
                    continue
                if number == 1 and line.startswith(BOM):
                    line = line[len(BOM) :]
                if not line.isspace():
                    yield number, line
    except OSError as error:
        problems.refused(path, error)


def read_objects(path: str, problems: Problems) -> Iterator[dict[str, Any]]:
    """The JSON objects that stand on the lines of a file. A line that is none is told and left out."""
    for number, data in read_lines(path, problems):
        try:
            value = msgspec.json.decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            tell_undecoded(path, problems, number, data, error)
            continue
        if isinstance(value, dict):
            yield value


def read_document(path: str, problems: Problems, most: int = MOST_BYTES) -> dict[str, Any] | None:
    """A file that is one JSON object; ``None``, and told, where it is none or too large to be held."""
    try:
        with opened(path) as file:
            data = file.read(most + 1)
    except OSError as error:
        problems.refused(path, error)
        return None
    if len(data) > most:
        problems.add(path, f"one JSON document of more than {most // 2**20} MiB", "it is left out")
        return None
    try:
        value = msgspec.json.decode(data.removeprefix(BOM))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        problems.add(path, f"not JSON in UTF-8 ({error})", "it is left out")
        return None
    return value if isinstance(value, dict) else None


def tell_undecoded(
    path: str, problems: Problems, number: int, data: bytes, error: Exception
) -> None:
    """A line that is no JSON: broken, or the last one of a file that is still written."""
    whole = data.endswith(b"\n")
    what = f"not JSON in UTF-8 ({error})" if whole else "the last line is cut short"
    problems.add(path, what, "it is left out", number)


def _skip(readline: object) -> None:
    assert callable(readline)
    while part := readline(BUFFER_BYTES):
        if part.endswith(b"\n"):
            return
