"""The statement: a task's account, made of what was folded and settled."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from touchdown.accounting.account import MOST_SPANS, Finding, Money, TaskAccount
from touchdown.accounting.agents import total_agents
from touchdown.accounting.agreement import VERSION as PROVIDER_REASONS_VERSION
from touchdown.accounting.bill import total_money
from touchdown.accounting.cache_rules import VERSION as CACHE_RULES_VERSION
from touchdown.accounting.facts import CallFacts
from touchdown.accounting.settlement import of_calls, of_tasks, with_payers
from touchdown.accounting.taxes.compaction import POLICY as COMPACTION_POLICY
from touchdown.accounting.taxes.registry import TAXES
from touchdown.accounting.taxes.subagent_fanout import SMALLEST_SHARED_TOKENS
from touchdown.accounting.taxes.tax import Evidence
from touchdown.accounting.taxes.tool_output import POLICY as TOOL_OUTPUT_POLICY
from touchdown.accounting.taxes.unneeded_work import POLICY as UNNEEDED_POLICY
from touchdown.accounting.time.first_token import POLICY as FIRST_TOKEN_POLICY
from touchdown.accounting.time.statement import POLICY as CRITICAL_PATH_POLICY
from touchdown.accounting.time.statement import state_time
from touchdown.accounting.totals import (
    total_cache,
    total_context,
    total_models,
    total_tools,
    total_usage,
)
from touchdown.context.shares import POLICY as SHARES_POLICY
from touchdown.records import AgentRun, TaskRecord

CLASH = "two records with one id"

TOTAL = "total"

Detail = Literal["all", "bill", "sums"]
"""How much of an account is made. ``bill``: without tools, agent runs and the time ledger; ``sums``: without
findings, too."""


class Folded(Struct, frozen=True):
    """Everything that an account is made of."""

    seen: Evidence
    runs: Mapping[str, AgentRun]
    tasks: Mapping[str, TaskRecord]
    clashes: frozenset[str]
    prices_version: str


def state_account(
    folded: Folded, now_ns: int | None, task_id: str | None, detail: Detail = "all"
) -> TaskAccount:
    """The account of the root task, or of ``task_id``; child tasks are counted in."""
    task = _task(folded, task_id)
    whole = task_id is None or task == _root(folded)
    tasks = None if whole else with_children(task.id, folded.tasks)
    seen = folded.seen if tasks is None else of_tasks(folded.seen, tasks)
    runs = [run for run in folded.runs.values() if tasks is None or run.task_id in tasks]
    account = _state(folded, task, seen, runs, _wall_s(task, now_ns), detail)
    within = [one for one in folded.tasks.values() if tasks is None or one.id in tasks]
    account = replace(account, refused_calls=sum(one.refused_calls for one in within))
    if detail != "all":
        return account
    return replace(account, time=state_time(task, within, runs, seen, now_ns))


def state_part(
    folded: Folded, calls: Sequence[CallFacts], name: str, detail: Detail = "all"
) -> TaskAccount:
    """The account of some calls; their task is the one called ``name`` where there is one, else the root."""
    seen = of_calls(folded.seen, calls)
    agents = {facts.call.agent_id for facts in calls}
    runs = [run for run in folded.runs.values() if run.id in agents]
    own = folded.tasks.get(name)
    return _state(
        folded,
        own or _task(folded, None),
        seen,
        runs,
        _wall_s(own, None) if own else None,
        detail,
    )


def _state(
    folded: Folded,
    task: TaskRecord,
    seen: Evidence,
    runs: Sequence[AgentRun],
    wall_s: float | None,
    detail: Detail,
) -> TaskAccount:
    seen = with_payers(replace(seen, task=task))
    started = [run for run in runs if run.status != "not_started"]
    calls = [facts.call for facts in seen.calls]
    attempts = [attempt for call in calls for attempt in call.attempts]
    whole = detail == "all"
    return TaskAccount(
        task=task,
        open=task.duration_ns is None,
        wall_s=wall_s,
        model_calls=len(calls),
        tool_calls=len(seen.executions),
        agents=len(started),
        failed_calls=sum(call.status == "error" for call in calls),
        attempts_retried=len(attempts),
        retry_backoff_s=sum(attempt.backoff_s for attempt in attempts),
        usage=total_usage(call.usage for call in calls),
        money=_money(folded, seen),
        cache=total_cache(seen.calls),
        context=total_context(seen.calls),
        models=total_models(seen.calls, seen.postings),
        agent_runs=total_agents(seen, started, {*folded.tasks, task.id}) if whole else (),
        tools=total_tools(seen) if whole else (),
        findings=() if detail == "sums" else _findings(seen),
        policies={
            "prices": folded.prices_version,
            "critical_path": CRITICAL_PATH_POLICY,
            "first_token": FIRST_TOKEN_POLICY,
            "cache_rules": CACHE_RULES_VERSION,
            "token_shares": SHARES_POLICY,
            "subagent_fanout": f"messages from {SMALLEST_SHARED_TOKENS} tokens on",
            "compaction": COMPACTION_POLICY,
            "tool_output": TOOL_OUTPUT_POLICY,
            "unneeded_work": UNNEEDED_POLICY,
            **seen.policies.described,
            **_cache_policy(seen),
            **_provider_reasons(seen),
        },
        not_observable=_not_observable(seen),
    )


def _cache_policy(seen: Evidence) -> dict[str, str]:
    """The policies that supplied cache figures where sources have none."""
    used = {facts.call.usage.cache_policy for facts in seen.calls} - {""}
    return {"cache_figures": ", ".join(sorted(used))} if used else {}


def _provider_reasons(seen: Evidence) -> dict[str, str]:
    asked = any(facts.call.provider_verdict is not None for facts in seen.calls)
    return {"provider_verdicts": PROVIDER_REASONS_VERSION} if asked else {}


def _money(folded: Folded, seen: Evidence) -> Money:
    money = total_money(seen)
    clashes = folded.clashes & {facts.call.id for facts in seen.calls}
    if not clashes:
        return money
    reasons = {**money.incomplete_reasons, CLASH: len(clashes)}
    return replace(money, complete=False, incomplete_reasons=reasons)


def _task(folded: Folded, task_id: str | None) -> TaskRecord:
    if task_id is not None:
        return folded.tasks.get(task_id) or TaskRecord(task_id, "", _first_time(folded, task_id))
    found = _root(folded) or min(folded.tasks.values(), key=_age, default=None)
    if found is not None:
        return found
    first = folded.seen.calls[0].call.task_id if folded.seen.calls else ""
    return TaskRecord(first, "", _first_time(folded, None))


def _root(folded: Folded) -> TaskRecord | None:
    return min((t for t in folded.tasks.values() if not t.parent_id), key=_age, default=None)


def _age(task: TaskRecord) -> tuple[int, str]:
    return task.started_at_ns, task.id


def _first_time(folded: Folded, task_id: str | None) -> int:
    calls = (facts.call for facts in folded.seen.calls)
    times = [call.sent_at_ns for call in calls if task_id in (None, call.task_id)]
    return min(times, default=0)


def with_children(task_id: str, tasks: Mapping[str, TaskRecord]) -> set[str]:
    """The ids of a task and of every task inside it."""
    found = {task_id}
    while True:
        more = {task.id for task in tasks.values() if task.parent_id in found} - found
        if not more:
            return found
        found |= more


def _wall_s(task: TaskRecord, now_ns: int | None) -> float | None:
    if task.duration_ns is not None:
        return task.duration_ns / 1e9
    return None if now_ns is None else max(now_ns - task.started_at_ns, 0) / 1e9


def _findings(seen: Evidence) -> tuple[Finding, ...]:
    found: Iterable[Finding] = (
        replace(finding, spans=finding.spans[:MOST_SPANS])
        for tax in TAXES
        for finding in tax.findings(seen)
    )
    return tuple(sorted(found, key=lambda f: (f.usd is None, -(f.usd or 0), f.tax, f.why)))


def _not_observable(seen: Evidence) -> dict[str, str]:
    reasons = {tax.id: tax.not_observable(seen) for tax in TAXES}
    return {tax: reason for tax, reason in reasons.items() if reason is not None}
