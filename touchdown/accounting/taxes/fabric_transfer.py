"""``fabric_transfer``: KV moved between workers, as an engine tells it."""

from touchdown.accounting.taxes.timed import EngineTold


class FabricTransfer(EngineTold, frozen=True):
    """What moving KV between workers took before a call's first token."""

    id: str = "fabric_transfer"
    question: str = "KV moved between workers"
    told_by: str = "fabric_ns"
