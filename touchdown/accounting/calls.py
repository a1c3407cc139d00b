"""The model calls of one ledger by id: each is held once, by its facts where it was folded as it came."""

from collections.abc import Iterable, Iterator

from touchdown.accounting.contexts import Context
from touchdown.accounting.facts import CallFacts
from touchdown.records import ModelCall


class Calls:
    """Asked for a call that is packed it unpacks it."""

    def __init__(self, calls: Iterable[ModelCall] = ()) -> None:
        self._held: dict[str, ModelCall | CallFacts] = {call.id: call for call in calls}

    def __len__(self) -> int:
        return len(self._held)

    def __contains__(self, call_id: str) -> bool:
        return call_id in self._held

    def get(self, call_id: str, /) -> ModelCall | None:
        """The call with this id."""
        found = self._held.get(call_id)
        return found.call if isinstance(found, CallFacts) else found

    def context_of(self, call_id: str, /) -> Context | None:
        """The context of a call that was folded as it came."""
        found = self._held.get(call_id)
        return found.context if isinstance(found, CallFacts) else None

    def values(self) -> Iterator[ModelCall]:
        """All of them, in the order in which they came."""
        for held in self._held.values():
            yield held.call if isinstance(held, CallFacts) else held

    def put(self, call: ModelCall) -> None:
        """Take one in, or another form of it."""
        self._held[call.id] = call

    def unfold(self) -> None:
        """Hold the calls themselves: their facts are of no use any more."""
        self._held = {call.id: call for call in self.values()}

    def folded(self, call: ModelCall, facts: CallFacts) -> None:
        """These facts hold the call, unless it was folded with what was told of it later."""
        if facts.call is call:
            self._held[call.id] = facts
