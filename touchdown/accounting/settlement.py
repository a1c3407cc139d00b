"""Settlement: joins, claims and postings of everything folded so far. Moves are postings made anew."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from touchdown.accounting.facts import CallFacts, Posting
from touchdown.accounting.fold import Fold
from touchdown.accounting.postings import post
from touchdown.accounting.taxes.registry import BUILT, CLAIM_ORDER
from touchdown.accounting.taxes.tax import Claim, Evidence
from touchdown.accounting.toolbook import Execution, join_tools
from touchdown.records import ToolCall


def settle(fold: Fold, tools: Iterable[ToolCall]) -> Evidence:
    """Everything the taxes look at, with every call posted by the claims as they stand now."""
    seen = Evidence(fold.calls, join_tools(tools, fold.book.results), fold.book)
    claims = _claims_by_call(seen)
    postings = {
        facts.call.id: _posted(facts, claims.get(facts.call.id, ())) for facts in fold.calls
    }
    return replace(seen, postings=postings)


def of_tasks(seen: Evidence, tasks: set[str]) -> Evidence:
    """The part that belongs to these tasks."""
    return replace(
        seen,
        calls=[facts for facts in seen.calls if facts.call.task_id in tasks],
        executions=[done for done in seen.executions if done.task_id in tasks],
    )


def of_calls(seen: Evidence, calls: Sequence[CallFacts]) -> Evidence:
    """The part that belongs to these calls: a tool execution lies with the call that asked for it."""
    ids = {facts.call.id for facts in calls}
    mine = [done for done in seen.executions if _asking_call(seen, done) in ids]
    return replace(seen, calls=calls, executions=mine)


def _asking_call(seen: Evidence, done: Execution) -> str:
    """The call that asked for a tool execution, else the one that read its result first."""
    asked = done.result.asked if done.result is not None else None
    if asked is None and done.tool is not None:
        asked = seen.book.asked_for(done.tool)
    if asked is not None:
        return asked[0].call.id
    return done.result.facts.call.id if done.result is not None else ""


def _claims_by_call(seen: Evidence) -> dict[str, list[Claim]]:
    order = {scope: place for place, scope in enumerate(CLAIM_ORDER)}
    by_call: defaultdict[str, list[Claim]] = defaultdict(list)
    for tax in BUILT:
        for claim in tax.claims(seen):
            by_call[claim.call_id].append(claim)
    for claims in by_call.values():
        claims.sort(key=lambda claim: order[claim.tax, "call" if claim.whole else "part"])
    return by_call


def _posted(facts: CallFacts, claims: Sequence[Claim]) -> Posting:
    mark = tuple(claims)
    if facts.posted is None or facts.posted[0] != mark:
        facts.posted = (mark, post(facts, claims))
    return facts.posted[1]
