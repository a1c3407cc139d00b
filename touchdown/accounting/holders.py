"""Holders: the latest call that carries a prefix, found without asking every call."""

from collections import defaultdict

from msgspec import Struct

from touchdown.accounting.contexts import Context
from touchdown.accounting.facts import CallFacts


class _Strand(Struct, eq=False):
    """Calls of one agent in a row, each with all segments of the one before."""

    latest: CallFacts


class Holders:
    """By model and prefix the latest call that carries it. Calls come in the order of folding.

    What an agent's next call only appends costs what is new, while no other agent of the model spoke.
    """

    def __init__(self) -> None:
        self._by_prefix: defaultdict[str, dict[int, _Strand]] = defaultdict(dict)
        self._open: dict[str, _Strand] = {}

    def note(self, facts: CallFacts) -> None:
        """Remember an answered call."""
        context, model = facts.context, facts.model
        if context is None:
            return
        strand = self._open.get(model)
        start = _appended_to(strand.latest, facts) if strand is not None else None
        if strand is None or start is None:
            start, strand = 0, _Strand(facts)
            self._open[model] = strand
        strand.latest = facts
        new = context.trunk.prefixes[start : context.length]
        self._by_prefix[model].update(dict.fromkeys(new, strand))

    def longest(self, model: str, context: Context) -> tuple[CallFacts | None, int]:
        """The latest call with the longest common prefix, and how many segments that has."""
        held, prefixes = self._by_prefix[model], context.trunk.prefixes
        low, high = 0, context.length
        while low < high:
            middle = (low + high + 1) // 2
            if prefixes[middle - 1] in held:
                low = middle
            else:
                high = middle - 1
        return (held[prefixes[low - 1]].latest, low) if low else (None, 0)


def _appended_to(before: CallFacts, facts: CallFacts) -> int | None:
    """How many segments a call has from the one before it, if it has all of them."""
    was, now = before.context, facts.context
    if was is None or now is None or was.trunk is not now.trunk or was.length > now.length:
        return None
    return was.length if before.call.agent_id == facts.call.agent_id else None
