"""``fabric_transfer``: KV moved between workers, as an engine tells it."""

from dataclasses import dataclass

from touchdown.accounting.taxes.timed import EngineTold


@dataclass(frozen=True, slots=True)
class FabricTransfer(EngineTold):
    """What moving KV between workers took before a call's first token."""

    id: str = "fabric_transfer"
    question: str = "KV moved between workers"
    told_by: str = "fabric_ns"
