"""What the taxes of tools have in common: the output that asked for a tool, its result wherever it stands."""

from collections.abc import Callable, Iterable, Iterator

from touchdown.accounting.contexts import Trunk
from touchdown.accounting.facts import CallFacts
from touchdown.accounting.places import Places
from touchdown.accounting.ranges import Range
from touchdown.accounting.taxes.tax import Claim, Evidence
from touchdown.accounting.toolbook import Execution, Result


def claim_executions(tax: str, done: Iterable[Execution], seen: Evidence) -> Iterator[Claim]:
    """The requests of these tool calls, and their results in every call that carries them."""
    results: set[int] = set()
    for execution in done:
        asked = execution.asked(seen.book)
        if asked is not None:
            yield Claim(tax, asked[0].call.id, request=asked[1])
        if execution.result is not None:
            results.add(execution.result.number)
    standing = Standing(results, seen)
    for facts in seen.calls if results else ():
        places = standing.places(facts)
        if places is not None:
            yield Claim(tax, facts.call.id, places=places)


def whole(start: int, end: int, result: Result) -> Range:
    """All of a result."""
    return start, end


Part = Callable[[int, int, Result], Range]
"""Which tokens of a result are meant, by its first token, the one behind its last, and itself."""


class Standing:
    """Where some results stand in each call; calls that append to each other share the places."""

    def __init__(self, results: set[int], seen: Evidence, part: Part = whole) -> None:
        self._results, self._seen, self._part = results, seen, part
        self._by_trunk: dict[Trunk, list[tuple[int, Result]]] = {}
        self._places: dict[tuple[Trunk, int], Places] = {}

    def places(self, facts: CallFacts) -> Places | None:
        """Their places at this call; ``None`` where it carries none or cannot be seen."""
        if facts.context is None or facts.shares is None or facts.is_hidden:
            return None
        key = (facts.context.trunk, id(facts.shares.ends))
        known = self._places.get(key)
        if known is None:
            known = self._places[key] = Places()
            for _, (start, end) in self.spans(facts):
                known.add(start, end)
        return known if known.tokens_until(facts.shares.total) else None

    def spans(self, facts: CallFacts) -> Iterator[tuple[int, Range]]:
        """Number and tokens of each result along the token positions that this call shares."""
        assert facts.context is not None
        assert facts.shares is not None
        ends = facts.shares.ends
        for index, result in self._of_trunk(facts.context.trunk):
            if index < len(ends):
                start = ends[index - 1] if index else 0
                yield result.number, self._part(start, ends[index], result)

    def _of_trunk(self, trunk: Trunk) -> list[tuple[int, Result]]:
        known = self._by_trunk.get(trunk)
        if known is None:
            book = self._seen.book
            found = ((index, book.of_prefix(trunk.prefixes[index])) for index in trunk.results)
            known = [(i, r) for i, r in found if r is not None and r.number in self._results]
            self._by_trunk[trunk] = known
        return known
