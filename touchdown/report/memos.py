"""Memos in words: figures that stand beside the bill and overlap it."""

from collections.abc import Mapping
from decimal import Decimal

from touchdown.report.format import usd
from touchdown.report.layout import Line, labelled
from touchdown.report.text import clean, cut

MOST_LINES = 6

WORDS = {
    "settled_usd": "when its spans were sent the total was {}",
    "table_usd": "by the price table {}",
    "pending_usd": "cache writes that may yet be read {}",
    "compaction_saved_usd": "compaction saved {}",
    "compaction_net_usd": "less what it cost {}",
    "oversized_model_usd": "the cheaper model of your policy would have saved {}",
    "provider_margin_usd": "other sellers of the same model list {} less",
    "spent_on_useless_usd": "spent on a useless task {}",
}
"""How each memo is told; one without words is told by its name."""

UNTOLD = "cost_at_"
"""Which seller it is, and what the calls would have cost there, is left to the JSON report."""


def memo_lines(memo: Mapping[str, Decimal | None], width: int) -> list[Line]:
    """What stands beside the bill; nothing where there is nothing to tell."""
    told = [words for name, amount in memo.items() if (words := _told(name, amount))]
    if not told:
        return []
    text = f"{'; '.join(told)} (not in the sum)"
    return labelled("beside the bill:", text, width, "faint", most=MOST_LINES)


def _told(name: str, amount: Decimal | None) -> str:
    if amount == 0 or name.startswith(UNTOLD):
        return ""
    words = WORDS.get(name) or f"{cut(clean(name.removesuffix('_usd')), 40)} {{}}"
    return words.replace("{}", usd(amount))
