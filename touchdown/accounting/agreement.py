"""Two verdicts on one cache: a provider's own reasons beside our causes, and how often they agree.

A provider compares requests, whether or not its cache was read: of expiry, eviction and routing it says
nothing, so that causes of that kind are ours only.
"""

from collections import Counter
from collections.abc import Iterable

from msgspec import Struct

from touchdown.accounting.account import Agreement, CauseAgreement
from touchdown.accounting.facts import CallFacts
from touchdown.records import ProviderVerdict
from touchdown.records.provider import FIRST_CALL, NO_DIVERGENCE, NOT_TOLD, PENDING

_CLAUDE = "https://platform.claude.com/docs/en/build-with-claude/cache-diagnostics.md"
_OPENAI = "https://developers.openai.com/api/docs/guides/prompt-caching/diagnostics.md"
VERSION = "2026-11-23"
"""Date of the newest row, printed where a provider was asked."""


class Meaning(Struct, frozen=True):
    """What one reason of a provider is in our words.

    ``causes`` are those it covers, the usual one first. ``parameter`` narrows ``parameters_changed`` to
    changes of that request parameter.
    """

    vendor: str
    reason: str
    causes: tuple[str, ...]
    parameter: str
    source: str
    date: str = "2026-11-23"


MEANINGS = (
    Meaning(
        "anthropic", "model_changed", ("model_changed", "parameters_changed"), "speed", _CLAUDE
    ),
    Meaning("anthropic", "tools_changed", ("tools_changed",), "", _CLAUDE),
    Meaning("anthropic", "system_changed", ("system_changed",), "", _CLAUDE),
    Meaning("anthropic", "messages_changed", ("history_edited", "compacted"), "", _CLAUDE),
    Meaning("openai", "model_changed", ("model_changed",), "", _OPENAI),
    Meaning(
        "openai", "prompt_cache_key_changed", ("parameters_changed",), "prompt_cache_key", _OPENAI
    ),
    Meaning("openai", "tools_changed", ("tools_changed",), "", _OPENAI),
    Meaning("openai", "text_format_changed", ("parameters_changed",), "text", _OPENAI),
    Meaning("openai", "reasoning_effort_changed", ("parameters_changed",), "reasoning", _OPENAI),
    Meaning("openai", "verbosity_changed", ("parameters_changed",), "text", _OPENAI),
    Meaning("openai", "service_tier_changed", ("parameters_changed",), "service_tier", _OPENAI),
    Meaning("openai", "context_compacted", ("compacted", "history_edited"), "", _OPENAI),
    Meaning("openai", "input_changed", ("history_edited", "system_changed"), "", _OPENAI),
)

UNCHANGED = frozenset({NO_DIVERGENCE, "cache_hit"})
"""Reasons by which a provider says that nothing had changed."""

UNDECIDED = frozenset(
    {
        FIRST_CALL,
        PENDING,
        NOT_TOLD,
        "unavailable",
        "previous_message_not_found",
        "comparison_response_not_found",
    }
)
"""Reasons that decide nothing."""

OTHER_BASE = "compared_with_another_call"
UNKNOWN_REASON = "unknown_reason"


def total_agreement(calls: Iterable[CallFacts]) -> Agreement | None:
    """The agreement over these calls; ``None`` where no provider was asked."""
    asked, unchanged = 0, 0
    sides: dict[str, Counter[str]] = {}
    undecided: Counter[str] = Counter()
    for facts in calls:
        said = facts.call.provider_verdict
        if said is None:
            continue
        asked += 1
        why_not = _undecided(facts, said)
        if why_not:
            undecided[why_not] += 1
            continue
        found = _compare(facts, said)
        unchanged += not found
        for cause, side in found:
            sides.setdefault(cause, Counter())[side] += 1
    if not asked:
        return None
    causes = {cause: CauseAgreement(**counted) for cause, counted in sorted(sides.items())}
    return Agreement(asked, unchanged, causes, dict(sorted(undecided.items())))


def add_agreements(parts: Iterable[Agreement | None]) -> Agreement | None:
    """Several as one."""
    given = [part for part in parts if part is not None]
    if not given:
        return None
    undecided: Counter[str] = Counter()
    causes: dict[str, CauseAgreement] = {}
    for part in given:
        undecided.update(part.undecided)
        for cause, one in part.causes.items():
            had = causes.get(cause, CauseAgreement())
            causes[cause] = CauseAgreement(
                had.agree + one.agree,
                had.differ + one.differ,
                had.provider_only + one.provider_only,
                had.ours_only + one.ours_only,
            )
    return Agreement(
        asked=sum(part.asked for part in given),
        unchanged=sum(part.unchanged for part in given),
        causes=dict(sorted(causes.items())),
        undecided=dict(sorted(undecided.items())),
    )


def _undecided(facts: CallFacts, said: ProviderVerdict) -> str:
    """Why this verdict cannot be held against ours; empty where it can."""
    if said.reason in UNDECIDED:
        return said.reason
    if said.reason not in UNCHANGED and _meaning(facts.call.vendor, said.reason) is None:
        return UNKNOWN_REASON
    base = facts.base.call.response_id if facts.base is not None else ""
    return OTHER_BASE if said.compared_with != base else ""


def _meaning(vendor: str, reason: str) -> Meaning | None:
    rows = (row for row in MEANINGS if (row.vendor, row.reason) == (vendor, reason))
    return next(rows, None)


def _compare(facts: CallFacts, said: ProviderVerdict) -> list[tuple[str, str]]:
    """Each cause of one call with who named it; nothing where both say that nothing had changed."""
    ours = _our_causes(facts)
    row = _meaning(facts.call.vendor, said.reason)
    if row is None:
        return [(cause, "ours_only") for cause in ours]
    same = [cause for cause, detail in ours.items() if _covers(row, cause, detail)]
    if same:
        return [(cause, "agree" if cause in same else "ours_only") for cause in ours]
    return [(cause, "differ") for cause in ours] or [(row.causes[0], "provider_only")]


def _our_causes(facts: CallFacts) -> dict[str, str]:
    """Cause to detail: those of the misses, and a change behind which nothing repeated was lost."""
    found = {miss.cause: miss.detail for miss in facts.diagnosis.misses}
    if facts.changed:
        found.setdefault(*facts.changed)
    return found


def _covers(row: Meaning, cause: str, detail: str) -> bool:
    if cause not in row.causes:
        return False
    return cause != "parameters_changed" or row.parameter in detail.split(", ")
