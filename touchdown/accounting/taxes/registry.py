"""The registry: every tax, in the order of the design's table. A new tax is a file and a line here."""

from touchdown.accounting.causes import FREE_CAUSES
from touchdown.accounting.taxes.abandoned import Abandoned
from touchdown.accounting.taxes.cache_expired import CacheExpired
from touchdown.accounting.taxes.cache_miss import CacheMiss
from touchdown.accounting.taxes.cache_unread import CacheUnread
from touchdown.accounting.taxes.compaction import CompactionTax
from touchdown.accounting.taxes.cpu_waits_on_gpu import CpuWaitsOnGpu
from touchdown.accounting.taxes.decode_starved import DecodeStarved
from touchdown.accounting.taxes.fabric_transfer import FabricTransfer
from touchdown.accounting.taxes.failed_tools import FailedTools
from touchdown.accounting.taxes.gpu_waits_on_cpu import GpuWaitsOnCpu
from touchdown.accounting.taxes.jitter import Jitter
from touchdown.accounting.taxes.kv_offload import KvOffload
from touchdown.accounting.taxes.oversized_model import OversizedModelTax
from touchdown.accounting.taxes.prefill_blocks_decode import PrefillBlocksDecode
from touchdown.accounting.taxes.provider_margin import ProviderMargin
from touchdown.accounting.taxes.queue import Queue
from touchdown.accounting.taxes.rerouting import Rerouting
from touchdown.accounting.taxes.retries import Retries
from touchdown.accounting.taxes.runtime_overhead import RuntimeOverhead
from touchdown.accounting.taxes.subagent_fanout import SubagentFanout
from touchdown.accounting.taxes.tax import Tax
from touchdown.accounting.taxes.tool_output import ToolOutput
from touchdown.accounting.taxes.unneeded_work import UnneededWork

UNEXPLAINED = "unexplained"
"""The account of what no rule explains."""

WORK = "work"
"""The account of what is nobody's tax."""

TAXES: tuple[Tax, ...] = (
    CacheMiss(),
    CacheExpired(),
    CacheUnread(),
    Rerouting(),
    SubagentFanout(),
    CompactionTax(),
    ToolOutput(),
    FailedTools(),
    Retries(),
    UnneededWork(),
    Queue(),
    Jitter(),
    PrefillBlocksDecode(),
    DecodeStarved(),
    KvOffload(),
    FabricTransfer(),
    RuntimeOverhead(),
    CpuWaitsOnGpu(),
    GpuWaitsOnCpu(),
    OversizedModelTax(),
    ProviderMargin(),
    Abandoned(),
)

CLAIM_ORDER = (
    ("retries", "call"),
    ("unneeded_work", "call"),
    ("compaction", "call"),
    ("compaction", "part"),
    ("failed_tools", "part"),
    ("unneeded_work", "part"),
    ("subagent_fanout", "part"),
    ("tool_output", "part"),
    ("cache_unread", "part"),
)
"""Which claim a token goes to first: tax, and whether it claims the whole call or a part of it.

Source: the method's claim table; the premium of a cache write comes out of what is left as work.
"""

ACCOUNTS: tuple[Tax, ...] = tuple(tax for tax in TAXES if tax.kind == "account")
"""The taxes that partition the bill."""

_BY_CAUSE = {cause: tax.id for tax in TAXES for cause in sorted(tax.causes)}


def tax_of(cause: str) -> str | None:
    """The account of a miss with this cause: a tax, ``unexplained``, or ``None`` where it stays work."""
    if cause in FREE_CAUSES:
        return None
    return _BY_CAUSE.get(cause, UNEXPLAINED)


def file_of(tax: Tax) -> str:
    """The file that measures a tax."""
    return f"accounting/taxes/{tax.id}.py"
