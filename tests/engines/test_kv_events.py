"""Cache events: as vLLM and SGLang published them, their older form, and what the log makes of them."""

import json
from typing import Any

import msgspec
import pytest

from tests.engines.captured import text_of
from touchdown.engines.kv.events import Removed, Stored, read_batch
from touchdown.engines.kv.log import MOST_BLOCKS, Again, CacheLog

encode = msgspec.msgpack.encode

STORED: dict[str, Any] = {
    "type": "BlockStored",
    "block_hashes": [7848233078281172166, b"\x01" * 32],
    "parent_block_hash": None,
    "token_ids": list(range(64)),
    "block_size": 32,
    "lora_id": None,
    "medium": "GPU",
    "lora_name": None,
    "extra_keys": [None, ["salt"]],
    "group_idx": 0,
    "kv_cache_spec_kind": "full_attention",
    "session_id": "task-1",
}
REMOVED = {"type": "BlockRemoved", "block_hashes": [-5], "medium": "GPU", "group_idx": 0}


def batch(*events: Any, at_s: float = 1.5, rank: int | None = 0) -> bytes:
    return encode([at_s, list(events), rank])


@pytest.mark.parametrize(("engine", "block"), [("vllm", 32), ("sglang", 1)])
def test_recorded_batches_are_read(engine: str, block: int) -> None:
    rows = [line for line in text_of(engine, "kv-events.txt").splitlines() if line.strip()]
    read = 0
    for line in rows:
        try:
            _, _, content = json.loads(line)
        except json.JSONDecodeError:
            continue  # the recording cut long lines
        found = read_batch(encode(content))
        assert found.at_ns == round(content[0] * 1e9)
        for event, told in zip(found.events, content[1], strict=True):
            assert isinstance(event, Stored)
            assert event == Stored(told["block_hashes"], block, "")
            read += 1
    assert read > 0


def test_the_form_of_today_a_map_with_a_type() -> None:
    found = read_batch(batch(STORED, REMOVED, {"type": "AllBlocksCleared"}))
    assert found.at_ns == 1_500_000_000
    assert found.events == [
        Stored([7848233078281172166, b"\x01" * 32], 32, "task-1"),
        Removed([-5]),
        Removed(None),
    ]


def test_the_older_form_an_array() -> None:
    """vLLM before it told groups and sessions, TokenSpeed: with a tier of memory and without."""
    rows: list[Any] = [
        ["BlockStored", [1, 2], None, [0] * 32, 16, None, "GPU"],
        ["BlockStored", [3], 2, [0] * 16, 16],
        ["BlockRemoved", [1], "GPU"],
        ["BlockRemoved", [2]],
        ["AllBlocksCleared"],
    ]
    assert read_batch(batch(*rows)).events == [
        Stored([1, 2], 16),
        Stored([3], 16),
        Removed([1]),
        Removed([2]),
        Removed(None),
    ]


def test_other_tiers_and_groups_are_left_out() -> None:
    others: list[Any] = [
        {**STORED, "medium": "CPU"},
        {**REMOVED, "group_idx": 1},
        ["BlockRemoved", [1], "CPU"],
    ]
    assert read_batch(batch(*others)).events == []


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xff",
        encode({"ts": 1}),
        encode("text"),
        batch({"type": "BlockMoved", "block_hashes": []}),
        batch({"type": "BlockRemoved"}),
        batch(["BlockStored", "hashes"]),
        batch(7),
        encode([float("nan"), []]),
        encode([float("inf"), []]),
    ],
)
def test_what_is_no_batch_is_said_to_be_none(payload: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - its text is msgspec's
        read_batch(payload)


def folded(*steps: tuple[int, Any]) -> CacheLog:
    log = CacheLog()
    for at, events in steps:
        log.fold(read_batch(batch(*events)), at)
    return log


def stored(*hashes: int, session: str = "") -> dict[str, Any]:
    return {**STORED, "block_hashes": hashes, "session_id": session or None}


def removed(*hashes: int) -> dict[str, Any]:
    return {**REMOVED, "block_hashes": hashes}


def test_blocks_that_come_back_after_an_eviction_were_computed_again() -> None:
    log = folded(
        (10, [stored(1, 2, 3, session="a")]),
        (20, [removed(3), removed(2), stored(7, session="b")]),
        (30, [stored(2, 3, 4, session="a")]),
        (40, [stored(2, 3, session="a")]),
    )
    assert log.computed_again(0, 100) == [Again(64, 30, 20, "a")]
    assert log.computed_again(0, 29) == log.computed_again(31, 100) == []


def test_a_cleared_cache_lost_all_that_was_in_it() -> None:
    log = folded(
        (10, [stored(1, 2)]), (20, [{"type": "AllBlocksCleared"}]), (30, [stored(1, 2, 3)])
    )
    assert log.computed_again(0, 100) == [Again(64, 30, 20)]


def test_what_was_stored_before_anybody_listened_is_known_by_its_eviction() -> None:
    log = folded((20, [removed(1)]), (30, [stored(1)]))
    assert log.computed_again(0, 100) == [Again(32, 30, 20)]


def test_nothing_is_known_after_forgetting() -> None:
    log = folded((10, [stored(1)]), (20, [removed(1)]))
    log.forget()
    log.fold(read_batch(batch(stored(1))), 30)
    assert log.computed_again(0, 100) == []


def test_its_memory_is_bounded() -> None:
    log = CacheLog()
    for number in range(0, 3 * MOST_BLOCKS, 1000):
        hashes = range(number, number + 1000)
        log.fold(read_batch(batch(stored(*hashes), removed(*hashes))), number)
        log.fold(read_batch(batch(stored(*(-one for one in hashes)))), number)
    assert len(log._evicted) == len(log._kept) == MOST_BLOCKS
