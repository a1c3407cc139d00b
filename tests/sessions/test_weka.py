"""WEKA traces: real ones give the read share that their block ids say, and every policy's bill adds up."""

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.accounting.build import FixedPrices
from tests.sessions.reading import read_all
from tests.shared_data import shared_data
from touchdown.accounting.account import TaskAccount
from touchdown.accounting.ledger import refold
from touchdown.cli.main import main
from touchdown.prices.book import PriceBook
from touchdown.records import AgentRun, ModelCall, Record, TaskRecord
from touchdown.sessions.cache_policy import CACHE_POLICIES, CachePolicy
from touchdown.sessions.source import Problems, Source
from touchdown.sessions.weka import WekaReader

TRACES = sorted(shared_data("weka").glob("*.json"))
MODEL = "claude-opus-4-5-20251101"
MINUTE = 60.0
PRICES = PriceBook()


def requests_of(items: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for item in items:
        yield from requests_of(item["requests"]) if "requests" in item else [item]


def share_by_hand(path: Path) -> tuple[int, int]:
    """Tokens read and all input tokens, from the block ids alone: each model has a tree of blocks."""
    trace = json.loads(path.read_text())
    trees: dict[str, Any] = {}
    read = 0
    for request in requests_of(trace["requests"]):
        node = trees.setdefault(request["model"], {})
        for block in request["hash_ids"]:
            read += trace["block_size"] * (block in node)
            node = node.setdefault(block, {})
    return read, sum(request["in"] for request in requests_of(trace["requests"]))


def records_of(path: Path, policy: CachePolicy = "unlimited") -> list[Record]:
    problems = Problems()
    source = Source("weka", (str(path),), 0, cache_policy=policy)
    (session,) = WekaReader().read(source, problems)
    assert not list(problems)
    return list(session.records)


def write(path: Path, *requests: dict[str, Any]) -> Path:
    path.write_text(json.dumps({"id": "t", "block_size": 64, "requests": list(requests)}))
    return path


def request(at_s: float, *blocks: int, rest: int = 0, **more: Any) -> dict[str, Any]:
    total = 64 * len(blocks) + rest
    return {"t": at_s, "type": "n", "model": MODEL, "in": total, "out": 10, "hash_ids": blocks,
            "input_types": ["text"], "api_time": 2.0, **more}  # fmt: skip


def calls_of(path: Path, policy: CachePolicy = "unlimited") -> list[ModelCall]:
    return [record for record in records_of(path, policy) if isinstance(record, ModelCall)]


def reads(path: Path, policy: CachePolicy = "unlimited") -> list[int | None]:
    return [call.usage.cache_read for call in calls_of(path, policy)]


def account(path: Path, policy: CachePolicy = "unlimited") -> TaskAccount:
    return refold(records_of(path, policy), FixedPrices()).account()


@pytest.mark.parametrize("path", TRACES, ids=lambda path: path.stem)
def test_the_read_share_of_a_real_trace_is_that_of_its_block_ids(path: Path) -> None:
    read, total = share_by_hand(path)
    usage = account(path).usage
    assert usage.cache_read == read
    written = sum((usage.cache_write or {}).values())
    assert (usage.uncached_input or 0) + read + written == total


@pytest.mark.parametrize("policy", CACHE_POLICIES)
@pytest.mark.parametrize("path", TRACES, ids=lambda path: path.stem)
def test_the_ledger_of_a_real_trace_conserves(path: Path, policy: CachePolicy) -> None:
    records = records_of(path, policy)
    found = refold(records, PRICES).account()
    money = found.money
    parts = money.work_usd + sum(money.taxes.values(), Decimal(0)) + money.unexplained_usd
    assert parts == money.total_usd > 0
    assert money.complete
    assert money.basis["total"] == "estimated"
    trace = json.loads(path.read_text())
    assert found.model_calls == len(list(requests_of(trace["requests"])))
    assert found.usage.output == trace["totals"]["combined_tokens"]["output"]
    calls = [record for record in records if isinstance(record, ModelCall)]
    assert (
        sum(call.usage.input_tokens or 0 for call in calls)
        == (trace["totals"]["combined_tokens"]["input"])
    )
    assert found.policies["cache_figures"] == policy


@pytest.mark.parametrize("path", TRACES, ids=lambda path: path.stem)
def test_the_better_the_cache_the_more_is_read(path: Path) -> None:
    policies: tuple[CachePolicy, ...] = ("none", "5m", "1h", "unlimited")
    by_policy = [sum(tokens or 0 for tokens in reads(path, policy)) for policy in policies]
    assert by_policy == sorted(by_policy)
    assert by_policy[0] == 0


def test_sub_agents_are_agents_of_the_task_and_begin_together() -> None:
    path = shared_data("weka", "trace_0010.json")
    records = records_of(path)
    runs = [record for record in records if isinstance(record, AgentRun)]
    assert [run.name for run in runs] == ["Explore"] * 4
    assert {run.parent_id for run in runs} == {"trace_0010"}
    starts = [run.started_at_ns for run in runs]
    # The second to the fourth were begun at once, and end one after the other.
    assert max(starts[1:]) - min(starts[1:]) < 20_000_000
    calls = [record for record in records if isinstance(record, ModelCall)]
    for run in runs:
        own = [call for call in calls if call.agent_id == run.id]
        assert min(call.sent_at_ns for call in own) == run.started_at_ns
        assert max(call.ended_at_ns for call in own) <= run.started_at_ns + run.duration_ns
    roots = [r for r in records if isinstance(r, TaskRecord) and not r.parent_id]
    assert [task.id for task in roots] == ["trace_0010"]


def test_a_turn_begins_with_what_a_user_says(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.json",
        request(0, 1),
        request(10, 1, 2, input_types=["tool_result"]),
        request(60, 1, 2, 3),
    )
    assert [call.task_id for call in calls_of(path)] == ["t#1", "t#1", "t#2"]


def test_lives_are_counted_from_the_last_use(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.json",
        request(0, 1, 2),
        request(4 * MINUTE, 1, 2, 3),
        request(8 * MINUTE, 1, 2, 3),
        request(14 * MINUTE, 1, 2, 3),
        request(80 * MINUTE, 1, 2, 3),
    )
    assert reads(path, "5m") == [0, 128, 192, 0, 0]
    assert reads(path, "1h") == [0, 128, 192, 192, 0]
    assert reads(path, "unlimited") == [0, 128, 192, 192, 192]
    assert reads(path, "none") == [0, 0, 0, 0, 0]


def test_what_expired_is_told_so_and_what_was_switched_off_too(tmp_path: Path) -> None:
    blocks = tuple(range(100))
    path = write(tmp_path / "a.json", request(0, *blocks), request(10 * MINUTE, *blocks, 100))
    tokens = 64 * 100
    (found,) = account(path, "5m").cache.misses
    miss = found.miss
    assert (miss.cause, miss.tax, miss.tokens) == ("expired", "cache_expired", tokens)
    (found,) = account(path, "none").cache.misses
    off = found.miss
    assert (off.cause, off.tax, off.tokens) == ("not_requested", "cache_miss", tokens)
    assert account(path, "1h").cache.misses == ()


def test_a_block_is_the_same_only_behind_the_same_blocks(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.json", request(0, 1, 2, 3), request(9, 9, 2, 3), request(20, 1, 2, 4)
    )
    assert reads(path) == [0, 0, 128]


def test_another_model_reads_nothing_of_this_one(tmp_path: Path) -> None:
    other = request(9, 1, 2, model="claude-haiku-4-5-20251001")
    assert reads(write(tmp_path / "a.json", request(0, 1, 2), other)) == [0, 0]


def test_what_fills_no_block_is_input_and_the_rest_written(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", request(0, 1, 2, rest=30), request(9, 1, 2, 3, rest=5))
    first, second = calls_of(path, "1h")
    assert (first.usage.cache_write, first.usage.uncached) == ({"1h": 128}, 30)
    assert (second.usage.cache_read, second.usage.cache_write) == (128, {"1h": 64})
    # Where the blocks have no life, no life is claimed for what was written either.
    assert calls_of(path)[0].usage.cache_write == {"unknown": 128}
    assert [segment.chars for segment in second.context.new] == [64 * 4, 5 * 4]
    assert second.context.shared == 2


def test_tools_and_the_system_prompt_come_first() -> None:
    path = shared_data("weka", "trace_0291.json")
    first = calls_of(path)[0]
    tokens = dict.fromkeys(("tools", "system", "other"), 0)
    for segment in first.context.new:
        tokens[segment.kind] += segment.chars // 4
    assert sum(tokens.values()) == first.usage.input_tokens
    assert abs(tokens["tools"] - 12166) < 64
    assert abs(tokens["system"] - 3318) < 128


def test_a_first_chunk_after_ages_is_unknown_and_not_at_once(tmp_path: Path) -> None:
    path = write(tmp_path / "t.json", request(0, 1, ttft=1e300), request(5, 1, ttft=0.5))
    assert [call.first_chunk_ns for call in calls_of(path)] == [None, 500_000_000]


def test_traces_on_lines_are_sessions(tmp_path: Path) -> None:
    one = write(tmp_path / "one", request(0, 1)).read_text()
    path = tmp_path / "traces"
    path.write_text(f'{one}\n{one.replace("t", "u", 0)}\n{{"block_size": 64, "requests": 3}}\n')
    found, problems = read_all(path)
    assert [len(session.calls) for session in found] == [1, 1]
    assert len(problems) == 1
    assert ":3: no whole trace" in problems[0]


@pytest.mark.parametrize(
    "text", ['{"block_size": 64, "requests": [', '{"block_size": 6, "requests": []}']
)
def test_a_trace_that_holds_nothing_is_one_problem(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a"
    path.write_text(text)
    found, problems = read_all(path)
    assert found == []
    assert len(problems) == 1


def test_the_header_says_whose_figures_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    path = str(shared_data("weka", "trace_0291.json"))
    assert main(["analyze", path]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "cache figures are estimated, the source has none: policy '5m'" in said
    assert main(["analyze", path, "--cache-policy", "none", "--json"]) == 0
    (task,) = json.loads(capsys.readouterr().out)["tasks"]
    assert task["policies"]["cache_figures"] == "none"
    assert task["usage"]["cache_read"] == 0
    assert task["money"]["basis"]["total"] == "estimated"


@pytest.mark.parametrize("path", TRACES, ids=lambda path: path.stem)
def test_the_time_of_a_session_is_that_of_its_models_tools_and_people(path: Path) -> None:
    """The file's own times are whole seconds, most of them: hence one in two hundred."""
    own = [r for r in json.loads(path.read_text())["requests"] if "requests" not in r]
    records = [r for r in records_of(path) if getattr(r, "agent_id", path.stem) == path.stem]
    alone = refold([r for r in records if not isinstance(r, AgentRun)], FixedPrices()).account()
    seconds = {name: ns / 1e9 for name, ns in alone.time.within_work.items()}
    api_s, think_s = (sum(r.get(name) or 0 for r in own) for name in ("api_time", "think_time"))
    assert seconds["model"] == pytest.approx(api_s, rel=0.005)
    assert seconds["tools"] + seconds.get("human", 0) == pytest.approx(think_s, rel=0.005)
    for found in (alone, account(path)):
        time = found.time
        assert time.total_ns == time.work_ns + sum(time.taxes.values()) + time.unexplained_ns
        assert time.work_ns == sum(time.within_work.values())


def test_a_sub_agent_that_was_waited_for_is_on_the_path(tmp_path: Path) -> None:
    inner = {"t": 8.0, "type": "subagent", "agent_id": "a", "duration_ms": 6000,
             "requests": [request(0, 9, api_time=5.0)]}  # fmt: skip
    later = request(10, 1, 2, api_time=1.0, input_types=["tool_result"])
    time = account(write(tmp_path / "t.json", request(0, 1), inner, later)).time
    assert {name: ns / 1e9 for name, ns in time.within_work.items()} == {"model": 8, "tools": 2}
    assert time.unexplained_ns == 10**9
