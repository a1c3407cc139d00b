"""Tokens by class, the prefix cache, and the make-up of the largest context."""

from touchdown.accounting.account import CacheTotals, ContextTotals, TaskAccount, UsageTotals
from touchdown.report.agreement import agreement_lines
from touchdown.report.format import UNKNOWN, count, percent
from touchdown.report.layout import Line, labelled, table
from touchdown.report.text import clean

MOST_KINDS = 6


def token_lines(account: TaskAccount, width: int) -> list[Line]:
    """What was read and written, in tokens, and how much of it came from the cache."""
    if not account.model_calls:
        return []
    body = table(("tokens", "", ""), _classes(account.usage), width)
    return [
        *body,
        *_cache(account.cache, width),
        *agreement_lines(account.cache.agreement, width),
        *_context(account.context, width),
    ]


def input_tokens(usage: UsageTotals) -> int | None:
    """The whole input as far as it was reported; ``None`` when no class of it was."""
    written = None if usage.cache_write is None else sum(usage.cache_write.values())
    known = [part for part in (usage.uncached_input, usage.cache_read, written) if part is not None]
    return sum(known) if known else None


def hit_share(usage: UsageTotals) -> str:
    """The share of the input that was read from the cache; ``unknown`` when reads were not reported."""
    whole = input_tokens(usage)
    return (
        UNKNOWN if usage.cache_read is None or whole is None else percent(usage.cache_read, whole)
    )


def _classes(usage: UsageTotals) -> list[tuple[str, str, str]]:
    whole = input_tokens(usage)

    def row(name: str, tokens: int | None) -> tuple[str, str, str]:
        share = f"{percent(tokens, whole)} of input" if tokens is not None and whole else ""
        return name, count(tokens), share

    writes = usage.cache_write
    written = (
        [row("cache write", None)]
        if writes is None
        else [row(f"cache write, {clean(life)}", tokens) for life, tokens in writes.items()]
    )
    reasoning = f"{count(usage.reasoning)} reasoning" if usage.reasoning else ""
    return [
        row("uncached input", usage.uncached_input),
        row("cache read", usage.cache_read),
        *written,
        ("output", count(usage.output), reasoning),
    ]


def _cache(cache: CacheTotals, width: int) -> list[Line]:
    if not cache.reusable:
        return []
    told = (
        f"{count(cache.reusable)} tokens had been sent before: {percent(cache.read, cache.reusable)}"
        f" read from the cache, {count(cache.missed)} missed"
    )
    return labelled("cache:", told, width)


def _context(context: ContextTotals, width: int) -> list[Line]:
    if context.peak_tokens is None:
        return []
    kinds = sorted(context.by_kind.items(), key=lambda item: (-item[1], item[0]))
    parts = [
        f"{clean(kind)} {percent(n, context.peak_tokens)}" for kind, n in kinds[:MOST_KINDS] if n
    ]
    made_of = f", about {', '.join(parts)}" if parts else ""
    return labelled("largest context:", f"{count(context.peak_tokens)} tokens{made_of}", width)
