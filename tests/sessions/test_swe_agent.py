"""SWE-agent's trajectories, in the shapes of its versions 0.7 to 1.1."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.sessions.reading import read_one
from tests.sessions.test_pool import gather
from touchdown.cli.analyze import main
from touchdown.prices.book import PriceBook

NAME = "astropy__astropy-12907"


def message(role: str, words: str, **more: Any) -> dict[str, Any]:
    return {"role": role, "content": words, "agent": "main", "message_type": "observation", **more}


def asked(call_id: str, command: str) -> list[dict[str, Any]]:
    function = {"name": "bash", "arguments": json.dumps({"command": command})}
    return [{"id": call_id, "type": "function", "function": function}]


SYSTEM = message("system", "You are an agent.", message_type="system_prompt")
TASK = message("user", "Mend it.")
LOOK = message("assistant", "I look.", action="ls", tool_calls=asked("c1", "ls"))
FOUND = message("tool", "adder.py", tool_call_ids=["c1"])
DONE = message("assistant", "Done.", action="submit", tool_calls=asked("c2", "submit"))
HISTORY = [SYSTEM, TASK, LOOK, FOUND, DONE]


def step(answer: dict[str, Any], seen: str, query: list[Any] | None, took: float) -> Any:
    named = {"action": answer["action"], "observation": seen, "response": answer["content"]}
    more = {"thought": answer["content"], "state": {}, "execution_time": took, "extra_info": {}}
    queried = {} if query is None else {"query": query}
    return {**named, **more, **queried, "tool_calls": answer["tool_calls"]}


STEPS = [
    step(LOOK, "adder.py", [SYSTEM, TASK], 0.5),
    step(DONE, "", [SYSTEM, TASK, LOOK, FOUND], 0.25),
]
STATS = {"instance_cost": 0.25, "tokens_sent": 9000, "tokens_received": 300, "api_calls": 2}


def document(**more: Any) -> dict[str, Any]:
    model = {"agent": {"model": {"name": "claude-sonnet-4-5-20250929"}}}
    config = json.dumps({**model, "problem_statement": {"id": NAME}})
    named = {"trajectory": STEPS, "history": HISTORY, "info": {"model_stats": STATS}}
    return {**named, "replay_config": config, "environment": "swe_main", **more}


def write(path: Path, value: dict[str, Any]) -> Path:
    path.write_text(json.dumps(value, indent=2))
    return path


def test_each_step_is_a_call_of_unknown_usage(tmp_path: Path) -> None:
    read = read_one(write(tmp_path / "x.traj", document()))
    assert read.session.id == NAME
    assert [call.usage.completeness for call in read.calls] == ["none", "none"]
    assert {(c.provider, c.model) for c in read.calls} == {
        ("anthropic", "claude-sonnet-4-5-20250929")
    }
    assert read.kinds(1) == [*("opaque", "system", "user", "assistant", "tool_use", "tool_result")]
    tools = [(t.name, t.output_chars, t.duration_ns) for t in read.tools]
    assert tools == [("bash", 8, 500_000_000), ("bash", 0, 250_000_000)]
    money = read.account(PriceBook()).money
    assert (money.total_usd, money.complete) == (0, False)


def test_the_total_of_the_file_stands_beside_with_the_reason(tmp_path: Path) -> None:
    write(tmp_path / f"{NAME}.traj", document())
    (compared,) = gather(tmp_path).comparisons
    assert (compared.reported_usd, compared.total_usd) == (Decimal("0.25"), 0)
    assert compared.said_by == "model_stats.instance_cost"
    assert any("tells no tokens by step" in reason for reason in compared.why)


def test_what_a_history_processor_left_out_was_not_read(tmp_path: Path) -> None:
    short = message("tool", "Old environment output: (1 lines omitted)", tool_call_ids=["c1"])
    steps = [STEPS[0], STEPS[1], step(DONE, "", [SYSTEM, TASK, LOOK, short, DONE], 0.1)]
    read = read_one(write(tmp_path / "x.traj", document(trajectory=steps)))
    assert read.calls[2].context.shared == 5  # unseen, system, user, assistant, tool_use


def test_older_files_without_queries_are_read_from_their_history(tmp_path: Path) -> None:
    demo = message("user", "Here is how it is done.", is_demo=True)
    shown = message("assistant", "like this", is_demo=True)
    steps = [step(answer, seen, None, 0.5) for answer, seen in ((LOOK, "adder.py"), (DONE, ""))]
    history = [SYSTEM, demo, shown, *HISTORY[1:]]
    read = read_one(write(tmp_path / "x.traj", document(trajectory=steps, history=history)))
    assert len(read.calls) == 2
    assert read.kinds(0) == ["opaque", "system", "user", "assistant", "user"]
    assert [tool.name for tool in read.tools] == ["bash"]  # nobody read what the last one gave


def test_a_history_alone_and_actions_as_text_are_read(tmp_path: Path) -> None:
    plain = [SYSTEM, TASK, message("assistant", "DISCUSSION\n```\nls\n```", action="ls -F"), TASK]
    read = read_one(write(tmp_path / f"{NAME}.traj", {"history": plain}))
    assert read.session.id == NAME
    assert [(tool.name, tool.output_chars) for tool in read.tools] == [("ls", 8)]
    assert read.session.reported is None


def test_attempts_are_each_counted(tmp_path: Path) -> None:
    attempt = {"trajectory": STEPS, "history": HISTORY, "info": {}}
    read = read_one(write(tmp_path / "x.traj", document(attempts=[attempt, attempt])))
    assert len(read.calls) == 4
    assert read.calls[2].context.shared <= 1


def test_an_unknown_total_is_shown_as_unknown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "x.traj", document())
    assert main([str(tmp_path)]) == 0
    told = capsys.readouterr().out
    assert f"{NAME}    $0.250  unknown   unknown" in told
    assert "usage not reported" not in told
    assert all(len(line) <= 80 for line in told.splitlines())
