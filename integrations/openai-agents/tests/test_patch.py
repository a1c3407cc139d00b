"""What is patched and given back, and a host that never notices."""

import importlib.metadata
import logging
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import agents
import pytest
import wrapt
from agents.run_internal import tool_execution
from agents.tracing import spans
from packaging.requirements import Requirement

import touchdown
from tests.docs.snippets import Snippet, read_snippets
from touchdown.integration import Integration, Seam, StepObservation, UnsuitableError
from touchdown.testing import Capture, Reply, ToolUse
from touchdown_openai_agents import OpenAiAgents

HERE = Path(__file__).parents[1]
SNIPPETS = list(read_snippets(HERE / "README.md"))
SURFACES = (spans.SpanImpl, spans.NoOpSpan, spans.Span, tool_execution)


def attributes() -> list[dict[str, Any]]:
    return [dict(vars(surface)) for surface in SURFACES]


def test_uninstrument_restores_by_identity() -> None:
    patched = attributes()
    touchdown.uninstrument()
    own = attributes()
    touchdown.instrument()
    again = attributes()
    touchdown.uninstrument()

    changed = [
        (surface.__name__.rpartition(".")[2], name)
        for surface, before, after in zip(SURFACES, own, again, strict=True)
        for name in before
        if before[name] is not after[name]
    ]
    assert changed == [
        *(("SpanImpl", name) for name in ("start", "finish", "set_error")),
        *(("NoOpSpan", name) for name in ("start", "finish", "set_error")),
        ("tool_execution", "_invoke_function_tool_with_metadata"),
    ]
    assert patched[0]["start"] is not own[0]["start"]
    for before, after in zip(own, attributes(), strict=True):
        assert before.keys() == after.keys()
        assert all(before[name] is after[name] for name in before)


def test_patching_twice_changes_nothing() -> None:
    touchdown.uninstrument()
    integration = OpenAiAgents()
    undo = integration.patch(agents, Seam())
    once = attributes()
    integration.patch(agents, Seam())()
    for before, after in zip(once, attributes(), strict=True):
        assert all(before[name] is after[name] for name in before)
    undo()
    assert not isinstance(vars(spans.SpanImpl)["start"], wrapt.FunctionWrapper)


def test_it_is_found_and_says_so(instrumented: touchdown.Instrumentation) -> None:
    armed = instrumented.patched["agents"]
    assert (armed.state, armed.version) == (
        "patched",
        importlib.metadata.version("openai-agents"),
    )
    assert isinstance(OpenAiAgents(), Integration)


def test_the_supported_range_is_the_one_that_is_installed() -> None:
    needed = importlib.metadata.requires("touchdown-openai-agents") or []
    ranges = {one.name: one.specifier for one in map(Requirement, needed)}
    assert ranges["openai-agents"] == Requirement(OpenAiAgents.supports).specifier


def reinstrument(caplog: pytest.LogCaptureFixture) -> touchdown.Instrumentation:
    touchdown.uninstrument()
    caplog.clear()
    with caplog.at_level(logging.DEBUG, "touchdown"):
        return touchdown.instrument()


def test_an_unsupported_version_is_one_debug_line(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(OpenAiAgents, "supports", "openai-agents>=99")
    armed = reinstrument(caplog).patched["agents"]
    assert armed.state.startswith("not patched: version ")
    (line,) = [one for one in caplog.records if "agents" in one.getMessage()]
    assert (line.levelname, line.exc_info) == ("DEBUG", None)
    assert ">=99" in line.getMessage()


def test_a_package_of_the_users_own_with_that_name_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(UnsuitableError):
        OpenAiAgents().patch(ModuleType("my_agents"), Seam())
    touchdown.uninstrument()
    monkeypatch.delattr(tool_execution, "_invoke_function_tool_with_metadata")
    armed = reinstrument(caplog).patched["agents"]
    assert armed.state == (
        "not patched: the module 'agents' is not the OpenAI Agents SDK as known here"
    )
    (line,) = [one for one in caplog.records if "agents" in one.getMessage()]
    assert line.levelname == "DEBUG"


def broken(*_: Any, **__: Any) -> Any:
    raise RuntimeError("broken on purpose")


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (Seam, "agent_run"),
        (Seam, "tool_call"),
        (StepObservation, "__enter__"),
        (StepObservation, "__exit__"),
        (StepObservation, "finish"),
        (StepObservation, "fail"),
    ],
)
async def test_a_broken_touchdown_does_not_break_the_run(
    owner: Any,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    each_way: Any,
    seen: Capture,
) -> None:
    @agents.function_tool
    def fail(how: str) -> str:
        """Fail."""
        raise ValueError(how)

    expert = each_way.agent(
        "expert", [Reply(tool_uses=[ToolUse("fail", {"how": "x"})]), "Done."], tools=[fail]
    )
    desk = each_way.agent(
        "desk", [Reply(tool_uses=[ToolUse("transfer_to_expert")])], handoffs=[expert]
    )
    monkeypatch.setattr(owner, name, broken)
    result = await each_way.run(desk)
    assert result.final_output == "Done."
    assert len(seen.calls) == 3
    if name != "fail":
        assert "failed; the call is not affected" in caplog.text


async def test_the_sdks_own_tracing_sees_what_it_sees_without_us(
    program: Any, seen: Capture
) -> None:
    async def traced() -> list[tuple[str, bool]]:
        kept = Kept()
        agents.set_trace_processors([kept])
        single = program.agent(
            "single", [Reply(tool_uses=[ToolUse("fail", {"how": "x"})]), "Done."], tools=[fail]
        )
        await program.run(single)
        return kept.ended

    @agents.function_tool
    def fail(how: str) -> str:
        """Fail."""
        raise ValueError(how)

    with_us = await traced()
    touchdown.uninstrument()
    assert with_us == await traced()
    assert ("function", True) in with_us


class Kept(agents.TracingProcessor):
    """Keeps the kind of each span that ended, and whether it had an error."""

    def __init__(self) -> None:
        self.ended: list[tuple[str, bool]] = []

    def on_span_end(self, span: Any) -> None:
        self.ended.append((span.span_data.type, span.error is not None))

    def on_span_start(self, span: Any) -> None: ...

    def on_trace_start(self, trace: Any) -> None: ...

    def on_trace_end(self, trace: Any) -> None: ...

    def shutdown(self) -> None: ...

    def force_flush(self) -> None: ...


@pytest.mark.parametrize("snippet", SNIPPETS, ids=str)
def test_the_readme_runs(snippet: Snippet, tmp_path: Path) -> None:
    script = tmp_path / "snippet.py"
    script.write_text(snippet.code, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(script)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Take an umbrella." in done.stdout
    assert "1 agent" in done.stdout


def test_the_readme_has_its_example() -> None:
    assert len(SNIPPETS) == 1
