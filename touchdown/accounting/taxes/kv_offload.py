"""``kv_offload``: KV spilled and loaded back, as an engine tells it."""

from dataclasses import dataclass

from touchdown.accounting.taxes.timed import EngineTold


@dataclass(frozen=True, slots=True)
class KvOffload(EngineTold):
    """What loading spilled KV back took before a call's first token."""

    id: str = "kv_offload"
    question: str = "KV spilled and loaded back"
    told_by: str = "kv_load_ns"
