"""Mooncake traces: rows become calls of one session, conversations are told apart by their blocks."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.sessions.reading import read_all, read_one
from touchdown.prices.book import PriceBook

BLOCK = 512


def row(at_ms: float, *blocks: object, **more: Any) -> dict[str, Any]:
    """A row as published: its last block is not full."""
    total = BLOCK * len(blocks) - 100
    return {
        "timestamp": at_ms,
        "input_length": total,
        "output_length": 52,
        "hash_ids": blocks,
        **more,
    }


def write(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(one) + "\n" for one in rows))
    return path


TRACE = (
    row(0, 46, 47, 48, 2353),
    row(3000, 46, 47, 48, 2354),
    row(9000, 46, 47, 48, 2353, 2355, 2356),
    row(12_000, 7, 8),
)


def test_a_block_is_read_when_its_prefix_was_sent_before(tmp_path: Path) -> None:
    read = read_one(write(tmp_path / "a.jsonl", *TRACE))
    sent: set[tuple[int, ...]] = set()
    expected = []
    for one in TRACE:
        prefixes = [one["hash_ids"][: n + 1] for n in range(len(one["hash_ids"]))]
        expected.append(BLOCK * sum(prefix in sent for prefix in prefixes))
        sent.update(prefixes)
    assert [call.usage.cache_read for call in read.calls] == expected == [0, 1536, 2048, 0]
    assert [call.usage.input_tokens for call in read.calls] == [r["input_length"] for r in TRACE]
    assert [call.sent_at_ns - read.calls[0].sent_at_ns for call in read.calls] == [
        0, 3 * 10**9, 9 * 10**9, 12 * 10**9,
    ]  # fmt: skip


def test_a_conversation_goes_on_where_all_of_its_whole_blocks_are_repeated(tmp_path: Path) -> None:
    calls = read_one(write(tmp_path / "a.jsonl", *TRACE)).calls
    agents = [call.agent_id for call in calls]
    assert agents == ["a", "a", "a", "a/2"]
    beside = read_one(
        write(tmp_path / "b.jsonl", row(0, 1, 2, 3), row(1, 1, 2, 9), row(2, 1, 4, 5))
    )
    assert [call.agent_id for call in beside.calls] == ["b", "b", "b/2"]


def test_the_ledger_conserves_and_says_that_no_model_is_named(tmp_path: Path) -> None:
    account = read_one(write(tmp_path / "a.jsonl", *TRACE)).account(PriceBook())
    assert (account.money.total_usd, account.money.complete) == (0, False)
    assert account.model_calls == 4
    named = [one | {"model": "claude-sonnet-4-5"} for one in TRACE]
    money = read_one(write(tmp_path / "b.jsonl", *named)).account(PriceBook()).money
    parts = money.work_usd + sum(money.taxes.values(), Decimal(0)) + money.unexplained_usd
    assert parts == money.total_usd > 0
    assert money.complete


def test_rows_with_a_session_are_sessions_of_their_own(tmp_path: Path) -> None:
    rows = (
        row(0, 1, 2, session_id="x"),
        row(10, 1, 2, session_id=5),
        {"input_tokens": BLOCK * 3, "output_tokens": 4, "hash_ids": [1, 2, 3], "session_id": "x",
         "delay": 250.5},
    )  # fmt: skip
    found, problems = read_all(write(tmp_path / "a.jsonl", *rows))
    assert problems == []
    by_id = {session.session.id: session for session in found}
    assert by_id.keys() == {"x", "5"}
    first, second = by_id["x"].calls
    assert (second.usage.cache_read, second.usage.output) == (BLOCK * 2, 4)
    assert second.sent_at_ns - first.sent_at_ns == 250_500_000
    assert first.agent_id == second.agent_id
    assert by_id["5"].calls[0].usage.cache_read == 0


@pytest.mark.parametrize("size", [16, 64, 512])
def test_the_size_of_a_block_is_the_one_that_most_rows_fit(tmp_path: Path, size: int) -> None:
    rows = [
        {"timestamp": n, "input_length": size * (50 + n) - 3, "output_length": 1,
         "hash_ids": [f"{k:016x}" for k in range(50 + n)]}
        for n in range(5)
    ]  # fmt: skip
    calls = read_one(write(tmp_path / "a.jsonl", *rows)).calls
    # The last block of a prompt is cut off at its end.
    assert [call.usage.cache_read for call in calls] == [0, *(size * (49 + n) for n in range(1, 5))]


def test_broken_rows_are_left_out(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", TRACE[0], {"hash_ids": "x"}, TRACE[1])
    with path.open("a") as file:
        file.write('{"hash_ids": [1, 2')
    found, problems = read_all(path)
    assert [len(session.calls) for session in found] == [2]
    assert ["a.jsonl:2: no request" in problems[0], "cut short" in problems[1]] == [True, True]
