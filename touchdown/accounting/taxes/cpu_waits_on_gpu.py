"""``cpu_waits_on_gpu``: the agent's side idle while a model call runs."""

from touchdown.accounting.taxes.tax import Evidence, Kind
from touchdown.accounting.taxes.timed import Timed

UNSEEN = "no model call took any time"


class CpuWaitsOnGpu(Timed, frozen=True):
    """Seconds of the critical path in which a model was waited for; they are part of other accounts."""

    id: str = "cpu_waits_on_gpu"
    question: str = "the agent side idle while a model call runs"
    kind: Kind = "memo"

    def not_observable(self, seen: Evidence) -> str | None:
        """Without a call that has a length."""
        return None if any(facts.call.duration_ns > 0 for facts in seen.calls) else UNSEEN
