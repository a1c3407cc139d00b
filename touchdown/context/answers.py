"""Answers seen again: which earlier call's text stands in a segment that replaced a history."""

from collections import deque
from collections.abc import Iterable, Sequence

from msgspec import Struct, field

from touchdown.context.blocks import Block

MOST_ANSWERS = 4
"""Answers remembered per task, the latest ones: a summary is put to use right after it was made."""

SHORTEST_CHARS = 80
"""A shorter text may stand somewhere by chance."""

PROBES = 5
PROBE_CHARS = 60
"""Hosts wrap a summary or keep a part of it: two of so many pieces, evenly spread, must be found."""


class Answers(Struct):
    """The last answers of one task, as the host's own strings. Used behind the queue only."""

    _kept: deque[tuple[str, tuple[str, ...]]] = field(
        default_factory=lambda: deque(maxlen=MOST_ANSWERS)
    )

    def note(self, call_id: str, pieces: tuple[str, ...]) -> None:
        """Remember what a call answered; the pieces are joined only when they are looked for."""
        if sum(map(len, pieces)) >= SHORTEST_CHARS:
            self._kept.append((call_id, pieces))

    def find(self, blocks: Sequence[Block]) -> dict[int, str]:
        """Index of each block in which an answer stands, and the id of the call that gave it."""
        answers = [(call_id, "".join(pieces).strip()) for call_id, pieces in reversed(self._kept)]
        found: dict[int, str] = {}
        if not answers:
            return found
        for index, block in enumerate(blocks):
            if block.kind not in ("user", "system", "assistant", "other"):
                continue
            text = "\n".join(_texts(block.content))
            call_id = next((name for name, answer in answers if _stands_in(answer, text)), None)
            if call_id is not None:
                found[index] = call_id
        return found


def _texts(content: object) -> Iterable[str]:
    if isinstance(content, str):
        yield content
    elif isinstance(content, dict):
        yield from _texts(content.get("text") or content.get("content"))
    elif isinstance(content, (list, tuple)):
        for part in content:
            yield from _texts(part)


def _stands_in(answer: str, text: str) -> bool:
    if len(text) < SHORTEST_CHARS or len(answer) < SHORTEST_CHARS:
        return False
    if len(answer) < PROBES * PROBE_CHARS:
        return answer in text
    step = (len(answer) - PROBE_CHARS) // (PROBES - 1)
    probes = (answer[at * step : at * step + PROBE_CHARS] for at in range(PROBES))
    return sum(probe in text for probe in probes) >= 2
