"""Token counts of a model span, made disjoint: the provider's own counts where they are at hand."""

from collections.abc import Mapping
from typing import Any

from touchdown.clients.anthropic.usage import read_usage as read_anthropic
from touchdown.clients.counts import NEGATIVE, known, too_much_reasoning
from touchdown.clients.openai.usage import read_usage as read_openai
from touchdown.records import Completeness, Usage
from touchdown.telemetry.foreign.dialect import Dialect
from touchdown.telemetry.foreign.values import Values

NO_USAGE = "the span reports no usage"


def read_usage(dialect: Dialect, values: Values, vendor: str, operation: str, cut: bool) -> Usage:
    """The counts of one model call; ``cut`` when it did not end well: its output is a lower bound."""
    raw = _provider_counts(values, vendor, operation)
    if raw is not None and raw.completeness == "full" and not cut:
        return raw
    total, output = values.count("input"), values.count("output")
    if operation == "embeddings" and total is not None:
        output = 0  # nothing is generated
    read, written, reasoning = (
        values.count("cache_read"),
        _written(values),
        values.count("reasoning"),
    )
    if total is None:
        problem = "usage without input tokens" if output is not None else NO_USAGE
        return Usage(output=output, problems=(*values.problems, problem))
    cached = (read or 0) + sum((written or {}).values())
    uncached = total - cached if dialect.input_includes_cache else total
    if min(total, *known(output, read, reasoning), *(written or {}).values()) < 0:
        return Usage(problems=(NEGATIVE,))
    if uncached < 0:
        problem = f"contradictory usage: {cached} cached of {total} input tokens"
        return Usage(output=output, problems=(problem,))
    return Usage(
        uncached=uncached,
        cache_read=read,
        cache_write=written,
        output=output,
        reasoning=reasoning,
        completeness=_completeness(output, cut),
        problems=(*values.problems, *too_much_reasoning(reasoning, output)),
    )


def _completeness(output: int | None, cut: bool) -> Completeness:
    if output is None:
        return "input_only"
    return "lower_bound" if cut else "full"


def _written(values: Values) -> dict[str, int] | None:
    total = values.count("cache_write")
    split = {"5m": values.count("written_5m") or 0, "1h": values.count("written_1h") or 0}
    split = {life: tokens for life, tokens in split.items() if tokens}
    if total is None:
        return split or None
    rest = total - sum(split.values())
    return split if rest == 0 else {**split, "unknown": rest}


def _provider_counts(values: Values, vendor: str, operation: str) -> Usage | None:
    """The usage object of the provider's own answer, where the span carries it."""
    found: Any = values.json("usage_json")
    if not isinstance(found, Mapping):
        answer = values.json("answer_json")
        found = answer.get("usage") if isinstance(answer, Mapping) else None
    if not isinstance(found, dict):
        return None
    if vendor == "anthropic":
        return read_anthropic(found)
    if vendor == "openai":
        return read_openai(
            {**found, "completion_tokens": 0} if operation == "embeddings" else found
        )
    return None
