"""Codex rollouts: running counters, copied histories, sub-agents' threads, compaction."""

import json
from pathlib import Path
from typing import Any

from tests.sessions import codex_lines as codex
from tests.sessions.codex_lines import (
    THREAD,
    Line,
    call,
    count,
    line,
    meta,
    output,
    prompt,
    reasoning,
    said,
    sub_agent,
    turn,
    usage,
)
from tests.sessions.reading import read_all, read_one
from tests.sessions.test_pool import gather
from tests.shared_data import shared_data
from touchdown.prices.book import PriceBook

CHILD = "01a7c9e4-0000-7000-8000-000000000002"
GRANDCHILD = "01a7c9e4-0000-7000-8000-000000000003"
FIRST = usage(1000, 0, 50, 20)
SECOND = usage(1200, 1024, 30, 10)
BOTH = usage(2200, 1024, 80, 30)


def opening() -> list[Line]:
    """A turn of two requests with one tool."""
    return [
        meta(),
        turn(0.1),
        *prompt(0.2, "list the files"),
        reasoning(3),
        call(3.1, "call_1", "ls"),
        count(3.2, FIRST, FIRST),
        output(3.4, "call_1", "Wall time: 0.2500 seconds\nProcess exited with code 1\nOutput:\n"),
        said(6, "there are none"),
        count(6.1, BOTH, SECOND),
    ]


def test_the_real_rollout_has_the_last_totals_of_its_own_counters() -> None:
    path = shared_data("transcripts", "codex-rollout.jsonl")
    lines = [json.loads(one) for one in path.read_text().splitlines()]
    infos = [one["payload"]["info"] for one in lines if one["payload"].get("type") == "token_count"]
    final = infos[-1]["total_token_usage"]
    asked = [one for one in lines if one["payload"].get("type") == "function_call"]

    read = read_one(path)
    account = read.account(PriceBook())
    assert account.model_calls == len(infos)
    assert account.usage.cache_read == final["cached_input_tokens"]
    assert account.usage.uncached_input == final["input_tokens"] - final["cached_input_tokens"]
    assert account.usage.output == final["output_tokens"]
    assert account.usage.reasoning == final["reasoning_output_tokens"]
    assert len(read.tools) == len(asked)
    assert not any(tool.failed for tool in read.tools)  # one exited with 1, one refused
    assert len([task for task in read.tasks if task.parent_id]) == 3
    money = account.money
    assert money.complete
    assert (
        sum([money.work_usd, money.unexplained_usd, *money.taxes.values()]) == money.total_usd > 0
    )
    assert {(c.provider, c.model) for c in read.calls} == {("openai", "gpt-5.4")}


def test_cached_tokens_are_inside_the_input_and_reasoning_inside_the_output(
    tmp_path: Path,
) -> None:
    read = read_one(codex.write(tmp_path / "a", opening()))
    assert read.counted == [(1000, 0, 50, 20), (176, 1024, 30, 10)]
    assert read.session.id == THREAD
    assert read.session.project == "/workspace/project"


def test_a_count_that_is_told_again_adds_nothing(tmp_path: Path) -> None:
    again = [
        count(6.2, BOTH, SECOND),
        count(6.3, BOTH, None),
        line("event_msg", 7, type="token_count"),
    ]
    read = read_one(codex.write(tmp_path / "a", opening(), again))
    assert read.counted == [(1000, 0, 50, 20), (176, 1024, 30, 10)]


def test_totals_alone_and_last_counts_alone_come_to_the_same(tmp_path: Path) -> None:
    def written(name: str, totals: bool, lasts: bool) -> list[tuple[Any, ...]]:
        lines = opening()
        for one in lines:
            if info := one["payload"].get("info"):
                info["total_token_usage"] = info["total_token_usage"] if totals else None
                info["last_token_usage"] = info["last_token_usage"] if lasts else None
        return read_one(codex.write(tmp_path / name, lines)).counted

    assert written("t", True, False) == written("l", False, True) == written("b", True, True)


def test_counters_that_begin_anew_go_on_with_what_the_last_request_used(tmp_path: Path) -> None:
    """Codex sets them back when a context is full."""
    full = {**usage(0, 0, 0), "total_tokens": 258400}
    more = [
        count(7, full, {**usage(0, 0, 0), "total_tokens": 100}),
        said(9, "going on"),
        count(9.1, usage(400, 0, 5), usage(400, 0, 5)),
    ]
    read = read_one(codex.write(tmp_path / "a", opening(), more))
    assert read.counted[2:] == [(400, 0, 5, 0)]


def test_a_thread_that_goes_on_in_a_new_file_counts_its_own_requests_only(tmp_path: Path) -> None:
    path = codex.write(tmp_path / "a", meta(), turn(1), said(3, "x"), count(4, BOTH, SECOND))
    assert read_one(path).counted == [(176, 1024, 30, 10)]


def test_a_request_without_a_count_is_unknown_and_not_nothing(tmp_path: Path) -> None:
    read = read_one(codex.write(tmp_path / "a", opening(), *prompt(10, "more"), reasoning(12)))
    account = read.account(PriceBook())
    assert account.model_calls == 3
    assert not account.money.complete


def test_the_context_holds_what_was_read_and_what_was_answered(tmp_path: Path) -> None:
    read = read_one(codex.write(tmp_path / "a", opening()))
    assert read.kinds(0) == ["opaque", "user"]
    assert read.kinds(1) == ["opaque", "user", "thinking", "tool_use", "tool_result"]
    first, second = read.calls
    assert first.sent_at_ns < first.ended_at_ns < second.sent_at_ns
    assert [request.name for request in first.output.tool_requests] == ["exec_command"]
    assert second.output.text_chars == len("there are none")


def test_an_exit_code_is_no_failure_and_a_protocol_s_flag_is_one(tmp_path: Path) -> None:
    more = [
        *prompt(10, "more"),
        call(12, "call_2", "x", name="mcp__files__read"),
        call(12, "call_3", "y"),
        count(12.1, usage(3600, 2048, 100, 30), usage(1400, 1024, 20)),
        output(12.2, "call_2", "no such file"),
        line("event_msg", 12.2, type="mcp_tool_call_end", call_id="call_2", result={"Err": "gone"}),
        output(
            12.3,
            "call_3",
            '{"output":"1 failed","metadata":{"exit_code":1,"duration_seconds":2.5}}',
        ),
    ]
    tools = {tool.id: tool for tool in read_one(codex.write(tmp_path / "a", opening(), more)).tools}
    assert [tools[name].failed for name in ("call_1", "call_2", "call_3")] == [False, True, False]
    assert tools["call_1"].duration_ns == 250_000_000
    assert tools["call_3"].duration_ns == 2_500_000_000


def test_each_request_has_the_model_of_its_turn(tmp_path: Path) -> None:
    more = [
        turn(10, "gpt-5.4-mini"),
        *prompt(10.1, "go on"),
        said(12, "x"),
        count(12.1, usage(3500, 2048, 90, 30), usage(1300, 1024, 10)),
    ]
    read = read_one(codex.write(tmp_path / "a", opening(), more))
    assert [call.model for call in read.calls] == ["gpt-5.4", "gpt-5.4", "gpt-5.4-mini"]
    turns = [task.name.split(" of")[0] for task in read.tasks if task.parent_id]
    assert turns == ["turn 1", "turn 2"]


def test_another_provider_s_model_is_never_priced_as_openai_s(tmp_path: Path) -> None:
    lines = opening()
    lines[0]["payload"]["model_provider"] = "ollama"
    account = read_one(codex.write(tmp_path / "a", lines)).account(PriceBook())
    assert account.money.total_usd == 0
    assert not account.money.complete


def test_a_compaction_replaces_the_history(tmp_path: Path) -> None:
    def message(role: str, words: str) -> Line:
        return {"type": "message", "role": role, "content": [{"type": "input_text", "text": words}]}

    kept = [message("user", "list the files"), message("user", "Summary so far: all is well")]
    more = [
        count(20, usage(3700, 2048, 180, 30), usage(1500, 1024, 100)),
        line("compacted", 20.1, message="all is well", replacement_history=kept),
        *prompt(30, "go on"),
        said(33, "yes"),
        count(33.1, usage(4200, 2048, 190, 30), usage(500, 0, 10)),
    ]
    read = read_one(codex.write(tmp_path / "a", opening(), more))
    assert read.kinds(3) == ["opaque", "user", "summary", "user"]
    for one in more:
        one["payload"].pop("replacement_history", None)
    older = read_one(codex.write(tmp_path / "b", opening(), more))
    assert older.kinds(3) == ["opaque", "user", "summary", "user"]
    assert older.counted == read.counted


def test_a_turn_that_was_taken_back_costs_and_is_read_no_more(tmp_path: Path) -> None:
    more = [
        *prompt(10, "wrong"),
        said(12, "x"),
        count(12.1, usage(3500, 2048, 90, 30), usage(1300, 1024, 10)),
        line("event_msg", 13, type="thread_rolled_back", num_turns=1),
        *prompt(20, "right"),
        said(22, "y"),
        count(22.1, usage(4800, 3072, 100, 30), usage(1300, 1024, 10)),
    ]
    read = read_one(codex.write(tmp_path / "a", opening(), more))
    assert len(read.calls) == 4
    assert [part.chars for part in read.context(3) if part.kind == "user"] == [14, 5]


def copied(thread: str, seconds: float, lines: list[Line], **more: Any) -> list[Line]:
    """A thread that begins with a copy of another's lines, written in one go."""
    given = [{**one, "timestamp": meta(seconds + 0.01)["timestamp"]} for one in lines]
    return [meta(seconds, thread, **more), *given]


def own_work(seconds: float) -> list[Line]:
    """What a thread did after its copied history, on counters that go on."""
    return [
        turn(seconds + 0.02),
        *prompt(seconds + 0.02, "look into it"),
        said(seconds + 4, "done"),
        count(seconds + 4.1, usage(3600, 2048, 120, 40), usage(1400, 1024, 40, 10)),
    ]


def test_a_sub_agent_s_copy_of_its_parent_s_history_is_read_and_not_counted(
    tmp_path: Path,
) -> None:
    codex.write(tmp_path / "01/rollout-b.jsonl", opening())
    source = sub_agent(THREAD, agent_nickname="Boole")
    child = [*copied(CHILD, 100, opening(), source=source), *own_work(100)]
    codex.write(tmp_path / "02/rollout-a.jsonl", child)
    read = read_one(tmp_path)
    assert read.counted == [(1000, 0, 50, 20), (176, 1024, 30, 10), (376, 1024, 40, 10)]
    (run,) = read.agents
    assert (run.id, run.parent_id, run.name) == (CHILD, THREAD, "Boole")
    assert read.calls[2].agent_id == CHILD
    assert read.kinds(2).count("user") == 2
    assert len(read.tools) == 1
    assert len([task for task in read.tasks if task.parent_id]) == 1


def test_a_slow_copy_is_known_by_its_parent_s_counters(tmp_path: Path) -> None:
    codex.write(tmp_path / "a.jsonl", opening())
    lines = copied(CHILD, 100, opening(), source=sub_agent(THREAD))
    for place, one in enumerate(lines[1:]):
        one["timestamp"] = meta(100 + 2 * place)["timestamp"]
    codex.write(tmp_path / "b.jsonl", lines, own_work(200))
    read = read_one(tmp_path)
    assert sum(call.usage.output or 0 for call in read.calls) == 120


def test_a_copy_whose_parent_is_gone_is_known_by_its_times(tmp_path: Path) -> None:
    child = [*copied(CHILD, 100, opening(), source=sub_agent(THREAD)), *own_work(100)]
    assert read_one(codex.write(tmp_path / "a.jsonl", child)).counted == [(376, 1024, 40, 10)]


def test_sub_agents_of_sub_agents_belong_to_one_session(tmp_path: Path) -> None:
    codex.write(tmp_path / "a.jsonl", opening())
    for thread, parent, at in ((CHILD, THREAD, 50), (GRANDCHILD, CHILD, 60)):
        source = sub_agent(parent, agent_path="/root/reviewer")
        lines = [meta(at, thread, source=source), turn(at), said(at + 3, "x")]
        codex.write(tmp_path / f"{thread}.jsonl", lines, count(at + 4, FIRST, FIRST))
    read = read_one(tmp_path)
    assert read.session.id == THREAD
    assert {run.id: run.parent_id for run in read.agents} == {CHILD: THREAD, GRANDCHILD: CHILD}
    assert {run.name for run in read.agents} == {"reviewer"}
    assert len(read.calls) == 4


def test_a_fork_is_a_session_of_its_own_and_counts_what_is_new(tmp_path: Path) -> None:
    codex.write(tmp_path / "a.jsonl", opening())
    fork = [*copied(CHILD, 100, opening(), forked_from_id=THREAD), *own_work(100)]
    codex.write(tmp_path / "b.jsonl", fork)
    calls = {account.task.id: account.model_calls for account in gather(tmp_path).accounts}
    assert calls == {THREAD: 2, CHILD: 1}


def test_an_archived_copy_is_read_once(tmp_path: Path) -> None:
    codex.write(tmp_path / "archived_sessions/rollout-a.jsonl", opening()[:6])
    codex.write(tmp_path / "sessions/2026/rollout-a.jsonl", opening())
    assert len(read_one(tmp_path).calls) == 2


def test_unknown_lines_are_passed_over_and_a_half_written_one_is_told(tmp_path: Path) -> None:
    strange = [
        line("world_state", 7, full=True),
        line("response_item", 7, type="ghost_snapshot", ghost_commit={}),
        {"timestamp": 5, "type": ["x"], "payload": "text"},
        {"type": "response_item", "payload": {"type": "message", "role": 4, "content": [3, None]}},
    ]
    path = codex.write(tmp_path / "a", opening(), strange)
    with path.open("ab") as file:
        file.write(b'{"timestamp":"2026-03-01T')
    (read,), told = read_all(path)
    assert len(read.calls) == 2
    assert told == [f"{path}:15: the last line is cut short; it is left out"]
