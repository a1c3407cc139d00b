"""ATIF trajectories, in the shapes of Harbor's models (ATIF-v1.4 to v1.7)."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.sessions.reading import read_one
from tests.sessions.test_pool import gather
from touchdown.prices.book import PriceBook


def step(number: int, source: str, words: str, **more: Any) -> dict[str, Any]:
    at = f"2026-04-01T10:00:{number:02}Z"
    return {"step_id": number, "timestamp": at, "source": source, "message": words, **more}


def metrics(given: int, made: int, cached: int, **extra: Any) -> dict[str, Any]:
    named = {"prompt_tokens": given, "completion_tokens": made, "cached_tokens": cached}
    return {**named, "extra": extra} if extra else named


def bash(call_id: str, command: str) -> dict[str, Any]:
    return {"tool_call_id": call_id, "function_name": "bash", "arguments": {"command": command}}


def seen(call_id: str, words: str, **more: Any) -> dict[str, Any]:
    return {"results": [{"source_call_id": call_id, "content": words, **more}]}


def trajectory(*steps: dict[str, Any], **more: Any) -> dict[str, Any]:
    agent = {"name": "terminus-2", "version": "2.0.0", "model_name": "anthropic/claude-sonnet-4-5"}
    named = {"schema_version": "ATIF-v1.7", "session_id": "run-1", "agent": agent}
    return {**named, "steps": list(steps), **more}


STEPS = (
    step(1, "system", "You are an agent."),
    step(2, "user", "Mend it."),
    step(
        3,
        "agent",
        "I look.",
        reasoning_content="hm",
        tool_calls=[bash("c1", "ls")],
        observation=seen("c1", "adder.py"),
        metrics=metrics(3000, 40, 0, cache_creation_input_tokens=2900),
    ),
    step(4, "agent", "Done.", metrics=metrics(3100, 10, 2900, reasoning_tokens=4)),
)


def write(path: Path, document: dict[str, Any]) -> Path:
    path.write_text(json.dumps(document, indent=2))
    return path


def test_steps_of_the_agent_are_model_calls(tmp_path: Path) -> None:
    read = read_one(write(tmp_path / "trajectory.json", trajectory(*STEPS)))
    assert read.counted == [(100, 0, 40, None), (200, 2900, 10, 4)]
    assert read.calls[0].usage.cache_write == {"unknown": 2900}
    assert {(c.provider, c.model) for c in read.calls} == {("anthropic", "claude-sonnet-4-5")}
    assert read.kinds(1) == [
        *("opaque", "system", "user", "thinking", "assistant", "tool_use", "tool_result")
    ]
    assert [(tool.name, tool.output_chars, tool.failed) for tool in read.tools] == [
        ("bash", 8, False)
    ]
    account = read.account(PriceBook())
    assert account.money.complete
    assert account.money.total_usd > 0


def test_its_own_total_stands_beside_ours(tmp_path: Path) -> None:
    final = {"total_prompt_tokens": 7000, "total_completion_tokens": 50, "total_cost_usd": 0.5}
    write(tmp_path / "a.json", trajectory(*STEPS, final_metrics=final))
    (compared,) = gather(tmp_path).comparisons
    assert (compared.said_by, compared.reported_usd) == (
        "final_metrics.total_cost_usd",
        Decimal("0.5"),
    )
    assert compared.why == (
        "claude-sonnet-4-5: the source counts 900 tokens more than its lines hold",
    )


def test_without_a_total_its_steps_are_added_up(tmp_path: Path) -> None:
    steps = [dict(one) for one in STEPS]
    for one in steps[2:]:
        one["metrics"] = {**one["metrics"], "cost_usd": 0.01}
    reported = read_one(write(tmp_path / "a.json", trajectory(*steps))).session.reported
    assert reported is not None
    assert (reported.usd, reported.said_by) == (Decimal("0.02"), "metrics.cost_usd")


def test_copied_steps_are_read_and_not_counted(tmp_path: Path) -> None:
    copied = [{**one, "is_copied_context": True} for one in STEPS]
    own = step(5, "agent", "More.", metrics=metrics(3200, 5, 3000))
    read = read_one(write(tmp_path / "a.json", trajectory(*copied, own)))
    assert read.counted == [(200, 3000, 5, None)]
    assert read.kinds(0).count("assistant") == 2
    assert read.tools == []


def test_an_embedded_trajectory_is_a_sub_agent_of_the_same_task(tmp_path: Path) -> None:
    ref = [{"trajectory_id": "sub-1", "session_id": "run-1"}]
    spawned = {**STEPS[2], "observation": seen("c1", "found", subagent_trajectory_ref=ref)}
    inner = trajectory(
        step(3, "user", "Look."),
        step(4, "agent", "Found.", metrics=metrics(500, 5, 0)),
        trajectory_id="sub-1",
        agent={"name": "searcher", "version": "1", "model_name": "gpt-5-mini"},
    )
    document = trajectory(*STEPS[:2], spawned, STEPS[3], subagent_trajectories=[inner])
    read = read_one(write(tmp_path / "a.json", document))
    assert len(read.calls) == 3
    (run,) = read.agents
    assert (run.id, run.parent_id, run.name) == ("sub-1", "run-1", "searcher")
    (sub,) = [call for call in read.calls if call.agent_id == "sub-1"]
    assert (sub.provider, sub.model) == ("openai", "gpt-5-mini")
    assert read.session.notes == ()


def test_what_it_leaves_open_is_said(tmp_path: Path) -> None:
    elsewhere = seen("c1", "x", subagent_trajectory_ref=[{"trajectory_path": "sub.json"}])
    steps = [
        step(1, "user", "Go."),
        step(2, "agent", "a", observation=elsewhere),
        step(3, "agent", "b", llm_call_count=3, metrics=metrics(900, 9, 0)),
        step(4, "agent", "by a rule", llm_call_count=0),
    ]
    for one in steps:
        del one["timestamp"]
    read = read_one(write(tmp_path / "a.json", trajectory(*steps)))
    assert len(read.calls) == 2
    assert read.calls[0].usage.completeness == "none"
    assert [note.split(":")[0] for note in read.session.notes] == [
        "some of its sub-agents lie in files of their own",
        "some steps stand for several model calls",
        "it carries no times",
    ]
    assert not read.account(PriceBook()).money.complete


def test_a_model_without_a_provider_is_its_maker_s_only_by_its_exact_id(tmp_path: Path) -> None:
    for number, (model, provider) in enumerate(
        {
            "gpt-5": "openai",
            "claude-sonnet-4-5-20250929": "anthropic",
            "gemini-2.5-pro": "gcp.gemini",
            "gpt-5-imagined": "",
            "hosted_vllm/gpt-5": "hosted_vllm",
        }.items()
    ):
        agent = {"name": "a", "version": "1", "model_name": model}
        document = trajectory(*STEPS[1:], session_id=f"run-{number}", agent=agent)
        read = read_one(write(tmp_path / f"{number}.json", document))
        assert {call.provider for call in read.calls} == {provider}
        priced = provider not in ("", "hosted_vllm")
        assert bool(read.account(PriceBook()).money.total_usd) is priced
