"""What Anthropic says of its cache: ``diagnostics`` in a request, and in its answer.

Source: anthropic 2.13.0 ``types/diagnostics.py``, 2026-11-23.
"""

from collections.abc import Mapping

from touchdown.clients.fields import count, get, has, text
from touchdown.records.provider import NO_DIVERGENCE, PENDING, ProviderVerdict


def compared_with(body: Mapping[str, object]) -> str | None:
    """Id of the message to compare with, empty for a first one; ``None`` when nothing is asked."""
    asked = body.get("diagnostics")
    return text(asked, "previous_message_id") if isinstance(asked, Mapping) else None


def read_verdict(source: object) -> ProviderVerdict | None:
    """The verdict in a message, or in an event of its stream; ``None`` where it has no such field."""
    told = get(source, "diagnostics")
    if told is None:
        return ProviderVerdict(NO_DIVERGENCE) if has(source, "diagnostics") else None
    reason = get(told, "cache_miss_reason")
    return ProviderVerdict(
        text(reason, "type") or PENDING,
        missed_tokens=count(reason, "cache_missed_input_tokens"),
    )


def last_verdict(*sources: object) -> ProviderVerdict | None:
    """The last one that was told in these parts of a stream."""
    told = [verdict for source in sources if (verdict := read_verdict(source)) is not None]
    return told[-1] if told else None
