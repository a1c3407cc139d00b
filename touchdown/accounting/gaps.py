"""Gaps: why something that may have cost money is not in a call's total."""

from touchdown.accounting.facts import CallFacts
from touchdown.accounting.postings import reported_usd
from touchdown.accounting.pricing import Bill
from touchdown.prices.cost import NOT_REPORTED
from touchdown.prices.rates import Unpriced

BY_COMPLETENESS = {
    "input_only": "output not reported",
    "lower_bound": "output known only in part",
}


def find_gaps(facts: CallFacts) -> tuple[str, ...]:
    """The reasons, each once."""
    call, usage, bill = facts.call, facts.call.usage, facts.bill
    told = usage.completeness == "full" and usage.uncached is not None and usage.output is not None
    plain = told and not (call.attempts or usage.problems or usage.reasoning)
    if plain and call.reported_usd is None and isinstance(bill, Bill) and not bill.gaps:
        return ()
    found = [*_attempts(facts)]
    if reported_usd(facts) is None:
        found += _charge(facts)
    return tuple(dict.fromkeys(found))


def _attempts(facts: CallFacts) -> list[str]:
    silent = any(attempt.status is None for attempt in facts.call.attempts)
    return ["an attempt without an answer may have been billed"] if silent else []


def _charge(facts: CallFacts) -> list[str]:
    call, usage = facts.call, facts.call.usage
    found = list(facts.bill.gaps) if isinstance(facts.bill, Bill) else []
    if isinstance(facts.bill, Unpriced):
        # Where the usage itself says why it is not there, that is the reason.
        if facts.bill.reason != NOT_REPORTED or not usage.problems:
            found.append(facts.bill.reason)
    elif usage.completeness == "none":
        return found
    elif usage.completeness in BY_COMPLETENESS:
        found.append(BY_COMPLETENESS[usage.completeness])
    elif usage.uncached is None:
        found.append("input not reported")
    elif usage.output is None and call.operation != "embeddings":
        found.append("output not reported")
    if call.reported_usd is not None:
        found.append("the reported cost is not an amount")
    if usage.output is not None and (usage.reasoning or 0) > usage.output and not usage.problems:
        found.append("more reasoning than output reported")
    return found + list(usage.problems)
