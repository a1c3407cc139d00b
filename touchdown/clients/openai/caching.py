"""How an OpenAI request asks for caching: its mode, its breakpoints and how long they live."""

from collections.abc import Mapping, Sequence

from touchdown.clients.fields import get, text
from touchdown.integration import Block

MARKER = "prompt_cache_breakpoint"
DEFAULT_LIFE = "30m"
"""Source: https://developers.openai.com/api/docs/guides/prompt-caching, 2026-11."""


def mark_breakpoints(blocks: Sequence[Block], body: Mapping[str, object]) -> None:
    """Tell each block's breakpoint apart from what the model reads."""
    usual = text(body.get("prompt_cache_options"), "ttl") or DEFAULT_LIFE
    for block in blocks:
        marker = get(block.content, MARKER)
        if marker is None or not isinstance(block.content, dict):
            continue
        block.cache_life = text(marker, "ttl") or usual
        block.content = {key: part for key, part in block.content.items() if key != MARKER}


def caching_of(body: Mapping[str, object], blocks: Sequence[Block]) -> str:
    """``implicit`` unless the request switches that off; ``off`` when it then sets no breakpoint."""
    if text(body.get("prompt_cache_options"), "mode") != "explicit":
        return "implicit"
    return "explicit" if any(block.cache_life for block in blocks) else "off"
