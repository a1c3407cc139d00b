"""What a call cost by genai-prices, asked directly."""

from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

import genai_prices

from tests.recordings.expected import Call

STANDARD = ("standard", "default", "auto", None)
US_INFERENCE = Decimal("1.1")
"""What Anthropic asks for inference in the US; genai-prices has no factor for it.

Source: https://platform.claude.com/docs/en/manage-claude/data-residency, 2026-11-23.
"""


def asked_directly(call: Call, sent_at_ns: int) -> Decimal | None:
    """The whole cost of the provider's counts, under the terms of its answer; ``None``: not listed."""
    whole = _price(call, {**call.counts, "tools": call.server_tools}, None, sent_at_ns)
    steps = [
        _price(call, _counts_of(step), step.get("model"), sent_at_ns) for step in _beside(call)
    ]
    return None if whole is None else whole + sum((cost for cost in steps if cost), whole * 0)


def _beside(call: Call) -> list[dict[str, Any]]:
    """What the provider did inside the call and leaves out of its counts."""
    steps = call.usage.get("iterations") or []
    return [step for step in steps if step["type"] in ("compaction", "advisor_message")]


def _counts_of(step: dict[str, Any]) -> dict[str, Any]:
    lives = {"5m": "ephemeral_5m_input_tokens", "1h": "ephemeral_1h_input_tokens"}
    return {
        "uncached": step["input_tokens"],
        "cache_read": step["cache_read_input_tokens"],
        "cache_write": {life: step["cache_creation"][name] for life, name in lives.items()},
        "output": step["output_tokens"],
    }


def _price(
    call: Call, counts: dict[str, Any], model: str | None, sent_at_ns: int
) -> Decimal | None:
    written = counts["cache_write"] or {}
    tools = counts.get("tools", {})
    known = {
        "input_tokens": counts["uncached"] + (counts["cache_read"] or 0) + sum(written.values()),
        "cache_read_tokens": counts["cache_read"],
        "cache_write_tokens": sum(written.values()),
        "cache_write_5m_tokens": written.get("5m"),
        "cache_write_1h_tokens": written.get("1h"),
        "output_tokens": counts["output"],
        "web_searches": tools.get("web_search"),
        "storage_searches": tools.get("file_search"),
    }
    context = _price_context(call)
    try:
        price = genai_prices.calc_price(
            genai_prices.Usage(**{name: number for name, number in known.items() if number}),
            model or call.answer.get("model") or call.request.body["model"],
            provider_id=call.request.vendor,
            genai_request_timestamp=datetime.fromtimestamp(sent_at_ns // 10**9, timezone.utc),
            **({"price_context": context} if context else {}),
        )
    except LookupError:
        return None
    in_us = call.usage.get("inference_geo") == "us"
    return price.total_price * US_INFERENCE if in_us else price.total_price


def _price_context(call: Call) -> dict[str, str]:
    told = {
        "service_tier": call.usage.get("service_tier") or call.answer.get("service_tier"),
        "speed": call.usage.get("speed"),
    }
    return {name: value for name, value in told.items() if value not in STANDARD}
