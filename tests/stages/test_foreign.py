"""Spans that the real instrumentations of others make of the same calls: the same usage and cost as ours.

Each runs in its own environment, against a fresh loopback provider. What differs stands in a table below,
with the reason; nothing else may.
"""

import os
import subprocess
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest

from tests.sessions.reading import read_all
from tests.stages.foreign_agent import ask_anthropic, ask_openai
from touchdown.live.journal import read_journal
from touchdown.prices.book import PriceBook
from touchdown.records import CostByClass, ModelCall
from touchdown.testing import Provider, Reply, ToolUse, capture

pytestmark = pytest.mark.stage_foreign

ENVIRONMENTS = {
    "genai": "FOREIGN_PYTHON",
    "openinference": "FOREIGN_PYTHON",
    "logfire": "FOREIGN_PYTHON",
    "anthropic-sdk": "FOREIGN_PYTHON",
    "openllmetry": "OPENLLMETRY_PYTHON",
}
LIST_FILES = [ToolUse("list_files", {"folder": "."})]
SCRIPT = (
    Reply("Looking.", LIST_FILES),
    Reply("Again.", LIST_FILES),
    "Streamed answer.",
    "Response.",
    "Streamed response.",
    Reply("I look.", LIST_FILES),
    "a.py and b.py.",
    "Both of them.",
)
FIELDS = ("uncached", "cache_read", "cache_write", "output", "reasoning")

ZERO = "a count of 0 is left out"
LIFE = "the life of a cache write is not told; the provider's default is assumed, and said to be"
WRITES = "cache writes of OpenAI are not told"
REASONING = "reasoning tokens of a chat stream are not told"
ADDED = "the output of a stream is the last count and the placeholder of its first event together"
ALWAYS = "0 is told where the answer holds no count"

EXPLAINED: dict[str, dict[str, str]] = {
    "genai": {
        "cache_read 0 -> None": ZERO,
        "cache_write {} -> None": ZERO,
        "reasoning 0 -> None": ZERO,
        "cache_write {'5m': 10212} -> {'unknown': 10212}": LIFE,
    },
    "openinference": {},
    "logfire": {},
    "anthropic-sdk": {},
    "openllmetry": {
        "cache_read None -> 0": ALWAYS,
        "cache_write {} -> None": WRITES,
        "cache_write {'5m': 10212} -> {'unknown': 10212}": LIFE,
        "reasoning 0 -> None": REASONING,
        "output 5 -> 6": ADDED,
    },
}
"""By package: what it says otherwise, as ``field ours -> theirs``, and why."""


@dataclass(frozen=True)
class Differences:
    """What one package says otherwise than we do."""

    found: set[str]
    costs: list[tuple[Decimal, Decimal]]


@pytest.fixture(scope="module")
def ours() -> list[ModelCall]:
    with Provider(SCRIPT) as provider, capture() as seen:
        ask_openai(provider.url)
        ask_anthropic(provider.url)
        return in_order(seen.calls)


def in_order(calls: list[ModelCall]) -> list[ModelCall]:
    return sorted(calls, key=lambda call: call.sent_at_ns)


def run(name: str, how: str, path: Path) -> None:
    python = os.environ[ENVIRONMENTS[name]]
    mine = ("OTEL_", "TOUCHDOWN_", "OPENAI_", "ANTHROPIC_", "PYTHON", "LOGFIRE_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(mine)}
    script = str(Path(__file__).with_name("foreign_agent.py"))
    with Provider(SCRIPT) as provider:
        done = subprocess.run(
            [python, script, name, how, provider.url, str(path)],
            env=kept,
            cwd=path.parent,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    assert done.returncode == 0, done.stderr


def priced(call: ModelCall) -> Decimal:
    cost = PriceBook().price(call)
    assert isinstance(cost, CostByClass), cost
    return cost.total


def compare(mine: list[ModelCall], theirs: list[ModelCall]) -> Differences:
    """The calls one by one; those they do not trace (another SDK's) are left out on our side, too."""
    providers = {call.provider for call in theirs}
    mine = [call for call in mine if call.provider in providers]
    assert [call.priced_model for call in theirs] == [call.priced_model for call in mine]
    found = set()
    for own, other in zip(mine, theirs, strict=True):
        assert (other.operation, other.usage.completeness) == (own.operation, "full")
        assert other.response_id in (own.response_id, "")
        for field in FIELDS:
            said, told = getattr(own.usage, field), getattr(other.usage, field)
            if said != told:
                found.add(f"{field} {said} -> {told}")
    return Differences(found, [(priced(a), priced(b)) for a, b in zip(mine, theirs, strict=True)])


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_their_spans_give_our_usage_and_cost(
    name: str, tmp_path: Path, ours: list[ModelCall]
) -> None:
    run(name, "spans", tmp_path / "spans")
    sessions, problems = read_all(tmp_path / "spans")
    assert problems == []
    check(name, ours, in_order([call for one in sessions for call in one.calls]))


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_their_live_spans_reach_the_ledger(
    name: str, tmp_path: Path, ours: list[ModelCall]
) -> None:
    run(name, "live", tmp_path / "journal")
    check(name, ours, journal_calls(tmp_path / "journal"))


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_a_call_that_they_and_we_see_is_counted_once(
    name: str, tmp_path: Path, ours: list[ModelCall]
) -> None:
    run(name, "both", tmp_path / "journal")
    both = journal_calls(tmp_path / "journal")
    assert [call.response_id for call in both] == [call.response_id for call in ours]
    assert [call.usage for call in both] == [call.usage for call in ours]
    assert not {call.id for call in both} & {call.span_id for call in both}


def journal_calls(path: Path) -> list[ModelCall]:
    return in_order([one for one in read_journal(path) if isinstance(one, ModelCall)])


def check(name: str, ours: list[ModelCall], theirs: list[ModelCall]) -> None:
    """The usage is ours but for what the table says, and so is the cost of every call but one there."""
    seen = compare(ours, theirs)
    assert seen.found == EXPLAINED[name].keys()
    differing = [(mine, other) for mine, other in seen.costs if mine != other]
    assert len(differing) == (ADDED in EXPLAINED[name].values())
