"""The text that a stream's pieces add up to: each is put down as it comes, and counted with others later."""

from touchdown.clients.fields import KEEP_TEXT_CHARS

MOST_PIECES = 512
"""So many are put down before they are counted."""


class Pieces:
    """Pieces of text: their length together, and the text itself while it is short.

    Where it is quicker, append to ``new`` and call ``count`` once there are more than ``MOST_PIECES`` in it.
    """

    __slots__ = ("_chars", "_said", "new")

    def __init__(self) -> None:
        self.new: list[str] = []
        self._said: list[str] = []
        self._chars = 0

    def say(self, piece: object) -> None:
        """Put down one piece; what is no text is passed over."""
        if isinstance(piece, str):
            self.new.append(piece)
            if len(self.new) > MOST_PIECES:
                self.count()

    def count(self) -> None:
        """Count what is new, and keep it while the whole is short."""
        said = "".join(self.new)
        self._chars += len(said)
        if self._chars <= KEEP_TEXT_CHARS:
            self._said.append(said)
        else:
            self._said.clear()
        self.new.clear()

    @property
    def chars(self) -> int:
        """Characters so far."""
        return self._chars + sum(map(len, self.new))

    @property
    def text(self) -> tuple[str, ...]:
        """The pieces so far; empty once they are longer than is kept."""
        return (*self._said, *self.new) if self.chars <= KEEP_TEXT_CHARS else ()
