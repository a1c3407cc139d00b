"""``kv_offload``: KV spilled and loaded back, as an engine tells it."""

from touchdown.accounting.taxes.timed import EngineTold


class KvOffload(EngineTold, frozen=True):
    """What loading spilled KV back took before a call's first token."""

    id: str = "kv_offload"
    question: str = "KV spilled and loaded back"
    told_by: str = "kv_load_ns"
