"""What a call cost by genai-prices, asked directly."""

from datetime import datetime, timezone
from decimal import Decimal

import genai_prices

from tests.recordings.expected import Call

STANDARD = ("standard", "default", "auto", None)
US_INFERENCE = Decimal("1.1")
"""What Anthropic asks for inference in the US; genai-prices has no factor for it.

Source: https://platform.claude.com/docs/en/manage-claude/data-residency, 2026-11-23.
"""


def asked_directly(call: Call, sent_at_ns: int) -> Decimal | None:
    """The whole cost of the provider's counts, under the terms of its answer; ``None``: not listed."""
    counts = call.counts
    written = counts["cache_write"] or {}
    known = {
        "input_tokens": counts["uncached"] + (counts["cache_read"] or 0) + sum(written.values()),
        "cache_read_tokens": counts["cache_read"],
        "cache_write_tokens": sum(written.values()),
        "cache_write_5m_tokens": written.get("5m"),
        "cache_write_1h_tokens": written.get("1h"),
        "output_tokens": counts["output"],
        "web_searches": call.server_tools.get("web_search"),
        "storage_searches": call.server_tools.get("file_search"),
    }
    context = _price_context(call)
    try:
        price = genai_prices.calc_price(
            genai_prices.Usage(**{name: number for name, number in known.items() if number}),
            call.answer.get("model") or call.request.body["model"],
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
