"""Where ccusage's total of a Claude Code folder and ours come apart: each rule of its own with its figures.

The figures of ccusage are what ccusage 20.0.24 printed (``ccusage claude daily --json --offline``,
2026-11-25) for these forms of one transcript; ``benchmarks/analyze.py`` runs it again beside ours.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.sessions.reading import read_one
from tests.shared_data import shared_data
from touchdown.prices.book import PriceBook

Lines = list[dict[str, Any]]


@dataclass(frozen=True)
class Total:
    """Tokens by class, and US dollars."""

    uncached: int
    written: int
    read: int
    output: int
    usd: str


def as_it_is(lines: Lines) -> Lines:
    return lines


def with_request_ids(lines: Lines) -> Lines:
    """As Claude Code writes them itself: the sanitised file lost them."""
    for line in lines:
        if line["type"] == "assistant":
            line["requestId"] = f"req_{line['message']['id']}"
    return lines


def unknown_model(lines: Lines) -> Lines:
    for line in with_request_ids(lines):
        if line["type"] == "assistant":
            line["message"]["model"] = "claude-nine"
    return lines


def placeholders(lines: Lines) -> Lines:
    """All but the last line of a message hold an output of 1, as older builds wrote them."""
    last = {line["message"]["id"]: n for n, line in enumerate(lines) if line["type"] == "assistant"}
    for number, line in enumerate(with_request_ids(lines)):
        if line["type"] == "assistant" and number != last[line["message"]["id"]]:
            line["message"]["usage"]["output_tokens"] = 1
    return lines


OURS = Total(3039, 21086, 394068, 9423, "0.5795915")
EVERY_LINE = Total(11997, 54630, 953052, 26659, "1.5444235")
NOTHING = Total(0, 0, 0, 0, "0")


@dataclass(frozen=True)
class Form:
    """A form of the real transcript, both totals for it, and the rule that parts them."""

    change: Callable[[Lines], Lines]
    ccusage: Total
    ours: Total
    rule: str
    separators: tuple[str, str] = (",", ":")


FORMS = {
    "as written": Form(with_request_ids, OURS, OURS, "none: each message counts once"),
    "placeholders": Form(placeholders, OURS, OURS, "none: the last usage of a message holds"),
    "no requestId": Form(as_it_is, EVERY_LINE, OURS, "ccusage counts each line of a message"),
    "spaces": Form(with_request_ids, NOTHING, OURS, "ccusage finds usage by bytes", (", ", ": ")),
    "unknown model": Form(
        unknown_model,
        replace(OURS, usd="0"),
        replace(OURS, usd="0"),
        "none: neither guesses a price",
    ),
}


@pytest.fixture
def lines() -> Lines:
    path = shared_data("transcripts", "claude-code-session.jsonl")
    return [json.loads(line) for line in path.read_text().splitlines()]


def ours(path: Path) -> Total:
    account = read_one(path).account(PriceBook())
    usage = account.usage
    written = sum((usage.cache_write or {}).values())
    counts = (usage.uncached_input, written, usage.cache_read, usage.output)
    return Total(*(tokens or 0 for tokens in counts), str(account.money.total_usd.normalize()))


@pytest.mark.parametrize("name", FORMS)
def test_ours_and_where_it_parts_from_ccusage(tmp_path: Path, lines: Lines, name: str) -> None:
    form = FORMS[name]
    path = tmp_path / "2f8b1c4d-6a73-4e9b-91c0-5d7f3a8e2b46.jsonl"
    changed = form.change(lines)
    path.write_text("".join(json.dumps(x, separators=form.separators) + "\n" for x in changed))
    found = ours(path)
    assert found == form.ours
    assert (found == form.ccusage) == form.rule.startswith("none")


def test_ccusage_s_total_without_request_ids_is_every_line_s(lines: Lines) -> None:
    used = [line["message"]["usage"] for line in lines if line["type"] == "assistant"]
    names = (
        "input_tokens",
        "cache_creation_input_tokens",
        "cache_read_input_tokens",
        "output_tokens",
    )
    uncached, written, read, output = (sum(usage[name] for usage in used) for name in names)
    # Opus 4.8: 5 in, 25 out, 6.25 written for five minutes, 0.50 read, in dollars a million.
    usd = uncached * 5 + output * 25 + Decimal(written) * 25 / 4 + Decimal(read) / 2
    assert Total(uncached, written, read, output, str((usd / 10**6).normalize())) == EVERY_LINE


def test_an_unknown_model_leaves_our_total_incomplete(tmp_path: Path, lines: Lines) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in unknown_model(lines)))
    money = read_one(path).account(PriceBook()).money
    assert (money.total_usd, money.complete) == (0, False)
