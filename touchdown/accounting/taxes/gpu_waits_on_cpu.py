"""``gpu_waits_on_cpu``: the model's side idle while tools and the agent's own code run."""

from touchdown.accounting.taxes.tax import Evidence, Kind
from touchdown.accounting.taxes.timed import Timed

UNSEEN = "fewer than two model calls: nothing was held between them"
FEWEST_CALLS = 2


class GpuWaitsOnCpu(Timed, frozen=True):
    """Seconds of the critical path between the first and the last model call in which none ran."""

    id: str = "gpu_waits_on_cpu"
    question: str = "KV and GPU held while tools and the loop run"
    kind: Kind = "memo"

    def not_observable(self, seen: Evidence) -> str | None:
        """Without two calls."""
        timed = sum(facts.call.duration_ns > 0 for facts in seen.calls)
        return None if timed >= FEWEST_CALLS else UNSEEN
