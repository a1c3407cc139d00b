"""How an OpenAI request asks for caching, its mode, breakpoints and lives, and the verdict in the answer."""

from collections.abc import Mapping

from touchdown.clients.fields import count, get, text
from touchdown.context.growing import LastRequest
from touchdown.integration import Block
from touchdown.records.provider import ProviderVerdict

MARKER = "prompt_cache_breakpoint"
DEFAULT_LIFE = "30m"
"""Source: https://developers.openai.com/api/docs/guides/prompt-caching, 2026-11."""


def mark_breakpoints(blocks: list[Block], body: Mapping[str, object]) -> list[Block]:
    """The same blocks; each one's breakpoint is told apart from what the model reads."""
    for block in blocks:
        if not isinstance(block.content, dict) or block.content.get(MARKER) is None:
            continue
        marker = block.content[MARKER]
        usual = text(body.get("prompt_cache_options"), "ttl") or DEFAULT_LIFE
        block.cache_life = text(marker, "ttl") or usual
        block.content = {key: part for key, part in block.content.items() if key != MARKER}
    return blocks


def caching_of(body: Mapping[str, object], read: LastRequest) -> str:
    """``implicit`` unless the request switches that off; ``off`` when it then sets no breakpoint."""
    if text(body.get("prompt_cache_options"), "mode") != "explicit":
        return "implicit"
    marked = read.marked or any(block.cache_life for block in read.first)
    return "explicit" if marked else "off"


def compared_with(body: Mapping[str, object]) -> str | None:
    """Id of the response to compare with; ``None`` when nothing is asked."""
    return text(body.get("prompt_cache_options"), "comparison_response_id") or None


def read_verdict(answer: object) -> ProviderVerdict | None:
    """What a response says of the cache; ``None`` when it says nothing.

    Source: openai 3.57.0 ``types/responses/response.py``, 2026-11-23.
    """
    told = get(answer, "prompt_cache_diagnostics")
    reason = text(told, "reason") or text(told, "type")
    if not reason:
        return None
    return ProviderVerdict(
        reason,
        missed_tokens=count(told, "cache_missed_tokens"),
        reusable_tokens=count(told, "comparison_reusable_tokens"),
    )
