"""Claude Code transcripts: each answer once, with its last usage; branches, compaction, sub-agents."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.accounting.build import OPUS
from tests.sessions import claude_lines as claude
from tests.sessions.claude_lines import answer, prompt, result, text, tool_use, usage
from tests.sessions.reading import Read, read_all, read_one
from tests.shared_data import shared_data
from touchdown.context.blocks import MEDIA_CHARS
from touchdown.prices.book import PriceBook
from touchdown.records import Segment


def context_of(read: Read, message: str) -> list[Segment]:
    """The whole context of one call."""
    return read.context([call.id for call in read.calls].index(message))


def kinds(read: Read, message: str) -> list[str]:
    return [segment.kind for segment in context_of(read, message)]


def test_the_real_transcript_counts_each_answer_once() -> None:
    path = shared_data("transcripts", "claude-code-session.jsonl")
    last: dict[str, Any] = {}
    for line in path.read_text().splitlines():
        fields = json.loads(line)
        if fields["type"] == "assistant":
            last[fields["message"]["id"]] = fields["message"]["usage"]
    account = read_one(path).account(PriceBook())
    assert account.model_calls == len(last)
    assert account.usage.uncached_input == sum(u["input_tokens"] for u in last.values())
    assert account.usage.cache_read == sum(u["cache_read_input_tokens"] for u in last.values())
    assert account.usage.output == sum(u["output_tokens"] for u in last.values())
    assert account.usage.cache_write == {
        "5m": sum(u["cache_creation_input_tokens"] for u in last.values())
    }
    money = account.money
    assert money.complete
    parts = [money.work_usd, money.unexplained_usd, *money.taxes.values()]
    assert sum(parts) == money.total_usd > 0


def test_the_real_transcript_has_two_turns_and_nine_tool_calls() -> None:
    read = read_one(shared_data("transcripts", "claude-code-session.jsonl"))
    turns = [task for task in read.tasks if task.parent_id]
    assert [task.name[:6] for task in turns] == ["turn 1", "turn 2"]
    assert len(read.tools) == 9
    assert read.session.project == "/workspace/project"


def test_an_answer_over_several_lines_has_its_last_usage(tmp_path: Path) -> None:
    path = claude.write(
        tmp_path / "a",
        prompt("u1", None, 0, "hello"),
        answer("a1", "u1", 2, "msg_1", usage(10, 2000, 0, 1), text("one"), stop=None),
        answer("a2", "a1", 3, "msg_1", usage(10, 2000, 0, 2), tool_use("t1", "Read"), stop=None),
        answer("a3", "a2", 4, "msg_1", usage(10, 2000, 0, 250), tool_use("t2", "Read")),
        result("r1", "a2", 5, "t1", "x" * 50),
        result("r2", "a3", 6, "t2", "y" * 50),
        answer("a4", "r2", 8, "msg_2", usage(5, 300, 2010, 20), stop="end_turn"),
    )
    read = read_one(path)
    first, second = read.calls
    assert (first.usage.output, first.usage.cache_write) == (250, {"5m": 2000})
    assert first.usage.completeness == "full"
    assert [request.call_id for request in first.output.tool_requests] == ["t1", "t2"]
    assert (first.sent_at_ns, first.duration_ns) == (read.calls[0].sent_at_ns, 4 * 10**9)
    assert second.sent_at_ns - first.sent_at_ns == 6 * 10**9
    # Parallel calls fork the tree; the next call reads both results.
    assert kinds(read, "msg_2") == [
        "opaque", "user", "assistant", "tool_use", "tool_use", "tool_result", "tool_result",
    ]  # fmt: skip


def test_an_answer_that_was_cut_off_has_a_lower_bound_of_output(tmp_path: Path) -> None:
    path = claude.write(
        tmp_path / "a",
        prompt("u1", None, 0, "hello"),
        answer("a1", "u1", 2, "msg_1", usage(10, 0, 0, 1), stop=None),
    )
    assert read_one(path).calls[0].usage.completeness == "lower_bound"


RESULTS: tuple[tuple[Any, int], ...] = (
    ("plain", 5),
    ([text("one"), text("three")], 8),
    ([text("one"), {"type": "image", "source": {}}], 3 + MEDIA_CHARS),
    ([{"type": "tool_reference", "tool_name": "a"}], 0),
    ([{"type": "tool_reference", "tool_name": "b", "content": {"n": 1}}], 0),
    (["no", "parts"], len('["no","parts"]')),
    ({"of": "another form"}, len('{"of": "another form"}')),
    (None, 0),
)
"""What tools may return, and the characters that a model reads of it."""


def test_results_of_any_form_have_a_size_and_are_told_apart(tmp_path: Path) -> None:
    """A result of a form of its own takes nothing from the plain one beside it."""
    blocks = [
        {"type": "tool_result", "tool_use_id": f"t{n}", "content": content}
        for n, (content, _) in enumerate(RESULTS)
    ]
    plain = [block for block in blocks if not isinstance(block["content"], dict)]
    asked = [tool_use(f"t{n}", "Look") for n in range(len(RESULTS))]
    path = claude.write(
        tmp_path / "a",
        answer("a1", None, 2, "msg_1", usage(10, 0, 0, 1), *asked),
        claude.line("user", "r1", "a1", 3, message={"role": "user", "content": blocks}),
        answer("a2", "r1", 4, "msg_2", usage(10, 0, 0, 1), *asked),
        claude.line("user", "r2", "a2", 5, message={"role": "user", "content": plain}),
        answer("a3", "r2", 6, "msg_3", usage(10, 0, 0, 1)),
    )
    read = read_one(path)
    found = [s for s in context_of(read, "msg_3") if s.kind == "tool_result"]
    assert [segment.chars for segment in found[: len(RESULTS)]] == [chars for _, chars in RESULTS]
    assert len({segment.digest for segment in found[: len(RESULTS)]}) == len(RESULTS)
    again = [s.digest for s in found if s.call_id != f"t{len(RESULTS) - 2}"]
    assert again[: len(plain)] == again[len(plain) :]


def test_a_rewind_leaves_a_branch_that_cost_and_is_read_no_more(tmp_path: Path) -> None:
    path = claude.write(
        tmp_path / "a",
        prompt("u1", None, 0, "first"),
        answer("a1", "u1", 1, "msg_1", usage(1000, 0, 0, 10), stop="end_turn"),
        prompt("u2", "a1", 10, "wrong way"),
        answer("a2", "u2", 11, "msg_2", usage(1100, 0, 0, 10), stop="end_turn"),
        prompt("u3", "a1", 20, "right way, and longer"),
        answer("a3", "u3", 21, "msg_3", usage(1200, 0, 0, 10), stop="end_turn"),
    )
    read = read_one(path)
    assert read.account().model_calls == 3
    chars = [segment.chars for segment in context_of(read, "msg_3")][1:]
    assert chars == [len("first"), len("done"), len("right way, and longer")]


def test_a_dead_branch_can_be_taken_up_again(tmp_path: Path) -> None:
    path = claude.write(
        tmp_path / "a",
        prompt("u1", None, 0, "1"),
        answer("a1", "u1", 1, "msg_1", usage(1000, 0, 0, 10), stop="end_turn"),
        prompt("u2", "a1", 10, "22"),
        answer("a2", "u2", 11, "msg_2", usage(1100, 0, 0, 10), stop="end_turn"),
        prompt("u3", "a1", 20, "333"),
        answer("a3", "u3", 21, "msg_3", usage(1200, 0, 0, 10), stop="end_turn"),
        prompt("u4", "a2", 30, "55555"),
        answer("a4", "u4", 31, "msg_4", usage(1200, 0, 0, 10), stop="end_turn"),
    )
    chars = [segment.chars for segment in context_of(read_one(path), "msg_4")][1:]
    assert chars == [1, 4, 2, 4, 5]


def test_after_compaction_the_summary_stands_where_the_history_stood(tmp_path: Path) -> None:
    path = claude.write(
        tmp_path / "a",
        prompt("u1", None, 0, "long " * 900),
        answer("a1", "u1", 2, "msg_1", usage(10, 9000, 0, 50), stop="end_turn"),
        claude.line(
            "system", "c1", None, 60, subtype="compact_boundary", logicalParentUuid="a1",
            compactMetadata={"trigger": "auto", "preTokens": 9000},
        ),
        prompt("u2", "c1", 60, "This session is continued: ...", isCompactSummary=True),
        prompt("u3", "u2", 70, "go on"),
        answer("a2", "u3", 72, "msg_2", usage(10, 5000, 4000, 50), stop="end_turn"),
    )  # fmt: skip
    read = read_one(path)
    assert kinds(read, "msg_2") == ["opaque", "summary", "user"]
    assert {task.name[:6] for task in read.tasks if task.parent_id} == {"turn 1", "turn 2"}


def test_a_pause_longer_than_the_entry_lives_is_named(tmp_path: Path) -> None:
    path = claude.write(
        tmp_path / "a",
        prompt("u1", None, 0, "w " * 2000),
        answer("a1", "u1", 2, "msg_1", usage(10, 9000, 0, 50), model=OPUS, stop="end_turn"),
        prompt("u2", "a1", 1000, "back from lunch"),
        answer("a2", "u2", 1002, "msg_2", usage(10, 9100, 0, 50), model=OPUS, stop="end_turn"),
    )
    money = read_one(path).account().money
    assert money.taxes["cache_expired"] > 0
    assert money.unexplained_usd == 0


def test_what_is_not_recorded_is_no_cause(tmp_path: Path) -> None:
    path = claude.write(
        tmp_path / "a",
        prompt("u1", None, 0, "w " * 2000),
        answer("a1", "u1", 2, "msg_1", usage(10, 9000, 0, 50), model=OPUS, stop="end_turn"),
        prompt("u2", "a1", 30, "at once"),
        answer("a2", "u2", 32, "msg_2", usage(10, 9100, 0, 50), model=OPUS, stop="end_turn"),
    )
    account = read_one(path).account()
    assert {miss.miss.cause for miss in account.cache.misses} == {"opaque_input"}
    assert not any(account.money.taxes.values())
    assert account.money.unexplained_usd > 0


def side_lines(agent: str, seconds: float) -> list[dict[str, Any]]:
    side = {"isSidechain": True, "agentId": agent}
    return [
        prompt(f"{agent}1", None, seconds, "look for it", **side),
        answer(f"{agent}2", f"{agent}1", seconds + 1, f"msg_{agent}", usage(500, 0, 0, 9), **side),
    ]


def spawning(*sides: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        prompt("u1", None, 0, "find it"),
        answer(
            "a1", "u1", 1, "msg_1", usage(1000, 0, 0, 10),
            tool_use("t1", "Task", subagent_type="Explore", prompt="look for it"),
        ),
        *sides,
        result("r1", "a1", 9, "t1", "found", toolUseResult={"agentId": "x7", "totalDurationMs": 7000}),
        answer("a2", "r1", 10, "msg_2", usage(1100, 0, 0, 10), stop="end_turn"),
    ]  # fmt: skip


def test_a_sub_agent_in_a_file_of_its_own_is_part_of_the_session(tmp_path: Path) -> None:
    claude.write(tmp_path / f"{claude.SESSION}.jsonl", *spawning())
    folder = tmp_path / claude.SESSION / "subagents"
    claude.write(folder / "agent-x7.jsonl", *side_lines("x7", 2))
    (folder / "agent-x7.meta.json").write_text('{"agentType": "Explore", "toolUseId": "t1"}')
    read = read_one(tmp_path)
    assert read.account().model_calls == 3
    (run,) = read.agents
    assert (run.id, run.name, run.parent_id) == ("x7", "Explore", claude.SESSION)
    assert kinds(read, "msg_x7") == ["opaque", "user"]
    assert kinds(read, "msg_2") == ["opaque", "user", "tool_use", "tool_result"]
    assert read.tools[0].duration_ns == 7 * 10**9


def test_an_agent_that_never_came_back_stands_below_the_one_that_began_it(tmp_path: Path) -> None:
    claude.write(tmp_path / f"{claude.SESSION}.jsonl", *spawning())
    folder = tmp_path / claude.SESSION / "subagents"
    asking, side = side_lines("x7", 2), {"isSidechain": True, "agentId": "x7"}
    begin = tool_use("t9", "Agent", subagent_type="Plan")
    asking.append(answer("x73", "x72", 4, "msg_x", usage(600, 0, 0, 9), begin, **side))
    claude.write(folder / "agent-x7.jsonl", *asking)
    claude.write(folder / "agent-a1.jsonl", *side_lines("a1", 5))
    (folder / "agent-a1.meta.json").write_text('{"agentType": "Plan", "toolUseId": "t9"}')
    runs = {run.id: (run.parent_id, run.name) for run in read_one(tmp_path).agents}
    assert runs == {"x7": (claude.SESSION, "Explore"), "a1": ("x7", "Plan")}


def test_sub_agents_inside_the_session_s_file_are_told_apart(tmp_path: Path) -> None:
    """Older versions write them there, without an id."""
    one, two = side_lines("x7", 2), side_lines("x8", 3)
    for side in (*one, *two):
        del side["agentId"]
    mixed = [one[0], two[0], one[1], two[1]]
    read = read_one(claude.write(tmp_path / "a", *spawning(*mixed)))
    assert len(read.agents) == 2
    assert kinds(read, "msg_x7") == kinds(read, "msg_x8") == ["opaque", "user"]


def test_a_side_question_that_replays_the_parent_costs_nothing_twice(tmp_path: Path) -> None:
    claude.write(tmp_path / f"{claude.SESSION}.jsonl", *spawning())
    side = {"isSidechain": True, "agentId": "btw"}
    claude.write(
        tmp_path / claude.SESSION / "subagents" / "agent-btw.jsonl",
        prompt("s1", None, 0, "find it", **side),
        answer("s2", "s1", 1, "msg_1", usage(1000, 0, 0, 10), **side),
        prompt("s3", "s2", 20, "by the way?", **side),
        answer("s4", "s3", 21, "msg_3", usage(1200, 0, 0, 10), stop="end_turn", **side),
    )
    read = read_one(tmp_path)
    assert sorted(call.id for call in read.calls) == ["msg_1", "msg_2", "msg_3"]
    assert {call.id: call.agent_id for call in read.calls}["msg_1"] == claude.SESSION
    assert kinds(read, "msg_3") == ["opaque", "user", "assistant", "user"]


def test_failed_requests_are_attempts_and_failed_calls(tmp_path: Path) -> None:
    path = claude.write(
        tmp_path / "a",
        prompt("u1", None, 0, "go"),
        claude.line(
            "system", "e1", "u1", 1, subtype="api_error", level="error",
            error={"status": 529}, retryInMs=600.5, retryAttempt=1, maxRetries=10,
        ),
        answer("a1", "e1", 3, "msg_1", usage(1000, 0, 0, 10), stop="end_turn"),
        prompt("u2", "a1", 10, "again"),
        answer(
            "a2", "u2", 12, "x", usage(0, 0, 0, 0), text("API Error: 529 overloaded"),
            model="<synthetic>", isApiErrorMessage=True,
        ),
    )  # fmt: skip
    answered, failed = read_one(path).calls
    assert [(a.status, a.backoff_s) for a in answered.attempts] == [(529, 0.6005)]
    assert (failed.status, failed.http_status) == ("error", 529)
    account = read_one(path).account(PriceBook())
    assert (account.failed_calls, account.money.complete) == (1, True)


def test_what_the_agent_writes_itself_is_no_model_call(tmp_path: Path) -> None:
    path = claude.write(
        tmp_path / "a",
        prompt("u1", None, 0, "go"),
        answer("a1", "u1", 1, "x", usage(0, 0, 0, 0), model="<synthetic>"),
        answer("a2", "u1", 2, "msg_1", usage(1000, 0, 0, 10), stop="end_turn"),
    )
    assert [call.id for call in read_one(path).calls] == ["msg_1"]


def test_old_lines_with_costs_give_a_total_to_compare(tmp_path: Path) -> None:
    lines = [
        prompt("u1", None, 0, "go"),
        answer("a1", "u1", 1, "msg_1", usage(1000, 0, 0, 10), costUSD=0.25),
        answer("a2", "a1", 2, "msg_1", usage(1000, 0, 0, 20), costUSD=0.25),
    ]
    for used in lines[1:]:
        del used["message"]["usage"]["cache_creation"]
        used["message"]["usage"]["cache_creation_input_tokens"] = 300
    read = read_one(claude.write(tmp_path / "a", *lines))
    assert read.session.reported is not None
    assert (str(read.session.reported.usd), read.session.reported.said_by) == ("0.25", "costUSD")
    assert read.calls[0].usage.cache_write == {"unknown": 300}


@pytest.mark.parametrize("field", ["message", "timestamp", "uuid", "isSidechain", "toolUseResult"])
@pytest.mark.parametrize("value", [None, 3, "x", [], {}, True])
def test_a_field_of_another_type_takes_only_itself_away(
    tmp_path: Path, field: str, value: object
) -> None:
    broken = prompt("u2", "u1", 1, "odd")
    broken[field] = value
    path = claude.write(
        tmp_path / "a",
        prompt("u1", None, 0, "go"),
        broken,
        answer("a1", "u2", 2, "msg_1", usage(1000, 0, 0, 10), stop="end_turn"),
    )
    assert [call.id for call in read_one(path).calls] == ["msg_1"]


def test_lines_that_cannot_be_read_are_told_and_the_rest_counts(tmp_path: Path) -> None:
    path = claude.write(
        tmp_path / "a",
        prompt("u1", None, 0, "go"),
        answer("a1", "u1", 2, "msg_1", usage(1000, 0, 0, 10), stop="end_turn"),
    )
    whole = path.read_bytes()
    path.write_bytes(b"\xef\xbb\xbf" + whole + b'{"type": "user", \xff\xfe}\n' + whole[:50])
    (read,), problems = read_all(path)
    assert len(read.calls) == 1
    assert [problem.split(": ")[0][-3:] for problem in problems] == ["a:3", "a:4"]
    assert "not JSON in UTF-8" in problems[0]
    assert "cut short" in problems[1]
