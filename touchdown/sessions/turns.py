"""The turns of a session: each begins with what a user typed, and is a task inside the session's."""

from bisect import bisect_right
from collections.abc import Iterator

from msgspec import Struct

from touchdown.records import ContextShape, TaskRecord
from touchdown.records.call import Awaited


class Turn(Struct):
    """One turn. Units: nanoseconds since the epoch."""

    id: str
    number: int
    started_at_ns: int
    ended_at_ns: int
    prompt: str | None = None
    used: bool = False


class Turns:
    """The turns in the order they began."""

    def __init__(self, session: str) -> None:
        self._session = session
        self._turns: list[Turn] = []
        self._starts: list[int] = []
        self._spoken: set[str] = set()

    def begin(self, at_ns: int, prompt: str | None = None) -> None:
        """A user typed something. More lines of the same prompt begin nothing new."""
        latest = self._turns[-1] if self._turns else None
        if latest is not None and prompt is not None and latest.prompt == prompt:
            return
        number = len(self._turns) + 1
        at_ns = max(at_ns, latest.started_at_ns) if latest else at_ns
        self._turns.append(Turn(f"{self._session}#{number}", number, at_ns, at_ns, prompt))
        self._starts.append(at_ns)

    def use(self, at_ns: int, ended_ns: int) -> str:
        """The id of the turn in which something happened."""
        if not self._turns:
            self.begin(at_ns)
        turn = self._turns[max(bisect_right(self._starts, at_ns) - 1, 0)]
        if at_ns < turn.started_at_ns:
            turn.started_at_ns = at_ns
        if ended_ns > turn.ended_at_ns:
            turn.ended_at_ns = ended_ns
        turn.used = True
        return turn.id

    def awaited(self, agent_id: str, turn_id: str, reads_results: bool) -> Awaited:
        """What an agent had waited for before a call in this turn, calls taken in the order they were sent.

        ``reads_results``: whether the call brings results of tools.
        """
        if agent_id == self._session and turn_id not in self._spoken:
            self._spoken.add(turn_id)
            return "human"
        return "tools" if reads_results else ""

    def records(self, name: str) -> Iterator[TaskRecord]:
        """The turns in which something happened, as tasks."""
        for turn in self._turns:
            if turn.used:
                yield TaskRecord(
                    id=turn.id,
                    name=f"turn {turn.number} of {name}",
                    started_at_ns=turn.started_at_ns,
                    duration_ns=turn.ended_at_ns - turn.started_at_ns,
                    parent_id=self._session,
                    conversation=self._session,
                )


def reads_results(shape: ContextShape) -> bool:
    """Whether results of tools are new in a context."""
    return "tool_result" in [segment.kind for segment in shape.new]
