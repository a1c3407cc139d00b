"""One cell of the matrix: a session with faults, and what is wrong with what was said of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache

from tests.matrix.faults import Fault
from tests.matrix.oracle import Expected, expect
from tests.matrix.talk import Api, Played, play
from touchdown.accounting.account import TaskAccount
from touchdown.accounting.ledger import refold
from touchdown.prices.book import PriceBook
from touchdown.prices.rates import Rates
from touchdown.records import Miss, ModelCall

ONE_BLOCK = 128


@dataclass(frozen=True, slots=True)
class Cell:
    """Some faults put together into one call of a session."""

    api: Api
    faults: tuple[Fault, ...]
    place: str
    number: int

    def __str__(self) -> str:
        return f"{self.api}-{'+'.join(map(str, self.faults))}-{self.place}"


@dataclass
class Judged:
    """What was expected of a cell, what was said, and every difference."""

    cell: Cell
    expected: list[Expected]
    said: tuple[Miss, ...]
    problems: list[str] = field(default_factory=list)


@cache
def _book() -> PriceBook:
    return PriceBook()


def judge(cell: Cell, calls: int) -> Judged:
    """Have the session, fold it, and compare."""
    played = play(cell.api, calls, {cell.number: [fault.apply for fault in cell.faults]})
    ledger = refold(played.records, _book())
    call = played.calls[cell.number]
    verdict = ledger.verdict(call.id)
    assert verdict is not None
    read = call.usage.cache_read or 0
    expected = expect(cell.api, played.prompts, cell.number, read, cell.faults)
    judged = Judged(cell, expected, verdict.misses)
    judged.problems += _of_misses(judged, call)
    judged.problems += _of_bill(ledger.account(), played)
    judged.problems += [
        f"call {number} before the fault is blamed for {miss.cause}"
        for number, before in enumerate(played.calls[: cell.number])
        for miss in getattr(ledger.verdict(before.id), "misses", ())
    ]
    return judged


def _of_misses(judged: Judged, call: ModelCall) -> list[str]:
    wanted, said = judged.expected, judged.said
    if [(e.cause, e.tax) for e in wanted] != [(m.cause, m.tax) for m in said]:
        return [f"expected {wanted}, said {[(m.cause, m.tax, m.tokens) for m in said]}"]
    problems = []
    for expected, miss in zip(wanted, said, strict=True):
        if abs(expected.tokens - miss.tokens) > ONE_BLOCK:
            problems.append(f"{miss.cause}: {expected.tokens} tokens lost, said {miss.tokens}")
        if miss.cause != "model_changed" and miss.usd != _price(call) * miss.tokens:
            problems.append(f"{miss.cause}: {miss.tokens} tokens for {miss.usd}")
    return problems


def _price(call: ModelCall) -> Decimal:
    """What a token that was not read cost above a cache read: all were written, or none was."""
    rates = _book().rates_for(call)
    assert isinstance(rates, Rates)
    written = [life for life, tokens in (call.usage.cache_write or {}).items() if tokens]
    paid = rates.cache_write[written[0]] if written else rates.uncached
    assert paid is not None
    assert rates.cache_read is not None
    return paid - rates.cache_read


def _of_bill(account: TaskAccount, played: Played) -> list[str]:
    money = account.money
    priced = [_book().price(call) for call in played.calls]
    total = sum((cost.total for cost in priced), Decimal(0))  # type: ignore[union-attr]
    parts = money.work_usd + sum(money.taxes.values(), Decimal(0)) + money.unexplained_usd
    problems = [] if money.total_usd == parts else [f"{parts} in accounts of {money.total_usd}"]
    return problems if total == money.total_usd else [*problems, f"{total} by the price book"]


def table(judged: Sequence[Judged]) -> str:
    """All cells as lines of text."""
    lines = []
    for one in judged:
        said = "; ".join(f"{m.cause} {m.tokens:,} tokens ${m.usd} -> {m.tax}" for m in one.said)
        wanted = ", ".join(f"{e.tokens:,}" for e in one.expected)
        mark = "right" if not one.problems else "WRONG " + "; ".join(one.problems)
        lines.append(f"{one.cell!s:<64} lost {wanted:<14} said {said or 'nothing'}  {mark}")
    return "\n".join(lines)
