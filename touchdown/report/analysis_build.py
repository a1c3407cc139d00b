"""From an analysis to the JSON envelope. Pure."""

from typing import TYPE_CHECKING

from touchdown.accounting.account import Comparison, Summary, TaskAccount
from touchdown.report.build import build_report, model_reports, money_report, usage_report
from touchdown.report.model import AnalysisReport, ComparisonReport, GroupReport, Report

if TYPE_CHECKING:
    from touchdown.report.analysis import Analysis


def build_analysis(found: "Analysis", summary: Summary) -> Report:
    """The envelope ``touchdown.report/1`` with the field ``analysis``."""
    analysis = AnalysisReport(
        view=found.view,
        sources=list(found.sources),
        groups=[_group(account, found.sizes.get(account.task.id, 0)) for account in found.groups],
        comparisons=[_comparison(compared) for compared in found.comparisons],
        notes=list(found.notes),
        problems=list(found.problems),
    )
    report = build_report(found.accounts, summary)
    return report.model_copy(update={"analysis": analysis})


def _group(account: TaskAccount, tasks: int) -> GroupReport:
    return GroupReport(
        key=account.task.id,
        tasks=tasks,
        model_calls=account.model_calls,
        usage=usage_report(account.usage),
        money=money_report(account.money),
        models=model_reports(account),
    )


def _comparison(compared: Comparison) -> ComparisonReport:
    return ComparisonReport(
        task_id=compared.task_id,
        said_by=compared.said_by,
        reported_usd=compared.reported_usd,
        total_usd=compared.total_usd,
        residual_usd=compared.residual_usd,
        why=list(compared.why),
    )
