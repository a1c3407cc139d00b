"""The body of a request, made while it is sent: a backend that takes its time does not hold it in memory."""

from collections.abc import Iterator
from typing import Any

from touchdown.telemetry.wire import Piece, bytes_of, size_of

AT_ONCE = 1 << 16
"""About so many bytes are made and handed to the connection."""


class Body:
    """Pieces of a request in the form that ``requests`` sends part by part, its length known before."""

    def __init__(self, pieces: list[Piece]) -> None:
        self._pieces = pieces
        self._size = size_of(pieces)

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        made: list[bytes] = []
        size = 0
        for piece in self._pieces:
            data = bytes_of(piece)
            made.append(data)
            size += len(data)
            if size >= AT_ONCE:
                yield b"".join(made)
                made, size = [], 0
        if made:
            yield b"".join(made)


def takes_parts(client: Any) -> bool:
    """Whether this client of the SDK sends what it is given: no compression, nothing that signs it."""
    try:
        session = client._transport._session
        adapters = {type(adapter) for adapter in session.adapters.values()}
        plain = {type(session), *adapters}
        return (
            client._compression.value == "none"
            and session.auth is None
            and {kind.__module__ for kind in plain} == {"requests.sessions", "requests.adapters"}
        )
    except AttributeError:  # another version
        return False
