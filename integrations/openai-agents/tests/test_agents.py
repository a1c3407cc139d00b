"""Each agent's run, with the calls and the cost that are its own."""

import asyncio
from typing import Any

import pytest
from agents import (
    Agent,
    GuardrailFunctionOutput,
    InputGuardrail,
    InputGuardrailTripwireTriggered,
    MaxTurnsExceeded,
    OutputGuardrail,
    OutputGuardrailTripwireTriggered,
    RunConfig,
    Runner,
    SQLiteSession,
    function_tool,
)

import touchdown
from touchdown.testing import Capture, Reply, ToolUse


@function_tool
def look(where: str) -> str:
    """Look somewhere."""
    return f"Nothing in {where}."


def names_of_calls(seen: Capture) -> list[str]:
    """The agent of each model call, by name, in the order they were sent."""
    runs = {run.id: run.name for run in seen.agents}
    return [runs[call.agent_id] for call in sorted(seen.calls, key=lambda call: call.sent_at_ns)]


def tree(seen: Capture) -> set[tuple[str, str]]:
    """Every span with its parent, by name."""
    by_id = {span.context.span_id: span.name for span in seen.spans if span.context}
    return {(by_id[span.parent.span_id] if span.parent else "", span.name) for span in seen.spans}


@pytest.mark.parametrize("traced", [True, False])
async def test_one_agent_in_every_way_to_run(each_way: Any, traced: bool, seen: Capture) -> None:
    each_way.traced = traced
    finder = each_way.agent(
        "finder", [Reply(tool_uses=[ToolUse("look", {"where": "here"})]), "None."], tools=[look]
    )

    with touchdown.task("find"):
        result = await each_way.run(finder)

    assert result.final_output == "None."
    (run,) = seen.agents
    assert (run.name, run.parent_id, run.status) == ("finder", seen.tasks[0].id, "ok")
    assert [call.agent_id for call in seen.calls] == [run.id, run.id]
    assert [tool.agent_id for tool in seen.tools] == [run.id]
    assert tree(seen) == {
        ("", "invoke_workflow find"),
        ("invoke_workflow find", "invoke_agent finder"),
        ("invoke_agent finder", "chat gpt-5-mini"),
        ("invoke_agent finder", "execute_tool look"),
    }
    assert len({span.context.trace_id for span in seen.spans if span.context}) == 1


async def test_usage_is_the_providers_and_billed_once(each_api: Any, seen: Capture) -> None:
    finder = each_api.agent(
        "finder", [Reply(tool_uses=[ToolUse("look", {"where": "here"})]), "None."], tools=[look]
    )

    with touchdown.task("find") as task:
        result = await each_api.run(finder)

    told = result.context_wrapper.usage
    assert told.requests == len(seen.calls) == len(each_api.asked) == 2
    usage = task.totals.usage
    assert usage.uncached_input + usage.cache_read == told.input_tokens
    assert usage.output == told.output_tokens
    costs = [verdict.cost.total for verdict in seen.verdicts if verdict.cost]
    (run,) = task.totals.agent_runs
    assert run.own_usd == run.total_usd == sum(costs) == task.totals.money.total_usd
    assert run.own_usd > 0


async def test_a_handoff_begins_an_agent_beside_the_first(each_way: Any, seen: Capture) -> None:
    expert = each_way.agent("expert", ["Done."])
    desk = each_way.agent(
        "desk", [Reply(tool_uses=[ToolUse("transfer_to_expert")])], handoffs=[expert]
    )

    with touchdown.task("ask") as task:
        result = await each_way.run(desk)

    assert result.final_output == "Done."
    first, second = seen.agents
    assert [first.name, second.name] == ["desk", "expert"]
    assert first.parent_id == second.parent_id == task.id
    assert first.started_at_ns + first.duration_ns <= second.started_at_ns
    assert names_of_calls(seen) == ["desk", "expert"]
    own = {run.name: run.own_usd for run in task.totals.agent_runs}
    assert own["desk"] + own["expert"] == task.totals.money.total_usd
    assert min(own.values()) > 0
    assert seen.tools == []


async def test_an_agent_as_a_tool_is_below_the_tool(each_way: Any, seen: Capture) -> None:
    translator = each_way.agent(
        "translator",
        [Reply(tool_uses=[ToolUse("look", {"where": "there"})]), "Rien."],
        tools=[look],
    )
    as_tool = translator.as_tool("translate", "Translates.")
    writer = each_way.agent(
        "writer",
        [Reply(tool_uses=[ToolUse("translate", {"input": "nothing"}, id="t1")]), "Voila."],
        tools=[as_tool],
    )

    with touchdown.task("write") as task:
        await each_way.run(writer)

    runs = {run.name: run for run in seen.agents}
    assert runs["translator"].parent_id == runs["writer"].id
    assert names_of_calls(seen) == ["writer", "translator", "translator", "writer"]
    tools = {tool.name: tool for tool in seen.tools}
    assert (tools["translate"].call_id, tools["translate"].output_chars) == ("t1", len("Rien."))
    assert tools["translate"].agent_id == runs["writer"].id
    assert tools["look"].agent_id == runs["translator"].id
    assert {
        ("invoke_agent writer", "execute_tool translate"),
        ("execute_tool translate", "invoke_agent translator"),
        ("invoke_agent translator", "execute_tool look"),
    } < tree(seen)
    totals = {run.name: run for run in task.totals.agent_runs}
    assert totals["writer"].total_usd == task.totals.money.total_usd
    assert totals["writer"].own_usd + totals["translator"].total_usd == totals["writer"].total_usd


async def test_agents_side_by_side_keep_their_calls(program: Any, seen: Capture) -> None:
    many = [
        program.agent(
            f"one{number}",
            [Reply(tool_uses=[ToolUse("look", {"where": "x"})]), "No."],
            tools=[look],
        )
        for number in range(5)
    ]
    with touchdown.task("all") as task:
        await asyncio.gather(*(program.run(agent) for agent in many))

    runs = {run.id: run.name for run in seen.agents}
    assert sorted(runs.values()) == [f"one{number}" for number in range(5)]
    assert {run.model_calls for run in task.totals.agent_runs} == {2}
    assert sorted(runs[tool.agent_id] for tool in seen.tools) == sorted(runs.values())


async def test_too_many_turns(each_way: Any, seen: Capture) -> None:
    circling = each_way.agent(
        "circling", [Reply(tool_uses=[ToolUse("look", {"where": "x"})])] * 3, tools=[look]
    )
    with pytest.raises(MaxTurnsExceeded):
        await each_way.run(circling, max_turns=2)
    (run,) = seen.agents
    assert run.status == "error"
    if each_way.how != "streamed":  # a stream raises to its reader only, after the run has ended
        assert run.error_type == "agents.exceptions.MaxTurnsExceeded"
    assert len(seen.calls) == 2


async def test_a_failure_before_the_run_is_not_the_runs(program: Any, seen: Capture) -> None:
    fine = program.agent("fine", ["Yes."])
    try:
        raise KeyError("earlier")
    except KeyError:
        await program.run(fine)
    assert [(run.status, run.error_type) for run in seen.agents] == [("ok", None)]


async def guard(*_: Any) -> GuardrailFunctionOutput:
    return GuardrailFunctionOutput(None, tripwire_triggered=True)


async def test_a_guardrails_tripwire_ends_the_agent(each_way: Any, seen: Capture) -> None:
    before = each_way.agent(
        "before", ["No."], input_guardrails=[InputGuardrail(guard, run_in_parallel=False)]
    )
    after = each_way.agent("after", ["No."], output_guardrails=[OutputGuardrail(guard)])
    with touchdown.task("guarded") as task:
        with pytest.raises(InputGuardrailTripwireTriggered):
            await each_way.run(before)
        with pytest.raises(OutputGuardrailTripwireTriggered):
            await each_way.run(after)
    ended = {run.name: run.error_type for run in seen.agents}
    assert ended.pop("after") == "agents.exceptions.OutputGuardrailTripwireTriggered"
    assert ended in (
        {},  # a streamed run checks such a guardrail before it begins the agent
        {"before": "agents.exceptions.InputGuardrailTripwireTriggered"},
    )
    assert names_of_calls(seen) == ["after"]
    assert (seen.tools, task.totals.tool_calls) == ([], 0)


async def test_what_a_guardrails_agent_costs(program: Any, seen: Capture) -> None:
    judge = program.agent("judge", ["Fine."])

    async def ask(_context: Any, _agent: Agent[Any], given: Any) -> GuardrailFunctionOutput:
        await program.run(judge, given)
        return GuardrailFunctionOutput(None, tripwire_triggered=False)

    speaker = program.agent("speaker", ["Hello."], input_guardrails=[InputGuardrail(ask)])
    with touchdown.task("guarded"):
        await program.run(speaker)
    runs = {run.name: run for run in seen.agents}
    assert runs["judge"].parent_id == runs["speaker"].id
    assert sorted(names_of_calls(seen)) == ["judge", "speaker"]


async def test_a_cancelled_stream(program: Any, seen: Capture) -> None:
    slow = program.agent("slow", [Reply("word " * 200, chunk_delay_s=0.05)])
    with touchdown.task("read"):
        result = Runner.run_streamed(slow, "Go.", run_config=RunConfig(tracing_disabled=True))
        async for event in result.stream_events():
            if event.type == "raw_response_event":
                result.cancel()
        await asyncio.gather(result.run_loop_task, return_exceptions=True)
    (run,) = seen.agents
    (call,) = seen.calls
    assert (run.status, call.agent_id) == ("cancelled", run.id)
    assert call.status in ("cancelled", "closed_early")


async def test_a_session_is_one_conversation_of_several_runs(program: Any, seen: Capture) -> None:
    talker = program.agent("talker", ["One.", "Two."])
    session = SQLiteSession("chat")
    for said in ("first", "second"):
        with touchdown.task("turn", conversation="chat"):
            await program.run(talker, said, session=session)
    session.close()
    assert [run.name for run in seen.agents] == ["talker", "talker"]
    assert [call.task_id for call in seen.calls] == [run.task_id for run in seen.agents]
    spans = [span for span in seen.spans if span.name == "invoke_agent talker"]
    assert [span.attributes["gen_ai.conversation.id"] for span in spans] == ["chat", "chat"]


async def test_without_a_task(program: Any, seen: Capture) -> None:
    await program.run(program.agent("alone", ["Yes."]))
    (account,) = seen.accounts
    (run,) = account.agent_runs
    assert (run.name, run.own_usd, account.model_calls) == ("alone", account.money.total_usd, 1)


async def test_switched_off_there_are_calls_and_no_agents(program: Any, seen: Capture) -> None:
    touchdown.uninstrument()
    touchdown.instrument(integrations=False)
    finder = program.agent(
        "finder", [Reply(tool_uses=[ToolUse("look", {"where": "x"})]), "Yes."], tools=[look]
    )
    result = await program.run(finder)
    assert (result.final_output, len(seen.calls)) == ("Yes.", 2)
    assert (seen.agents, seen.tools) == ([], [])
