"""The output of ``claude -p``: its messages as records, and its own totals beside ours."""

import json
from pathlib import Path
from typing import Any

from tests.accounting.build import OPUS
from tests.sessions.claude_lines import text, tool_use, usage
from tests.sessions.reading import read_all, read_one
from touchdown.sessions.reconcile import compare

SESSION = "7d0c2f8e-0000-4000-8000-000000000002"


def said(kind: str, parent: str | None = None, **more: Any) -> dict[str, Any]:
    return {"type": kind, "session_id": SESSION, "parent_tool_use_id": parent, **more}


def answered(message: str, used: dict[str, Any], *blocks: Any, **more: Any) -> dict[str, Any]:
    content = {
        "id": message, "type": "message", "role": "assistant", "model": OPUS,
        "content": list(blocks), "stop_reason": more.pop("stop", None), "usage": used,
    }  # fmt: skip
    return said("assistant", message=content, **more)


def returned(call: str, content: str) -> dict[str, Any]:
    block = {"type": "tool_result", "tool_use_id": call, "content": content}
    return said("user", message={"role": "user", "content": [block]})


def ended(usd: float, tokens: int) -> dict[str, Any]:
    used = {"inputTokens": tokens, "outputTokens": 0, "cacheReadInputTokens": 0, "costUSD": usd}
    return said("result", subtype="success", total_cost_usd=usd, modelUsage={OPUS: used})


RUN = [
    said("system", subtype="init", cwd="/workspace/project", model=OPUS, tools=["Read"]),
    answered("msg_1", usage(1000, 0, 0, 1), tool_use("t1", "Task", subagent_type="Explore")),
    answered("msg_2", usage(500, 0, 0, 1), text("found"), parent="t1"),
    returned("t1", "found"),
    answered("msg_3", usage(1100, 0, 0, 1), text("done")),
]


def write(path: Path, *lines: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_messages_follow_each_other_and_sub_agents_stand_apart(tmp_path: Path) -> None:
    read = read_one(write(tmp_path / "out.txt", *RUN, ended(0.02, 2603)))
    assert [call.id for call in read.calls] == ["msg_1", "msg_2", "msg_3"]
    kinds = [[segment.kind for segment in call.context.new] for call in read.calls]
    assert kinds == [["opaque"], ["opaque"], ["tool_use", "tool_result"]]
    (run,) = read.agents
    assert (run.name, run.parent_id) == ("Explore", SESSION)
    assert read.session.notes
    assert read.session.project == "/workspace/project"


def test_outputs_that_were_not_told_are_lower_bounds_and_the_rest_is_named(tmp_path: Path) -> None:
    read = read_one(write(tmp_path / "out.txt", *RUN, ended(0.02, 1), ended(0.05, 3000)))
    account = read.account()
    assert not account.money.complete
    assert read.session.reported is not None
    compared = compare(SESSION, read.session.reported, account)
    assert compared is not None
    assert str(compared.reported_usd) == "0.05"
    assert compared.residual_usd == compared.reported_usd - account.money.total_usd
    assert compared.why == (
        "not in our total: output known only in part (3 calls)",
        f"{OPUS}: the source counts 397 tokens more than its lines hold",
    )


def test_partial_messages_carry_the_final_usage(tmp_path: Path) -> None:
    event = {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn"},
        "usage": {"output_tokens": 321},
    }
    path = write(tmp_path / "out.txt", *RUN, said("stream_event", event=event))
    last = read_one(path).calls[-1].usage
    assert (last.uncached, last.output, last.completeness) == (1100, 321, "full")


def test_two_runs_in_one_file_are_two_sessions(tmp_path: Path) -> None:
    other = [{**line, "session_id": "other"} for line in RUN]
    found, problems = read_all(write(tmp_path / "out.txt", *RUN, *other))
    assert [read.session.id for read in found] == [SESSION, "other"]
    assert problems == []


def test_an_equal_total_needs_no_reason(tmp_path: Path) -> None:
    lines = [answered("msg_1", usage(1000, 0, 0, 10), text("x"), stop="end_turn")]
    read = read_one(write(tmp_path / "out.txt", *lines, ended(0.00525, 1010)))
    assert read.session.reported is not None
    compared = compare(SESSION, read.session.reported, read.account())
    assert compared is not None
    assert (compared.residual_usd, compared.why) == (0, ())


def test_a_process_that_went_on_with_a_session_counts_from_0_and_is_added(tmp_path: Path) -> None:
    runs = [ended(0.02, 2000), ended(0.05, 3000), ended(0.01, 700), ended(0.015, 900)]
    read = read_one(write(tmp_path / "out.txt", *RUN, *runs))
    reported = read.session.reported
    assert reported is not None
    assert str(reported.usd) == "0.065"
    assert reported.tokens == {OPUS: 3900}
    assert {name: str(usd) for name, usd in reported.by_model.items()} == {OPUS: "0.065"}


def test_a_dearer_process_is_told_by_its_fewer_tokens(tmp_path: Path) -> None:
    read = read_one(write(tmp_path / "out.txt", *RUN, ended(0.02, 2000), ended(0.05, 700)))
    assert read.session.reported is not None
    assert str(read.session.reported.usd) == "0.07"


def test_a_run_that_broke_off_keeps_what_was_told_before(tmp_path: Path) -> None:
    broken = said("result", subtype="error_during_execution", total_cost_usd=0, modelUsage={})
    read = read_one(write(tmp_path / "out.txt", *RUN, ended(0.02, 2000), broken))
    assert read.session.reported is not None
    assert str(read.session.reported.usd) == "0.02"
