"""The registry: every tax, in the order of the design's table. A new tax is a file and a line here."""

from touchdown.accounting.causes import FREE_CAUSES
from touchdown.accounting.taxes.abandoned import Abandoned
from touchdown.accounting.taxes.cache_expired import CacheExpired
from touchdown.accounting.taxes.cache_miss import CacheMiss
from touchdown.accounting.taxes.cache_unread import CacheUnread
from touchdown.accounting.taxes.compaction import CompactionTax
from touchdown.accounting.taxes.failed_tools import FailedTools
from touchdown.accounting.taxes.oversized_model import OversizedModelTax
from touchdown.accounting.taxes.planned import Planned
from touchdown.accounting.taxes.provider_margin import ProviderMargin
from touchdown.accounting.taxes.rerouting import Rerouting
from touchdown.accounting.taxes.retries import Retries
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
    Planned("queue", "scheduler queue delay", "account (time)", "engine, or retry-after"),
    Planned("jitter", "the slow tail of decoding with no named cause", "account (time)", "stream"),
    Planned(
        "prefill_blocks_decode", "others' prefill stretching my decode", "account (time)", "engine"
    ),
    Planned("decode_starved", "the same, its long-context owner named", "account (time)", "engine"),
    Planned("kv_offload", "KV spilled and loaded back", "account (time)", "engine"),
    Planned("fabric_transfer", "KV moved between workers", "account (time)", "engine"),
    Planned(
        "runtime_overhead",
        "Python/C++ and process boundary: serialising, parsing, tokenising, event-loop lag, "
        "engine front-end, our own cost",
        "account (time)",
        "client, engine",
    ),
    Planned("cpu_waits_on_gpu", "the agent side idle while a model call runs", "memo", "client"),
    Planned(
        "gpu_waits_on_cpu",
        "KV and GPU held while tools and the loop run",
        "memo",
        "client, engine",
    ),
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

BUILT: tuple[Tax, ...] = tuple(tax for tax in TAXES if not isinstance(tax, Planned))

ACCOUNTS: tuple[Tax, ...] = tuple(tax for tax in BUILT if tax.kind == "account")
"""The taxes that partition the bill."""

_BY_CAUSE = {cause: tax.id for tax in BUILT for cause in sorted(tax.causes)}


def tax_of(cause: str) -> str | None:
    """The account of a miss with this cause: a tax, ``unexplained``, or ``None`` where it stays work."""
    if cause in FREE_CAUSES:
        return None
    return _BY_CAUSE.get(cause, UNEXPLAINED)


def file_of(tax: Tax) -> str:
    """The file that measures a tax; empty for one that nothing measures yet."""
    return "" if isinstance(tax, Planned) else f"accounting/taxes/{tax.id}.py"
