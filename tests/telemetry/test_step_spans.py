"""Tool calls, agent runs and tasks as INTERNAL spans."""

from typing import Any

import pytest
from msgspec.structs import replace

from tests.telemetry.conftest import Seen, memory_provider
from tests.telemetry.samples import (
    AGENT,
    AGENT_START,
    BEGAN_NS,
    TASK,
    TASK_START,
    TOOK_NS,
    TOOL,
    TOOL_START,
)
from touchdown.telemetry import SpanSink


def whole(seen: Seen) -> dict[str, Any]:
    """The one span without its check."""
    span = seen.only()
    assert len(span["attributes"].pop("touchdown.span.check")) == 8
    return span


def test_a_tool_call(seen: Seen) -> None:
    opened = seen.sink.open(TOOL_START)
    assert opened is not None
    opened.close(TOOL, None)
    assert whole(seen) == {
        "name": "execute_tool run_tests",
        "kind": "INTERNAL",
        "began_ns": BEGAN_NS,
        "ended_ns": BEGAN_NS + TOOK_NS,
        "status": "UNSET",
        "attributes": {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": "run_tests",
            "gen_ai.tool.type": "function",
            "gen_ai.tool.call.id": "toolu_1",
            "gen_ai.agent.name": "reviewer",
            "gen_ai.conversation.id": "conversation-1",
            "touchdown.call.id": "step-1",
            "touchdown.call.status": "ok",
            "touchdown.task.id": "task-1",
            "touchdown.agent.id": "agent-1",
            "touchdown.tool.output.chars": 900,
            "touchdown.tool.output.digest": "r5",
            "touchdown.tool.arguments.digest": "a5",
            "touchdown.tool.failed": False,
            "touchdown.tool.source": "decorator",
            "touchdown.task.implicit": True,
            "touchdown.span.number": 1,
        },
    }


@pytest.mark.parametrize(
    ("failure", "status", "error_type", "shown"),
    [
        ("raised", "error", "ValueError", "ValueError"),
        ("protocol", "ok", None, "tool_error"),
        ("rule", "ok", None, "tool_error"),
    ],
)
def test_a_failed_tool_call_is_an_error(
    seen: Seen, failure: str, status: str, error_type: str | None, shown: str
) -> None:
    opened = seen.sink.open(TOOL_START)
    assert opened is not None
    tool = replace(TOOL, failed=True, failure=failure, status=status, error_type=error_type)
    opened.close(tool, None)
    span = seen.only()
    assert span["status"] == "ERROR"
    assert span["attributes"]["error.type"] == shown
    assert span["attributes"]["touchdown.tool.failed"] is True
    assert span["attributes"]["touchdown.tool.failure"] == failure


def test_a_tool_whose_output_could_not_be_measured_has_no_length(seen: Seen) -> None:
    opened = seen.sink.open(TOOL_START)
    assert opened is not None
    opened.close(replace(TOOL, output_chars=None), None)
    assert "touchdown.tool.output.chars" not in seen.only()["attributes"]


def test_an_agent_run_has_no_usage_of_its_own(seen: Seen) -> None:
    opened = seen.sink.open(AGENT_START)
    assert opened is not None
    opened.close(AGENT, None)
    assert whole(seen) == {
        "name": "invoke_agent reviewer",
        "kind": "INTERNAL",
        "began_ns": BEGAN_NS,
        "ended_ns": BEGAN_NS + TOOK_NS,
        "status": "UNSET",
        "attributes": {
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.agent.name": "reviewer",
            "touchdown.call.id": "agent-1",
            "touchdown.call.status": "ok",
            "touchdown.task.id": "task-1",
            "touchdown.agent.id": "agent-1",
            "touchdown.agent.parent.id": "task-1",
            "touchdown.agent.result_chars": 120,
            "touchdown.task.implicit": True,
            "touchdown.span.number": 1,
        },
    }


def test_a_task_is_the_root_and_carries_the_settled_ledger() -> None:
    provider, memory = memory_provider()
    asked = []

    def settled(task_id: str) -> dict[str, float]:
        asked.append(task_id)
        return {"touchdown.task.cost.usd": 1.25}

    sink = SpanSink(tracer_provider=provider, settled=settled)
    opened = sink.open(TASK_START)
    assert opened is not None
    assert asked == []
    opened.close(TASK, None)
    assert asked == ["task-1"]
    assert whole(Seen(sink, provider, memory)) == {
        "name": "invoke_workflow fix issue",
        "kind": "INTERNAL",
        "began_ns": BEGAN_NS,
        "ended_ns": BEGAN_NS + TOOK_NS,
        "status": "UNSET",
        "attributes": {
            "gen_ai.operation.name": "invoke_workflow",
            "gen_ai.agent.name": "fix issue",
            "gen_ai.conversation.id": "conversation-1",
            "user.id": "u-7",
            "touchdown.task.id": "task-1",
            "touchdown.task.name": "fix issue",
            "touchdown.task.outcome": "useful",
            "touchdown.task.outcome_reason": "tests pass",
            "touchdown.task.score": 0.9,
            "touchdown.task.tag.team": "core",
            "touchdown.task.tag.shift": "night",
            "touchdown.task.cost.usd": 1.25,
            "touchdown.task.spans.model_calls": 0,
            "touchdown.task.spans.tool_calls": 0,
            "touchdown.task.spans.agents": 0,
            "touchdown.task.spans.tasks": 0,
        },
    }


def test_a_ledger_that_cannot_be_settled_costs_only_its_figures(seen: Seen) -> None:
    def broken(_task_id: str) -> dict[str, float]:
        raise RuntimeError("no ledger")

    sink = SpanSink(tracer_provider=seen.provider, settled=broken)
    opened = sink.open(TASK_START)
    assert opened is not None
    opened.close(replace(TASK, error_type="ValueError"), None)
    span = seen.only()
    assert span["attributes"]["touchdown.task.id"] == "task-1"
    assert (span["status"], span["attributes"]["error.type"]) == ("ERROR", "ValueError")


def test_the_task_of_calls_outside_any_task_has_no_span(seen: Seen) -> None:
    assert seen.sink.open(replace(TASK_START, implicit=True)) is None
