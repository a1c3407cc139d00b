"""Lines of a file in bounded memory: what is too long is passed over without being held."""

from collections.abc import Iterator

from touchdown.sessions.source import Problems

MOST_BYTES = 64 * 1024 * 1024
"""A longer line is passed over."""

BUFFER_BYTES = 1024 * 1024
BOM = b"\xef\xbb\xbf"


def read_lines(
    path: str, problems: Problems, most: int = MOST_BYTES
) -> Iterator[tuple[int, bytes]]:
    """The lines that hold something, with their numbers from 1.

    A file that cannot be opened or read to its end is told to ``problems``; what was read holds.
    """
    try:
        with open(path, "rb", BUFFER_BYTES) as file:
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


def _skip(readline: object) -> None:
    assert callable(readline)
    while part := readline(BUFFER_BYTES):
        if part.endswith(b"\n"):
            return
