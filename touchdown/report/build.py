"""From accounts to the JSON envelope. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from decimal import Decimal

from touchdown.accounting.account import (
    Agreement,
    CacheTotals,
    Money,
    NameTotals,
    Summary,
    TaskAccount,
    UsageTotals,
)
from touchdown.accounting.time.load import add_loads
from touchdown.accounting.time.pool import PoolBill
from touchdown.report.build_time import load_report, time_report
from touchdown.report.model import (
    MoneyReport,
    NameReport,
    Report,
    SummaryReport,
    TaskReport,
)
from touchdown.report.model_parts import (
    AgentRunReport,
    AgreementReport,
    CacheReport,
    CauseAgreementReport,
    ContextReport,
    FindingReport,
    MissReport,
    ModelReport,
    PoolReport,
    ToolReport,
    UsageReport,
    WhereReport,
)

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def build_report(
    accounts: Sequence[TaskAccount], summary: Summary, lost: Mapping[str, int] | None = None
) -> Report:
    """The envelope ``touchdown.report/1`` of these accounts; ``lost`` is what the process lost, by kind."""
    told = _summary(summary, lost or {})
    return Report(tasks=[_task(account) for account in accounts], summary=told)


def summary_of(account: TaskAccount) -> Summary:
    """The summary of one task alone."""
    task, money = account.task, account.money
    useful, useless = task.outcome == "useful", task.outcome == "useless"
    total = money.total_usd
    cost = total if useful else None
    return Summary(
        tasks=1,
        useful=int(useful),
        useless=int(useless),
        unknown=int(not (useful or useless)),
        total_usd=total,
        complete=money.complete,
        cost_per_useful_task_usd=cost,
        low_usd=None if useless else total,
        high_usd=cost,
        known_share=Decimal(int(useful or useless)) if total else None,
        spent_on_useless_usd=total if useless else Decimal(0),
        by_name={
            task.name: NameTotals(1, int(useful), total, cost, total if useless else Decimal(0))
        },
        agreement=account.cache.agreement,
        load=add_loads([account.time.load] if account.time.load else []),
    )


def _task(account: TaskAccount) -> TaskReport:
    task = account.task
    return TaskReport(
        id=task.id,
        parent_id=task.parent_id or None,
        name=task.name,
        tags=dict(task.tags),
        outcome=task.outcome,
        started_at=_time(task.started_at_ns),
        wall_s=account.wall_s,
        model_calls=account.model_calls,
        tool_calls=account.tool_calls,
        agents=account.agents,
        refused_calls=account.refused_calls,
        usage=usage_report(account.usage),
        money=money_report(account.money),
        time=time_report(account),
        cache=_cache(account.cache),
        context=ContextReport(
            peak_tokens=account.context.peak_tokens, by_kind=dict(account.context.by_kind)
        ),
        models=model_reports(account),
        agent_runs=_agent_runs(account),
        tools=_tools(account),
        findings=_findings(account),
        policies=dict(account.policies),
        not_observable=dict(account.not_observable),
    )


def money_report(money: Money) -> MoneyReport:
    """The bill."""
    return MoneyReport(
        total_usd=money.total_usd,
        complete=money.complete,
        work_usd=money.work_usd,
        taxes=dict(money.taxes),
        unexplained_usd=money.unexplained_usd,
        memo=dict(money.memo),
        basis=dict(money.basis),
        unpriced_calls=money.unpriced_calls,
        reported_usd=money.reported_usd,
        within_work=dict(money.within_work),
        incomplete_reasons=dict(money.incomplete_reasons),
        unexplained_reasons=dict(money.unexplained_reasons),
    )


def usage_report(usage: UsageTotals) -> UsageReport:
    """Tokens by class."""
    return UsageReport(
        uncached_input=usage.uncached_input,
        cache_read=usage.cache_read,
        cache_write=None if usage.cache_write is None else dict(usage.cache_write),
        output=usage.output,
        reasoning=usage.reasoning,
    )


def _cache(cache: CacheTotals) -> CacheReport:
    misses = [
        MissReport(
            span_id=paid.span_id,
            cause=paid.miss.cause,
            tax=paid.miss.tax,
            tokens=paid.miss.tokens,
            usd=paid.miss.usd,
            where=WhereReport(
                segment=paid.miss.kind, index=paid.miss.segment, token=paid.miss.token
            ),
        )
        for paid in cache.misses
    ]
    return CacheReport(
        reusable=cache.reusable,
        read=cache.read,
        missed=cache.missed,
        misses=misses,
        agreement=_agreement(cache.agreement),
    )


def _agreement(found: Agreement | None) -> AgreementReport | None:
    if found is None:
        return None
    return AgreementReport(
        asked=found.asked,
        unchanged=found.unchanged,
        causes={
            cause: CauseAgreementReport(
                agree=one.agree,
                differ=one.differ,
                provider_only=one.provider_only,
                ours_only=one.ours_only,
            )
            for cause, one in found.causes.items()
        },
        undecided=dict(found.undecided),
    )


def model_reports(account: TaskAccount) -> list[ModelReport]:
    """What each model was used for."""
    return [
        ModelReport(
            provider=used.provider,
            model=used.model,
            calls=used.calls,
            usage=usage_report(used.usage),
            total_usd=used.total_usd,
            basis=used.basis,
            complete=used.complete,
        )
        for used in account.models
    ]


def _agent_runs(account: TaskAccount) -> list[AgentRunReport]:
    return [
        AgentRunReport(
            id=run.id,
            parent_id=run.parent_id,
            name=run.name,
            own_usd=run.own_usd,
            children_usd=run.children_usd,
            total_usd=run.total_usd,
            model_calls=run.model_calls,
            sub_agents=run.sub_agents,
            depth=run.depth,
            given_tokens=run.given_tokens,
            copied_tokens=run.copied_tokens,
            result_chars=run.result_chars,
        )
        for run in account.agent_runs
    ]


def _tools(account: TaskAccount) -> list[ToolReport]:
    return [
        ToolReport(
            name=tool.name,
            calls=tool.calls,
            failed=tool.failed,
            output_chars=tool.output_chars,
            output_tokens=tool.output_tokens,
            first_read_usd=tool.first_read_usd,
            rent_usd=tool.rent_usd,
        )
        for tool in account.tools
    ]


def _findings(account: TaskAccount) -> list[FindingReport]:
    return [
        FindingReport(
            tax=found.tax,
            usd=found.usd,
            seconds=found.seconds,
            tokens=found.tokens,
            spans=list(found.spans),
            why=found.why,
            basis=found.basis,
            fix=found.fix,
            saves_usd=found.saves_usd,
        )
        for found in account.findings
    ]


def _summary(summary: Summary, lost: Mapping[str, int]) -> SummaryReport:
    return SummaryReport(
        tasks=summary.tasks,
        useful=summary.useful,
        useless=summary.useless,
        unknown=summary.unknown,
        total_usd=summary.total_usd,
        complete=summary.complete,
        cost_per_useful_task_usd=summary.cost_per_useful_task_usd,
        low_usd=summary.low_usd,
        high_usd=summary.high_usd,
        known_share=summary.known_share,
        spent_on_useless_usd=summary.spent_on_useless_usd,
        by_name={name: _name(totals) for name, totals in summary.by_name.items()},
        agreement=_agreement(summary.agreement),
        pools=[_pool(bill) for bill in summary.pools],
        load=load_report(summary.load),
        earlier_tasks=summary.earlier,
        lost=dict(lost),
    )


def _pool(bill: PoolBill) -> PoolReport:
    pool = bill.pool
    return PoolReport(
        name=pool.name,
        usd_per_hour=pool.usd_per_hour,
        opened_at=_time(pool.opened_ns),
        open_s=max(pool.closed_ns - pool.opened_ns, 0) / 1e9,
        exclusive=pool.exclusive,
        total_usd=bill.total_usd,
        by_task=dict(bill.by_task),
        by_phase={task: dict(phases) for task, phases in bill.by_phase.items()},
        gpu_waits_on_cpu=dict(bill.gpu_waits_on_cpu),
        idle_usd=bill.idle_usd,
    )


def _name(totals: NameTotals) -> NameReport:
    return NameReport(
        tasks=totals.tasks,
        useful=totals.useful,
        total_usd=totals.total_usd,
        cost_per_useful_task_usd=totals.cost_per_useful_task_usd,
        spent_on_useless_usd=totals.spent_on_useless_usd,
    )


def _time(at_ns: int) -> datetime | None:
    try:
        return EPOCH + timedelta(microseconds=at_ns // 1000)
    except OverflowError:
        return None
