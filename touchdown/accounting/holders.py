"""Holders: the latest call that carries a prefix, found without asking every call."""

from collections import defaultdict

from touchdown.accounting.contexts import Context, Trunk
from touchdown.accounting.facts import CallFacts


class Holders:
    """By model and prefix the latest call that carries it. Calls come in the order of folding.

    Only an agent's first call asks: what the calls carry is looked at then, each context once.
    """

    def __init__(self) -> None:
        self._by_prefix: defaultdict[str, dict[int, CallFacts]] = defaultdict(dict)
        self._waiting: defaultdict[str, list[CallFacts]] = defaultdict(list)
        """By model: answered calls whose prefixes are not among those yet."""

    def note(self, facts: CallFacts) -> None:
        """Remember an answered call."""
        context = facts.context
        if context is None:
            return
        waiting = self._waiting[facts.model]
        if waiting:
            last = waiting[-1].context
            if last is not None and last.trunk is context.trunk and last.length <= context.length:
                waiting[-1] = facts  # it stands for that one, too
                return
        waiting.append(facts)

    def longest(self, model: str, context: Context) -> tuple[CallFacts | None, int]:
        """The latest call with the longest common prefix, and how many segments that has."""
        held, prefixes = self._held(model), context.trunk.prefixes
        low, high = 0, context.length
        while low < high:
            middle = (low + high + 1) // 2
            if prefixes[middle - 1] in held:
                low = middle
            else:
                high = middle - 1
        return (held[prefixes[low - 1]], low) if low else (None, 0)

    def _held(self, model: str) -> dict[int, CallFacts]:
        held = self._by_prefix[model]
        lengths: dict[Trunk, int] = {}
        latest: list[tuple[CallFacts, Context]] = []
        for facts in reversed(self._waiting.pop(model, [])):
            context = facts.context
            # A later call with as many segments of the same list stands for all of them.
            if context is not None and lengths.get(context.trunk, -1) < context.length:
                lengths[context.trunk] = context.length
                latest.append((facts, context))
        for facts, context in reversed(latest):
            held.update(dict.fromkeys(context.trunk.prefixes[: context.length], facts))
        return held
