"""Anthropic's counts: ``input_tokens`` is the uncached remainder, cache reads and writes stand beside it.

Source: anthropic 2.12.0 ``types/usage.py`` and ``types/beta/beta_usage.py``, 2026-11-23.
"""

from collections.abc import Callable

from touchdown.clients.counts import NEGATIVE, too_much_reasoning
from touchdown.clients.fields import NOTHING, count, get, getter, items, text
from touchdown.clients.fields import whole as number
from touchdown.records import Completeness, ServerStep, Usage

BESIDE_THE_TOTALS = frozenset({"compaction", "advisor_message"})
"""Steps of ``usage.iterations`` whose tokens are not in the top-level counts.

Source: anthropic 2.13.0 ``types/beta/beta_usage.py`` and ``beta_advisor_message_iteration_usage.py``.
"""

CREDIT = "a fallback credit lowered the bill by an amount that is not reported"


def read_usage(usage: object, *, whole: bool = True) -> Usage:
    """Usage of a message; ``whole`` is false for a stream cut short, whose output is a lower bound."""
    if usage is None:
        return Usage()
    of = getter(usage)
    uncached, output = number(of("input_tokens")), number(of("output_tokens"))
    read, written = number(of("cache_read_input_tokens")), _written(of)
    details = of("output_tokens_details")
    reasoning = None if details is None else count(details, "thinking_tokens")
    counts = (uncached or 0, output or 0, read or 0, reasoning or 0)
    if min(*counts, *(written or NOTHING).values()) < 0:
        return Usage(problems=(NEGATIVE,))
    if uncached is None:
        return Usage(output=output, problems=("usage without input tokens",))
    steps = items(of("iterations") or ())
    return Usage(
        uncached=uncached,
        cache_read=read,
        cache_write=written,
        output=output,
        reasoning=reasoning,
        server_tools=_server_tools(of("server_tool_use")),
        completeness=_completeness(output, whole),
        problems=too_much_reasoning(reasoning, output)
        + (_unknown_steps(steps) if steps else ())
        + _credit(of("fallback_credit")),
        steps=_steps(steps) if steps else (),
    )


def _completeness(output: int | None, whole: bool) -> Completeness:
    if output is None:
        return "input_only"
    return "full" if whole else "lower_bound"


def _written(of: Callable[[str], object]) -> dict[str, int] | None:
    total, lives = number(of("cache_creation_input_tokens")), of("cache_creation")
    short = long = 0
    if lives is not None:
        life = getter(lives)
        short = number(life("ephemeral_5m_input_tokens")) or 0
        long = number(life("ephemeral_1h_input_tokens")) or 0
    split = {"5m": short} if short else {}
    if long:
        split["1h"] = long
    if total is None:
        return split or None
    rest = total - short - long
    if rest:
        split["unknown"] = rest
    return split


def _server_tools(used: object) -> dict[str, int] | None:
    if used is None:
        return None
    of = getter(used)
    searches, fetches = of("web_search_requests"), of("web_fetch_requests")
    if not searches and not fetches:
        return None
    counted = {"web_search": number(searches) or 0, "web_fetch": number(fetches) or 0}
    return {name: requests for name, requests in counted.items() if requests} or None


def _steps(steps: list[object]) -> tuple[ServerStep, ...]:
    """The steps of ``usage.iterations`` that the totals leave out; each is billed by its own counts."""
    found = []
    for step in steps:
        kind = text(step, "type")
        if kind in BESIDE_THE_TOTALS:
            found.append(ServerStep(kind, read_usage(step), text(step, "model")))
    return tuple(found)


def _unknown_steps(steps: list[object]) -> tuple[str, ...]:
    kinds = {text(step, "type") for step in steps}
    unknown = sorted(kinds - BESIDE_THE_TOTALS - {"message", ""})
    return tuple(
        f"how a {kind} step of usage.iterations is billed is not known" for kind in unknown
    )


def _credit(credit: object) -> tuple[str, ...]:
    """A redeemed credit lowers the bill to what the retry's model would have cost all along.

    Source: anthropic 2.13.0 ``types/beta/beta_fallback_credit_usage.py``, 2026-11-23: no amount is told.
    """
    if credit is None:
        return ()
    return (CREDIT,) if text(get(credit, "status"), "type") == "redeemed" else ()
