"""From the time side of an account to its part of the JSON envelope. Pure."""

from collections.abc import Mapping

from touchdown.accounting.account import TaskAccount
from touchdown.accounting.time.load import HostLoad
from touchdown.report.model import TimeReport
from touchdown.report.model_parts import LoadReport

SECOND_NS = 10**9


def time_report(account: TaskAccount) -> TimeReport:
    """The wall time; without an end of the task only its length so far, if that is known."""
    time = account.time
    known = time.total_ns is not None
    return TimeReport(
        total_s=account.wall_s if time.total_ns is None else time.total_ns / SECOND_NS,
        work_s=time.work_ns / SECOND_NS if known else None,
        taxes=_seconds(time.taxes),
        unexplained_s=time.unexplained_ns / SECOND_NS if known else None,
        memo={n: None if ns is None else ns / SECOND_NS for n, ns in time.memo.items()},
        basis=dict(time.basis),
        within_work=_seconds(time.within_work),
        unexplained=_seconds(time.unexplained_reasons),
        off_path_s=_seconds(time.off_path),
        without_s=_seconds(time.without),
        load=load_report(time.load),
    )


def load_report(load: HostLoad | None) -> LoadReport | None:
    """What is asked of the host."""
    if load is None:
        return None
    return LoadReport(
        cpu_s=None if load.cpu_ns is None else load.cpu_ns / SECOND_NS,
        model_s=load.model_ns / SECOND_NS,
        cores_per_call=load.cores_per_call,
        tools_peak=load.tools_peak,
        tools_mean=load.tools_mean,
        client_cpu_s=None if load.client_cpu_ns is None else load.client_cpu_ns / SECOND_NS,
    )


def _seconds(amounts: Mapping[str, int]) -> dict[str, float]:
    return {name: ns / SECOND_NS for name, ns in amounts.items()}
