"""A trace's spans together: sums on parents count nothing, and a call that several saw counts once."""

import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.accounting.build import FixedPrices
from tests.telemetry.foreign.spans import (
    TRACE,
    agent,
    agents,
    calls,
    chat,
    read,
    span,
    tasks,
    tool,
    tools,
)
from touchdown.accounting.ledger import refold
from touchdown.telemetry.span import SpanView


def inputs(*spans: SpanView) -> list[int | None]:
    return sorted(call.usage.input_tokens or 0 for call in calls(read(*spans)))


def test_the_root_is_the_task_and_agents_are_agents() -> None:
    root = agent("planner", tokens=60)
    search = tool("search", parent=root)
    helper = agent("helper", parent=search, tokens=50)
    told = read(chat(10, parent=root), chat(50, parent=helper), helper, search, root)
    (task,) = tasks(told)
    assert (task.id, task.name, task.parent_id) == (TRACE, "planner", "")
    (run,) = agents(told)
    assert (run.name, run.parent_id) == ("helper", TRACE)
    assert {call.usage.uncached: call.agent_id for call in calls(told)} == {10: TRACE, 50: run.id}
    assert [(found.name, found.agent_id) for found in tools(told)] == [("search", TRACE)]


def test_a_trace_without_models_agents_or_tools_is_nothing() -> None:
    assert read(span("GET /", {"http.route": "/"})) == []


@st.composite
def trees(draw: Any) -> tuple[list[SpanView], int]:
    """Agents, chains and tools in each other, every parent with the sum of what lies below it."""
    spans: list[SpanView] = []

    def grow(parent: SpanView | None, depth: int) -> int:
        total = 0
        for _ in range(draw(st.integers(0, 3))):
            kind = draw(st.sampled_from(["call", "agent", "chain", "tool"]))
            if kind == "call" or depth > 3:
                tokens = draw(st.integers(0, 1_000))
                spans.append(chat(tokens, parent=parent))
                total += tokens
                continue
            made = {
                "agent": lambda: agent("a", parent=parent),
                "chain": lambda: span("chain", {"openinference.span.kind": "CHAIN"}, parent=parent),
                "tool": lambda: tool("t", parent=parent),
            }[kind]()
            below = grow(made, depth + 1)
            key = "llm.token_count.prompt" if kind == "chain" else "gen_ai.usage.input_tokens"
            attributes = dict(made.attributes)
            attributes[key] = below
            spans.append(
                SpanView(
                    made.name,
                    made.trace_id,
                    made.span_id,
                    made.parent_id,
                    made.began_ns,
                    made.ended_ns,
                    attributes,
                )
            )
            total += below
        return total

    total = grow(None, 0)
    return spans, total


@settings(max_examples=80)
@given(trees(), st.randoms(use_true_random=False))
def test_usage_is_conserved_in_any_order(
    tree: tuple[list[SpanView], int], rng: random.Random
) -> None:
    spans, total = tree
    rng.shuffle(spans)
    told = read(*spans, *spans[:3])
    assert sum(call.usage.input_tokens or 0 for call in calls(told)) == total
    if calls(told):
        usage = refold(told, FixedPrices()).account().usage
        assert usage.uncached_input == total


def test_of_two_instrumentations_around_one_call_the_inner_counts() -> None:
    outer = span("LLM", {"openinference.span.kind": "LLM", "llm.token_count.prompt": 10})
    middle = span("POST", {}, parent=outer)
    assert inputs(outer, middle, chat(10, parent=middle)) == [10]
    silent = chat(0, parent=middle, **{"gen_ai.usage.input_tokens": "?"})
    assert inputs(outer, middle, silent) == [10]


def test_a_sub_agent_inside_a_tool_inside_a_model_span_is_calls_of_its_own() -> None:
    outer = chat(10)
    inside = tool("ask", parent=outer)
    assert inputs(outer, inside, chat(7, parent=inside)) == [7, 10]


def test_one_response_id_is_one_call() -> None:
    told = {"gen_ai.response.id": "resp_1"}
    assert inputs(chat(10, **told), chat(10, **told), chat(3)) == [3, 10]


def test_one_tool_seen_twice_is_one_tool_call() -> None:
    outer = tool("search")
    told = read(outer, tool("search", parent=outer))
    assert len(tools(told)) == 1
    same = {"gen_ai.tool.call.id": "t1"}
    assert len(tools(read(tool("a", **same), tool("a", **same)))) == 1


def test_claude_codes_agents_are_known_by_their_attributes() -> None:
    root = span("claude_code.interaction", {"session.id": "s"})
    told = {"model": "claude-sonnet-5", "input_tokens": 5, "output_tokens": 1}
    main = span("claude_code.llm_request", told, parent=root)
    side = {**told, "agent_id": "a1", "query_source": "Explore", "request_id": "req_1"}
    below = span("claude_code.llm_request", side, parent=root)
    event = span("claude_code.api_request", {**side, "cost_usd": 0.1})
    found = read(root, main, below, event)
    assert sorted(call.agent_id for call in calls(found)) == sorted([TRACE, "a1"])
    assert [(run.id, run.name, run.parent_id) for run in agents(found)] == [
        ("a1", "Explore", TRACE)
    ]
    assert [task.conversation for task in tasks(found)] == ["s"]
