"""What the taxes of tools have in common: the output that asked for a tool, its result wherever it stands."""

from collections.abc import Iterable, Iterator

from touchdown.accounting.contexts import Trunk
from touchdown.accounting.facts import CallFacts
from touchdown.accounting.places import Places
from touchdown.accounting.taxes.tax import Claim, Evidence
from touchdown.accounting.toolbook import Execution


def claim_executions(tax: str, done: Iterable[Execution], seen: Evidence) -> Iterator[Claim]:
    """The requests of these tool calls, and their results in every call that carries them."""
    results: set[int] = set()
    for execution in done:
        asked = execution.asked(seen.book)
        if asked is not None:
            yield Claim(tax, asked[0].call.id, request=asked[1])
        if execution.result is not None:
            results.add(execution.result.number)
    if results:
        yield from _carried(tax, results, seen)


def _carried(tax: str, results: set[int], seen: Evidence) -> Iterator[Claim]:
    standing: dict[Trunk, list[int]] = {}
    built: dict[tuple[Trunk, int], Places] = {}
    for facts in seen.calls:
        if facts.context is None or facts.shares is None or facts.is_hidden:
            continue
        trunk = facts.context.trunk
        if trunk not in standing:
            standing[trunk] = [i for i in trunk.results if _number(trunk, i, seen) in results]
        key = (trunk, id(facts.shares.ends))
        if key not in built:
            built[key] = _places(facts, standing[trunk])
        if built[key].tokens_until(facts.shares.total):
            yield Claim(tax, facts.call.id, places=built[key])


def _number(trunk: Trunk, index: int, seen: Evidence) -> int | None:
    result = seen.book.of_prefix(trunk.prefixes[index])
    return None if result is None else result.number


def _places(facts: CallFacts, indices: Iterable[int]) -> Places:
    places, ends = Places(), facts.shares.ends if facts.shares else []
    for index in indices:
        if index < len(ends):
            places.add(ends[index - 1] if index else 0, ends[index])
    return places
