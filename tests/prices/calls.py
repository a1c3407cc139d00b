"""Calls to be priced, written in one line."""

from datetime import datetime, timezone
from typing import Any

from touchdown.prices import PriceBook
from touchdown.prices.matching import find_exact, provider_named
from touchdown.prices.schedule import ns_since_epoch
from touchdown.records import ContextShape, ModelCall, Usage

HOSTS = {"anthropic": "api.anthropic.com", "openai": "api.openai.com"}
LATELY = "2026-11-20"


def is_listed(vendor: str, model: str) -> bool:
    """Whether the installed book knows this model: on Python 3.10 it is an older one."""
    provider = provider_named(vendor, PriceBook().volume.providers)
    return provider is not None and find_exact(provider, model) is not None


def ns(day: str) -> int:
    return ns_since_epoch(datetime.fromisoformat(day).replace(tzinfo=timezone.utc))


def usage(**counts: Any) -> Usage:
    return Usage(**{"completeness": "full", **counts})


def make_call(model: str, vendor: str = "anthropic", **given: Any) -> ModelCall:
    """A call of ``vendor``'s SDK to its own host, lately, unless said otherwise."""
    fields: dict[str, Any] = {
        "id": "call-1",
        "task_id": "task-1",
        "agent_id": "agent-1",
        "api": "messages" if vendor == "anthropic" else "responses",
        "operation": "chat",
        "provider": vendor,
        "vendor": vendor,
        "host": HOSTS.get(vendor, ""),
        "sent_at_ns": ns(given.pop("day", LATELY)),
        "duration_ns": 1,
        "usage": usage(uncached=1000, output=100),
        "context": ContextShape(),
        "model": model,
    }
    return ModelCall(**{**fields, **given})
