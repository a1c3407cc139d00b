"""mini-swe-agent's trajectories, in the shapes that its version 2.4.6 wrote with litellm 1.110.

``tests/stages/test_mini_swe_agent.py`` reads one that the agent itself has just written.
"""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.sessions.reading import read_one
from tests.sessions.test_pool import gather
from touchdown.prices.book import PriceBook

AT = 1_780_000_000.0
SYSTEM = {"role": "system", "content": "You are an agent."}
TASK = {"role": "user", "content": "Mend it."}
CLAUDE = "claude-sonnet-4-5-20250929"


def response(name: str, used: dict[str, Any], model: str = CLAUDE) -> dict[str, Any]:
    return {
        "id": name,
        "created": int(AT),
        "model": model,
        "object": "chat.completion",
        "usage": used,
    }


def used(given: int, made: int, read: int, written: int) -> dict[str, Any]:
    """What litellm makes of Anthropic's usage: all of the input in one count."""
    lives = {"ephemeral_5m_input_tokens": written, "ephemeral_1h_input_tokens": 0}
    details = {"cached_tokens": read, "cache_creation_tokens": written}
    return {
        "prompt_tokens": given,
        "completion_tokens": made,
        "total_tokens": given + made,
        "prompt_tokens_details": {**details, "cache_creation_token_details": lives},
        "completion_tokens_details": {"reasoning_tokens": 0, "text_tokens": made},
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": read,
    }


def answer(name: str, seconds: float, call_id: str, command: str, usage: Any) -> dict[str, Any]:
    function = {"name": "bash", "arguments": json.dumps({"command": command})}
    extra = {
        "actions": [{"command": command, "tool_call_id": call_id}],
        "response": response(name, usage),
        "cost": 0.01,
        "timestamp": AT + seconds,
    }
    calls = [{"id": call_id, "type": "function", "function": function}]
    return {"role": "assistant", "content": "Step.", "tool_calls": calls, "extra": extra}


def result(seconds: float, call_id: str, words: str, code: int = 0, trouble: str = "") -> Any:
    extra = {"raw_output": words, "returncode": code, "timestamp": AT + seconds}
    extra["exception_info"] = trouble
    return {"role": "tool", "tool_call_id": call_id, "content": words, "extra": extra}


MESSAGES = [
    SYSTEM,
    TASK,
    answer("r1", 2, "c1", "ls", used(1100, 9, 0, 1100)),
    result(2.5, "c1", "adder.py", code=1),
    answer("r2", 5, "c2", "sleep 99", used(1300, 8, 1100, 200)),
    result(8, "c2", "timed out", -1, "The command timed out"),
    answer("r3", 9, "c3", "submit", used(1400, 7, 1300, 0)),
    result(9.1, "c3", "", -1, "action was not executed"),
    {"role": "exit", "content": "", "extra": {"exit_status": "Submitted", "submission": ""}},
]


def document(messages: list[Any], model: str = f"anthropic/{CLAUDE}", usd: float = 0.5) -> Any:
    config = {"model": {"model_name": model}, "agent": {}, "environment": {}}
    stats = {"instance_cost": usd, "api_calls": 3}
    info = {"model_stats": stats, "config": config, "mini_version": "2.4.6"}
    return {"info": info, "messages": messages, "trajectory_format": "mini-swe-agent-1.1"}


def write(path: Path, value: Any) -> Path:
    path.write_text(json.dumps(value, indent=2))
    return path


def test_the_provider_s_answers_are_counted_once(tmp_path: Path) -> None:
    read = read_one(write(tmp_path / "django__django-1.traj.json", document(MESSAGES)))
    assert read.session.id == "django__django-1"
    assert read.counted == [(0, 0, 9, 0), (0, 1100, 8, 0), (100, 1300, 7, 0)]
    assert [call.usage.cache_write for call in read.calls] == [{"5m": 1100}, {"5m": 200}, None]
    assert [call.response_id for call in read.calls] == ["r1", "r2", "r3"]
    assert {(c.provider, c.model) for c in read.calls} == {("anthropic", CLAUDE)}
    assert read.account(PriceBook()).money.complete
    assert read.kinds(1) == [*("opaque", "system", "user", "assistant", "tool_use", "tool_result")]


def test_an_exit_code_is_no_failure_and_an_action_that_could_not_run_is_one(tmp_path: Path) -> None:
    tools = read_one(write(tmp_path / "a.traj.json", document(MESSAGES))).tools
    assert [(tool.failed, tool.duration_ns) for tool in tools] == [
        (False, 500_000_000),
        (True, 3_000_000_000),
        (False, 100_000_000),
    ]
    first, second = read_one(tmp_path / "a.traj.json").calls[:2]
    assert (second.sent_at_ns - first.ended_at_ns, second.duration_ns) == (
        500_000_000,
        2_500_000_000,
    )


def test_an_answer_that_could_not_be_parsed_was_billed(tmp_path: Path) -> None:
    extra = {"interrupt_type": "FormatError", "response": response("r0", used(900, 4, 0, 0))}
    wrong = {"role": "user", "content": "Tool call error", "extra": extra}
    read = read_one(write(tmp_path / "a.traj.json", document([SYSTEM, TASK, wrong, *MESSAGES[2:]])))
    assert read.counted[0] == (900, 0, 4, 0)
    assert read.kinds(1) == ["opaque", "system", "user", "user"]


def test_answers_of_the_responses_api_are_read(tmp_path: Path) -> None:
    items = [
        {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "Hm."}],
        },
        {"type": "function_call", "name": "bash", "arguments": "{}", "call_id": "c1"},
    ]
    counts = {
        "input_tokens": 1178,
        "input_tokens_details": {"cached_tokens": 1024},
        "output_tokens": 17,
        "output_tokens_details": {"reasoning_tokens": 5},
    }
    made = {"id": "r1", "object": "response", "model": "gpt-5", "output": items, "usage": counts}
    extra = {"actions": [{"command": "ls", "tool_call_id": "c1"}], "timestamp": AT + 2}
    back = {"type": "function_call_output", "call_id": "c1", "output": "adder.py"}
    messages = [SYSTEM, TASK, {**made, "extra": extra}, {**back, "extra": {"timestamp": AT + 3}}]
    messages.append({**made, "id": "r2", "extra": {"timestamp": AT + 5}})
    read = read_one(write(tmp_path / "a.traj.json", document(messages, "openai/gpt-5")))
    assert read.counted == [(154, 1024, 17, 5)] * 2
    assert read.kinds(1) == [*("opaque", "system", "user", "assistant", "tool_use", "tool_result")]
    assert [(tool.name, tool.output_chars) for tool in read.tools] == [("bash", 8)]


def test_actions_as_text_and_answers_that_were_not_kept(tmp_path: Path) -> None:
    said = {"role": "assistant", "content": "```bash\nls\n```"}
    extra = {"actions": [{"command": "ls"}], "timestamp": AT + 1}
    seen = {"role": "user", "content": "<output>adder.py</output>", "extra": {"timestamp": AT + 2}}
    read = read_one(
        write(
            tmp_path / "a.traj.json", document([SYSTEM, TASK, {**said, "extra": extra}, seen, said])
        )
    )
    assert [call.usage.completeness for call in read.calls] == ["none", "none"]
    assert [(tool.name, tool.output_chars) for tool in read.tools] == [("bash", 25)]
    assert read.kinds(1) == ["opaque", "system", "user", "assistant", "tool_result"]


def test_its_own_total_stands_beside_ours_and_0_is_none(tmp_path: Path) -> None:
    write(tmp_path / "a.traj.json", document(MESSAGES, usd=0.5))
    write(tmp_path / "b.traj.json", document(MESSAGES, usd=0.0))
    (compared,) = gather(tmp_path).comparisons
    assert (compared.task_id, compared.reported_usd) == ("a", Decimal("0.5"))
    assert compared.why
