"""The time side of a task's account, made of what was folded and settled."""

from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from touchdown.accounting.taxes.registry import TAXES
from touchdown.accounting.taxes.tax import Evidence
from touchdown.accounting.time.account import TimeAccount
from touchdown.accounting.time.elsewhere import place_elsewhere
from touchdown.accounting.time.intervals import Timed, tree_of
from touchdown.accounting.time.ledger import Told, account_time
from touchdown.accounting.time.load import load_of
from touchdown.records import AgentRun, TaskRecord

POLICY = "2026-11-25: waited for what ended last"
"""How the critical path is found, in words for the report."""

ALWAYS_TOLD = ("retries",)


def state_time(
    task: TaskRecord,
    tasks: Iterable[TaskRecord],
    runs: Iterable[AgentRun],
    seen: Evidence,
    now_ns: int | None,
) -> TimeAccount:
    """The wall time of ``task`` in accounts; nothing while its end is not known.

    Units: ``now_ns`` is the current time, for a task that is still open.
    """
    end_ns = now_ns if task.duration_ns is None else task.started_at_ns + task.duration_ns
    if end_ns is None:
        return TimeAccount()
    tools = [done.tool for done in seen.executions if done.tool is not None]
    calls = [facts.call for facts in seen.calls]
    records: list[Timed] = [*tasks, *runs, *tools, *calls]
    told = Told(
        calls={facts.call.id: facts for facts in seen.calls},
        claimed={**claimed_tools(seen), **seen.whole_claims},
        observable=_observable(seen),
    )
    root = tree_of(task, end_ns, records)
    place_elsewhere(root)
    return replace(account_time(root, told), load=load_of(root, task))


def claimed_tools(seen: Evidence) -> Mapping[str, str]:
    """Tool execution to the tax that takes its time: a failure before a repetition."""
    repeated = {done.tool.id: "unneeded_work" for done in seen.repeated_tools if done.tool}
    failed = {d.tool.id: "failed_tools" for d in seen.executions if d.tool is not None and d.failed}
    return {**repeated, **failed}


def _observable(seen: Evidence) -> list[str]:
    timed = [tax for tax in TAXES if tax.kind == "account (time)"]
    return [*ALWAYS_TOLD, *(tax.id for tax in timed if tax.not_observable(seen) is None)]
