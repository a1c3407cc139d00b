"""Looks at an open task: where only time has passed since the last one, its account is not made anew."""

from msgspec import Struct
from msgspec.structs import replace

from touchdown.accounting.account import TaskAccount
from touchdown.accounting.time.account import TimeAccount
from touchdown.accounting.time.gaps import UNSEEN

WORTH_KEEPING = 100
"""Records of a ledger from which on the last account is kept: smaller ones are quickly made."""


class Look(Struct, frozen=True):
    """An account, when it was looked at, and the latest end of anything in its ledger.

    Units: nanoseconds since the epoch; ``None``: looked at without a time.
    """

    account: TaskAccount
    now_ns: int | None
    last_end_ns: int

    def at(self, now_ns: int | None) -> TaskAccount | None:
        """The account at another time, no record having come since; ``None`` where it must be made anew."""
        account, then_ns = self.account, self.now_ns
        if account.task.duration_ns is not None or now_ns == then_ns:
            return account
        if now_ns is None or then_ns is None or not self.last_end_ns <= then_ns <= now_ns:
            return None
        time = _later(account.time, now_ns - then_ns)
        wall_s = max(now_ns - account.task.started_at_ns, 0) / 1e9
        return None if time is None else replace(account, time=time, wall_s=wall_s)


def _later(time: TimeAccount, more_ns: int) -> TimeAccount | None:
    """The same after so much time in which nothing of the task was seen."""
    if not time.total_ns or not all(time.without.values()):
        return None
    reasons = dict(time.unexplained_reasons)
    reasons[UNSEEN.name] = reasons.get(UNSEEN.name, 0) + more_ns
    return replace(
        time,
        total_ns=time.total_ns + more_ns,
        unexplained_ns=time.unexplained_ns + more_ns,
        unexplained_reasons=dict(sorted(reasons.items())),
        without={name: ns + more_ns for name, ns in time.without.items()},
    )
