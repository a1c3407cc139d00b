"""The content layer of one call, split among the claims on it: no token twice, the first claim first."""

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import pairwise

from msgspec import Struct

from touchdown.accounting.facts import CallFacts
from touchdown.accounting.outputs import share_output
from touchdown.accounting.pricing import NOTHING, Bill
from touchdown.accounting.ranges import Range
from touchdown.accounting.taxes.registry import tax_of
from touchdown.accounting.taxes.tax import Claim


class _Stretch(Struct, frozen=True):
    """Neighbouring tokens billed alike and claimed alike. Units: US dollars per token."""

    start: int
    end: int
    content: Decimal
    premium: Decimal
    """What writing them to the cache cost above the uncached rate; 0 where a miss has taken it."""


def split_content(facts: CallFacts, bill: Bill, claims: Sequence[Claim]) -> list[Decimal]:
    """By the table: what each claim takes."""
    amounts = [NOTHING] * len(claims)
    asked: set[int] = set()
    for number, claim in enumerate(claims):
        if claim.request is not None and claim.request not in asked:
            asked.add(claim.request)
            tokens = share_output(facts.call).requests[claim.request]
            amounts[number] = tokens * bill.output_rate
        elif claim.step is not None:
            amounts[number] = bill.steps[claim.step].total
    on_input = [(n, claim) for n, claim in enumerate(claims) if claim.is_on_input]
    if not on_input:
        return amounts
    before = [0] * len(claims)
    for stretch in _stretches(facts, bill, [claim for _, claim in on_input]):
        left = stretch.end - stretch.start
        for number, claim in on_input:
            places = claim.places
            if places is None:
                taken = _tokens(claim, stretch)
            else:
                # Stretches lie one behind the other from the first token on.
                until = places.tokens_until(stretch.end)
                taken, before[number] = until - before[number], until
            taken = min(taken, left)
            if taken:
                amounts[number] += taken * (stretch.premium if claim.premium else stretch.content)
                left -= taken
    return amounts


def _tokens(claim: Claim, stretch: _Stretch) -> int:
    inside = any(first <= stretch.start and stretch.end <= last for first, last in claim.tokens)
    return stretch.end - stretch.start if inside else 0


def _stretches(facts: CallFacts, bill: Bill, claims: Sequence[Claim]) -> Iterator[_Stretch]:
    missed = [r for miss in facts.diagnosis.misses if tax_of(miss.cause) for r in miss.ranges]
    ranges = missed + [r for claim in claims for r in claim.tokens]
    read = bill.read_rate
    plain = bill.rates.uncached if bill.rates else None
    for band in bill.bands:
        dearer = band.rate - plain if plain is not None and band.rate > plain else NOTHING
        if not ranges:
            yield _Stretch(band.start, band.end, band.rate, dearer)
            continue
        for start, end in _cuts(band.start, band.end, ranges):
            lost = any(first <= start and end <= last for first, last in missed)
            content = min(band.rate, read) if lost and read is not None else band.rate
            yield _Stretch(start, end, content, NOTHING if lost else dearer)


def _cuts(start: int, end: int, ranges: Sequence[Range]) -> Iterable[Range]:
    inside = {edge for found in ranges for edge in found if start < edge < end}
    return pairwise([start, *sorted(inside), end])
