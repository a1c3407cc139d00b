"""Accounts inside work: parts of it that bought something of their own, named beside the rest."""

from decimal import Decimal

from touchdown.records import CostByClass, ModelCall

SERVER_TOOLS = "server_tools"
"""Fees for requests to the provider's own tools, beside the tokens they cost."""
PREWARM = "prewarm"
"""Calls that only write the prompt to the cache.

Source: https://platform.claude.com/docs/en/build-with-claude/prompt-caching (``max_tokens: 0``) and openai
3.57.0 ``types/responses/response_create_params.py`` (``prompt_cache_options.prewarm``), 2026-11.
"""


def parts_of_work(call: ModelCall, cost: CostByClass | None, work: Decimal) -> dict[str, Decimal]:
    """What of this call's work has an account of its own; never more than the work itself."""
    if work <= 0:
        return {}
    if is_prewarm(call):
        return {PREWARM: work}
    fees = min(cost.server_tools, work) if cost is not None else Decimal(0)
    return {SERVER_TOOLS: fees} if fees > 0 else {}


def is_prewarm(call: ModelCall) -> bool:
    """Whether the request asks for no answer."""
    return call.request.get("max_tokens") == 0 or call.request.get("prewarm") is True
