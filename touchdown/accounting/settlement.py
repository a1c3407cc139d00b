"""Settlement: joins, claims and postings of everything folded so far. Moves are postings made anew."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from msgspec.structs import replace

from touchdown.accounting.facts import CallFacts, Posting
from touchdown.accounting.fold import Fold
from touchdown.accounting.policies import Policies
from touchdown.accounting.postings import post
from touchdown.accounting.repeats import Changes, repeated_calls, repeated_tools
from touchdown.accounting.taxes.registry import CLAIM_ORDER, TAXES
from touchdown.accounting.taxes.tax import Claim, Evidence, engines_of
from touchdown.accounting.toolbook import Execution, join_tools
from touchdown.prices.rates import Prices
from touchdown.records import AgentRun, TaskRecord, ToolCall


def settle(
    fold: Fold,
    tools: Mapping[str, ToolCall],
    tasks: Mapping[str, TaskRecord],
    runs: Mapping[str, AgentRun],
    prices: Prices,
    policies: Policies,
) -> Evidence:
    """Everything the taxes look at, with every call posted by the claims as they stand now."""
    executions = join_tools(tools.values(), fold.book.results)
    changes = Changes(executions, fold.book)
    seen = Evidence(
        calls=fold.calls,
        executions=executions,
        book=fold.book,
        repeated_calls=repeated_calls(fold.calls, changes),
        repeated_tools=repeated_tools(executions, changes),
        prices=prices,
        policies=policies,
        last_ns=_last_ns(fold, tools.values()),
        closed_ns=_closed_ns(tasks),
        runs=runs,
        engines=engines_of(fold.calls),
    )
    claims = _claims_by_call(seen)
    postings = {
        facts.call.id: _posted(facts, claims.get(facts.call.id, ())) for facts in fold.calls
    }
    return replace(seen, postings=postings, whole_claims=_whole_claims(claims))


def _whole_claims(by_call: Mapping[str, Sequence[Claim]]) -> dict[str, str]:
    """The first claim on the whole of each call: claims stand in their order."""
    whole = {
        name: [claim.tax for claim in claims if claim.whole] for name, claims in by_call.items()
    }
    return {name: taxes[0] for name, taxes in whole.items() if taxes}


def _last_ns(fold: Fold, tools: Iterable[ToolCall]) -> int:
    calls = max((facts.call.ended_at_ns for facts in fold.calls), default=0)
    ends = (tool.started_at_ns + (tool.duration_ns or 0) for tool in tools)
    return max(calls, max(ends, default=0))


def _closed_ns(tasks: Mapping[str, TaskRecord]) -> dict[str, int]:
    closed: dict[str, int] = {}
    for task in tasks.values():
        above: TaskRecord | None = task
        for _ in range(len(tasks)):
            if above is None:
                break
            if above.duration_ns is not None:
                end = above.started_at_ns + above.duration_ns
                closed[task.id] = min(closed.get(task.id, end), end)
            above = tasks.get(above.parent_id)
    return closed


def of_tasks(seen: Evidence, tasks: set[str]) -> Evidence:
    """The part that belongs to these tasks."""
    calls = [facts for facts in seen.calls if facts.call.task_id in tasks]
    return replace(
        seen,
        calls=calls,
        executions=[done for done in seen.executions if done.task_id in tasks],
        repeated_calls=[facts for facts in seen.repeated_calls if facts.call.task_id in tasks],
        repeated_tools=[done for done in seen.repeated_tools if done.task_id in tasks],
        engines=engines_of(calls),
    )


def of_calls(seen: Evidence, calls: Sequence[CallFacts]) -> Evidence:
    """The part that belongs to these calls: a tool execution lies with the call that asked for it."""
    ids = {facts.call.id for facts in calls}

    def is_mine(done: Execution) -> bool:
        return _asking_call(seen, done) in ids

    return replace(
        seen,
        calls=calls,
        executions=list(filter(is_mine, seen.executions)),
        repeated_calls=[facts for facts in seen.repeated_calls if facts.call.id in ids],
        repeated_tools=list(filter(is_mine, seen.repeated_tools)),
        engines=engines_of(calls),
    )


def with_payers(seen: Evidence) -> Evidence:
    """The same with the calls that paid each tax."""
    payers: defaultdict[str, list[tuple[CallFacts, Posting]]] = defaultdict(list)
    for facts in seen.calls:
        posting = seen.postings[facts.call.id]
        for tax in posting.taxes:
            payers[tax].append((facts, posting))
    return replace(seen, payers=payers)


def _asking_call(seen: Evidence, done: Execution) -> str:
    """The call that asked for a tool execution, else the one that read its result first."""
    asked = done.asked(seen.book)
    if asked is not None:
        return asked[0].call.id
    return done.result.facts.call.id if done.result is not None else ""


def _claims_by_call(seen: Evidence) -> dict[str, list[Claim]]:
    order = {scope: place for place, scope in enumerate(CLAIM_ORDER)}
    by_call: defaultdict[str, list[Claim]] = defaultdict(list)
    for tax in TAXES:
        for claim in tax.claims(seen):
            by_call[claim.call_id].append(claim)
    for claims in by_call.values():
        claims.sort(key=lambda claim: order.get((claim.tax, claim.scope), len(order)))
    return by_call


def _posted(facts: CallFacts, claims: Sequence[Claim]) -> Posting:
    mark = tuple(claims)
    if facts.posted is None or facts.posted[0] != mark:
        facts.posted = (mark, post(facts, claims))
    return facts.posted[1]
