"""OpenAI's counts, where the input includes what was read from and written to the cache, made disjoint.

Source: openai 3.54.0 ``types/completion_usage.py`` and ``types/responses/response_usage.py``, 2026-11-23.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal

from touchdown.clients.counts import NEGATIVE, too_much_reasoning
from touchdown.clients.fields import NOTHING, count, dollars, get, getter, whole
from touchdown.records import Completeness, Usage


def read_usage(usage: object, server_tools: Mapping[str, int] | None = None) -> Usage:
    """Usage of a chat completion (``prompt_tokens``), a response (``input_tokens``) or an embedding."""
    if usage is None:
        return Usage()
    of = getter(usage)
    total_input = whole(_either(of, "input_tokens", "prompt_tokens"))
    output = whole(_either(of, "output_tokens", "completion_tokens"))
    details = getter(_either(of, "input_tokens_details", "prompt_tokens_details"))
    answered = _either(of, "output_tokens_details", "completion_tokens_details")
    read, written = whole(details("cached_tokens")), _written(details)
    reasoning = count(answered, "reasoning_tokens")
    counts = (total_input or 0, output or 0, read or 0, reasoning or 0)
    if min(*counts, *(written or NOTHING).values()) < 0:
        return Usage(problems=(NEGATIVE,))
    if total_input is None:
        return Usage(output=output, problems=("usage without input tokens",))
    cached = sum((written or {}).values())
    uncached = total_input - (read or 0) - cached
    if uncached < 0:
        of_input = f"{read or 0} read + {cached} written of {total_input} input tokens"
        return Usage(output=output, problems=(f"contradictory usage: {of_input}",))
    completeness: Completeness = "full" if output is not None else "input_only"
    return Usage(
        uncached=uncached,
        cache_read=read,
        cache_write=written,
        output=output,
        reasoning=reasoning,
        server_tools=server_tools or None,
        completeness=completeness,
        problems=too_much_reasoning(reasoning, output),
    )


def reported_cost(usage: object) -> Decimal | None:
    """What a gateway says it charged (OpenRouter's ``usage.cost``)."""
    return dollars(get(usage, "cost"))


def _either(of: Callable[[str], object], name: str, other: str) -> object:
    value = of(name)
    return of(other) if value is None else value


def _written(of: Callable[[str], object]) -> dict[str, int] | None:
    total = whole(of("cache_write_tokens"))
    if total is None:
        return None
    lives = of("cache_write_tokens_details")
    split = {"30m": count(lives, "ttl_30m_tokens") or 0, "12h": count(lives, "ttl_12h_tokens") or 0}
    split = {life: tokens for life, tokens in split.items() if tokens}
    rest = total - sum(split.values())
    if rest:
        split["unknown"] = rest
    return split
