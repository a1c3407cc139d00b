"""Reconciliation: a source's own total beside ours, and why they differ."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from decimal import Decimal

from touchdown.accounting.account import Comparison, ModelTotals, TaskAccount
from touchdown.sessions.source import Reported

SAME_USD_PARTS = 10_000
"""Totals that differ by less than a ten-thousandth are told as equal: sources round."""


NO_TOKENS = "the source gives no tokens by model to compare: its prices or its calls differ"


def compare(
    session: str, reported: Reported, account: TaskAccount, copies: int = 0
) -> Comparison | None:
    """The comparison; ``None`` where the source carries no total of its own.

    ``copies`` is how many of its calls were counted in an earlier session.
    """
    if reported.usd is None:
        return None
    theirs, ours = reported.usd, account.money.total_usd
    why: tuple[str, ...] = ()
    if abs(theirs - ours) * SAME_USD_PARTS > max(theirs, ours):
        reasons = [f"{copies:,} of its calls lie in an earlier session, too"] if copies else []
        reasons += _reasons(reported, account)
        why = tuple(reasons or [NO_TOKENS])
    return Comparison(session, reported.said_by, theirs, ours, why, account.money.complete)


def _reasons(reported: Reported, account: TaskAccount) -> Iterator[str]:
    if reported.without:
        yield f"{reported.without:,} of {account.model_calls:,} model calls carry no {reported.said_by}"
    for reason, number in account.money.incomplete_reasons.items():
        noun = "call" if number == 1 else "calls"
        yield f"not in our total: {reason} ({number:,} {noun})"
    ours: Counter[str] = Counter()
    spent: defaultdict[str, Decimal] = defaultdict(Decimal)
    for used in account.models:
        name = _named(used.model, reported)
        ours[name] += _tokens(used)
        spent[name] += used.total_usd or 0
    for model in sorted({*reported.tokens, *ours} if reported.tokens else ()):
        said, seen = reported.tokens.get(model, 0), ours[model]
        if said > seen:
            yield f"{model}: the source counts {said - seen:,} tokens more than its lines hold"
        elif said < seen:
            yield f"{model}: its lines hold {seen - said:,} tokens more than the source counts"
        elif reported.by_model.get(model, spent[model]) != spent[model]:
            yield f"{model}: the same tokens at other prices"


def _named(model: str, reported: Reported) -> str:
    """The source's name for a model: it may carry a mark of the context size behind it."""
    fitting = (name for name in reported.tokens if name.partition("[")[0] == model)
    return next(fitting, model)


def _tokens(model: ModelTotals) -> int:
    used = model.usage
    parts = [used.uncached_input, used.cache_read, used.output, *(used.cache_write or {}).values()]
    return sum(part for part in parts if part is not None)
