"""Each execution of a function tool: its result, its call id, and whether it failed."""

import asyncio
import threading
from typing import Any

import pytest
from agents import UserError, function_tool, get_current_span
from agents.exceptions import ToolTimeoutError

import touchdown
from touchdown.testing import Capture, Reply, ToolUse


@function_tool
def shorten(text: str) -> str:
    """Shorten a text."""
    return text[:3]


def explode(how: str) -> str:
    """Explode."""
    raise LookupError(f"no {how}")


def calls(*uses: ToolUse) -> list[Reply | str]:
    return [Reply(tool_uses=list(uses)), "Done."]


async def run_failing(program: Any, tool: Any) -> Any:
    failing = program.agent(
        "failing", calls(ToolUse(tool.name, {"how": "luck"}, "f1")), tools=[tool]
    )
    with touchdown.task("fail") as task:
        await program.run(failing)
    return task


async def test_a_tool_that_answers(each_api: Any, seen: Capture) -> None:
    plain = each_api.agent(
        "plain", calls(ToolUse("shorten", {"text": "abcdef"}, "s1")), tools=[shorten]
    )
    with touchdown.task("shorten") as task:
        await each_api.run(plain)
    (tool,) = seen.tools
    assert (tool.name, tool.call_id, tool.output_chars) == ("shorten", "s1", 3)
    assert (tool.failed, tool.source, tool.status) == (False, "integration", "ok")
    assert tool.argument_digest
    (row,) = task.totals.tools
    assert (row.name, row.calls, row.failed, row.output_chars) == ("shorten", 1, 0, 3)


@pytest.mark.parametrize("traced", [True, False])
async def test_a_tool_that_raised_failed_whatever_the_model_was_told(
    each_way: Any, traced: bool, seen: Capture
) -> None:
    each_way.traced = traced
    task = await run_failing(each_way, function_tool(explode))

    (tool,) = seen.tools
    (told,) = each_way.provider.requests[-1].tool_results
    assert told[0] == "f1"
    assert told[1].startswith("An error occurred while running the tool. Please try again.")
    assert (tool.failed, tool.failure, tool.status) == (True, "raised", "error")
    assert (tool.error_type, tool.output_chars) == ("LookupError", len(told[1]))
    (row,) = task.totals.tools
    assert (row.calls, row.failed) == (1, 1)
    assert task.totals.money.taxes["failed_tools"] > 0
    assert [run.status for run in seen.agents] == ["ok"]


async def test_a_message_of_the_programs_own(program: Any, seen: Capture) -> None:
    def explain(_context: Any, error: Exception) -> str:
        return f"Sorry: {error}"

    task = await run_failing(program, function_tool(explode, failure_error_function=explain))
    (tool,) = seen.tools
    assert program.provider.requests[-1].tool_results == [("f1", "Sorry: no luck")]
    assert (tool.failed, tool.failure, tool.error_type) == (True, "raised", "LookupError")
    assert task.totals.tools[0].failed == 1


async def test_a_tool_that_ends_the_run(program: Any, seen: Capture) -> None:
    with pytest.raises(UserError, match="no luck"):
        await run_failing(program, function_tool(explode, failure_error_function=None))
    (tool,) = seen.tools
    (run,) = seen.agents
    assert (tool.failure, tool.error_type, tool.output_chars) == ("raised", "LookupError", None)
    assert (run.status, run.error_type) == ("error", "agents.exceptions.UserError")


async def sleep(how: str) -> str:
    """Sleep."""
    await asyncio.Event().wait()
    return how


async def test_a_tool_that_took_too_long(program: Any, seen: Capture) -> None:
    task = await run_failing(program, function_tool(sleep, timeout=0.01))
    (tool,) = seen.tools
    assert (tool.failed, tool.failure) == (True, "protocol")
    assert task.totals.tools[0].failed == 1


async def test_a_tool_that_took_too_long_and_ends_the_run(program: Any, seen: Capture) -> None:
    slow = function_tool(sleep, timeout=0.01, timeout_behavior="raise_exception")
    with pytest.raises(ToolTimeoutError):
        await run_failing(program, slow)
    (tool,) = seen.tools
    assert (tool.failure, tool.error_type) == ("raised", "agents.exceptions.ToolTimeoutError")


async def test_a_tool_that_flags_its_own_span(program: Any, seen: Capture) -> None:
    @function_tool
    def flagged(how: str) -> str:
        """Flag."""
        span = get_current_span()
        assert span is not None
        span.set_error({"message": "half done", "data": None})
        return how

    await run_failing(program, flagged)
    (tool,) = seen.tools
    assert (tool.failed, tool.failure, tool.error_type) == (True, "protocol", None)


async def test_an_error_below_a_tool_is_not_the_tools(program: Any, seen: Capture) -> None:
    clumsy = program.agent(
        "clumsy",
        calls(ToolUse("explode", {"how": "care"}, "inner")),
        tools=[function_tool(explode)],
    )
    outer = program.agent(
        "outer",
        calls(ToolUse("delegate", {"input": "it"}, "outer")),
        tools=[clumsy.as_tool("delegate", "Delegates.")],
    )
    with touchdown.task("below"):
        await program.run(outer)
    assert {tool.call_id: tool.failed for tool in seen.tools} == {"inner": True, "outer": False}


async def test_parallel_tools_are_joined_with_their_results(each_api: Any, seen: Capture) -> None:
    """They end in the reverse of the order in which they were asked for."""
    others = {"a": threading.Event(), "b": threading.Event(), "c": threading.Event()}
    order = {"a": "b", "b": "c"}

    @function_tool
    def wait(key: str) -> str:
        """Wait for the one behind."""
        if key in order:
            assert others[order[key]].wait(10)
        others[key].set()
        return key * (ord(key) - ord("a") + 1)

    many = each_api.agent(
        "many", calls(*(ToolUse("wait", {"key": key}, f"id-{key}") for key in "abc")), tools=[wait]
    )
    with touchdown.task("parallel") as task:
        await each_api.run(many)

    results = dict(each_api.provider.requests[-1].tool_results)
    assert results == {"id-a": "a", "id-b": "bb", "id-c": "ccc"}
    assert {tool.call_id: tool.output_chars for tool in seen.tools} == {
        key: len(text) for key, text in results.items()
    }
    assert {tool.agent_id for tool in seen.tools} == {seen.agents[0].id}
    (row,) = task.totals.tools
    assert (row.calls, row.failed, row.output_chars) == (3, 0, 6)


async def recorded(seen: Capture) -> None:
    """The SDK lets a cancelled tool end in its own time."""
    while not seen.tools:
        await asyncio.sleep(0)


async def test_a_tool_that_is_cancelled_did_not_fail(program: Any, seen: Capture) -> None:
    begun = asyncio.Event()

    @function_tool
    async def hang(how: str) -> str:
        """Hang."""
        begun.set()
        await asyncio.Event().wait()
        return how

    with touchdown.task("stop"):
        hanging = program.agent("hanging", calls(ToolUse("hang", {"how": "x"})), tools=[hang])
        running = asyncio.create_task(program.run(hanging))
        await begun.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        await asyncio.wait_for(recorded(seen), 10)
    (tool,) = seen.tools
    (run,) = seen.agents
    assert (tool.status, tool.failed, run.status) == ("cancelled", False, "cancelled")


async def test_a_decorated_tool_inside_is_a_step_of_its_own(program: Any, seen: Capture) -> None:
    @touchdown.tool
    def inner(text: str) -> str:
        return text.upper()

    @function_tool
    def outer(how: str) -> str:
        """Call another."""
        return inner(how)

    await run_failing(program, outer)
    assert {tool.name: tool.source for tool in seen.tools} == {
        "inner": "decorator",
        "outer": "integration",
    }


async def test_a_tool_that_waits_for_approval_was_not_executed(program: Any, seen: Capture) -> None:
    careful = function_tool(explode, needs_approval=True)
    asking = program.agent("asking", calls(ToolUse("explode", {"how": "x"}, "a1")), tools=[careful])
    with touchdown.task("approve"):
        result = await program.run(asking)
        assert (len(result.interruptions), seen.tools) == (1, [])
        state = result.to_state()
        state.approve(result.interruptions[0])
        resumed = await program.run(asking, state)
    assert resumed.final_output == "Done."
    assert [(tool.call_id, tool.failed) for tool in seen.tools] == [("a1", True)]
    assert [run.name for run in seen.agents] == ["asking", "asking"]
