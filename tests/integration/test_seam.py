"""What a third party's integration may say, and what becomes of one that does not suit."""

import importlib.metadata
import logging
import sys
import uuid
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

import touchdown
from touchdown import api
from touchdown.integration import Seam, UnsuitableError
from touchdown.testing import capture


def test_a_tool_that_raised_and_whose_host_made_a_message_of_it() -> None:
    with capture() as seen:
        step = Seam().tool_call("search", call_id="c1", arguments='{"for": "x"}')
        assert step is not None
        with step:
            pass
        step.finish("It did not work.", error=LookupError("nothing there"))
        step.finish("too late")
        (tool,) = seen.tools
    assert (tool.failed, tool.failure, tool.status) == (True, "raised", "error")
    assert (tool.error_type, tool.output_chars) == ("LookupError", len("It did not work."))
    assert (tool.call_id, tool.source) == ("c1", "integration")


def test_arguments_are_kept_as_a_digest() -> None:
    with capture() as seen, touchdown.task("digests"):
        for arguments in ("same", "same", "other", None):
            step = Seam().tool_call("search", arguments=arguments)
            assert step is not None
            step.finish("")
        first, again, other, none = (tool.argument_digest for tool in seen.tools)
    assert first == again != other
    assert "same" not in first
    assert none == ""


def test_switched_off_there_is_nothing_to_tell() -> None:
    assert Seam().tool_call("search") is None
    assert Seam().agent_run("finder") is None


class Host:
    """An integration that does as it is told."""

    name = "host"
    supports = "a-distribution-that-is-not-installed>=1"

    def patch(self, module: ModuleType, seam: Seam) -> Any:
        module.patched = True  # type: ignore[attr-defined]
        return lambda: setattr(module, "patched", False)


class OtherHost(Host):
    def patch(self, module: ModuleType, seam: Seam) -> Any:
        raise UnsuitableError("another package of that name")


class OldHost(Host):
    supports = "pytest<1"


class BrokenHost(Host):
    def patch(self, module: ModuleType, seam: Seam) -> Any:
        raise RuntimeError("broken on purpose")


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """An imported module of a name that no other test arms."""
    module = ModuleType(f"host_{uuid.uuid4().hex}")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    yield module
    touchdown.uninstrument()


def instrumented_with(
    host: ModuleType,
    integration: type,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> tuple[str, list[tuple[str, str]]]:
    """The state of the integration, and what was logged, as level and text."""
    entry = SimpleNamespace(name=host.__name__, load=lambda: integration)
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: [entry])
    with caplog.at_level(logging.DEBUG, "touchdown"):
        state = api.instrument().patched[host.__name__].state
    lines = [(line.levelname, line.getMessage()) for line in caplog.records]
    return state, [line for line in lines if host.__name__ in line[1]]


def test_an_integration_is_patched_and_taken_back(
    host: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert instrumented_with(host, Host, monkeypatch, caplog) == ("patched", [])
    assert host.patched
    touchdown.uninstrument()
    assert not host.patched


@pytest.mark.parametrize(
    ("integration", "problem"),
    [(OtherHost, "another package of that name"), (OldHost, "outside the supported range <1")],
)
def test_one_that_does_not_suit_is_one_debug_line(
    integration: type,
    problem: str,
    host: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    state, ((level, text),) = instrumented_with(host, integration, monkeypatch, caplog)
    assert state.startswith("not patched: ")
    assert state.endswith(problem)
    assert (level, text.endswith(problem)) == ("DEBUG", True)


def test_a_broken_one_is_one_warning(
    host: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    state, ((level, text),) = instrumented_with(host, BrokenHost, monkeypatch, caplog)
    assert (state, level) == ("not patched: RuntimeError: broken on purpose", "WARNING")
    assert "the call is not affected" in text
