"""Over the network: a server's calls count in its caller's task, and only hosts that were named are told."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from opentelemetry import baggage, trace

import touchdown
from touchdown.live.journal import read_journal
from touchdown.records import ModelCall, ToolCall
from touchdown.runtime import guard
from touchdown.runtime.place import current_place
from touchdown.testing import Provider, capture

THEIRS = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"


@pytest.fixture(autouse=True)
def _nothing_said() -> Iterator[None]:
    guard.forget_warnings()
    yield
    guard.forget_warnings()


@touchdown.tool
def look() -> str:
    """What a server does."""
    return "seen"


def test_what_is_sent_is_joined_on_the_other_side() -> None:
    with capture() as caller, touchdown.task("goal") as task:
        sent = touchdown.headers()
        assert sent["traceparent"].split("-")[1] == task._state.record.trace_id
        with capture() as server:
            with touchdown.joined(sent):
                look()
            (tool,) = server.tools
            (span,) = server.spans
        assert (tool.task_id, tool.agent_id) == (task.id, task.id)
        assert span.context is not None
        assert f"{span.context.trace_id:032x}" == sent["traceparent"].split("-")[1]
        assert caller.tools == []
    assert current_place() is None
    assert not trace.get_current_span().get_span_context().is_valid


def test_what_a_tool_asks_another_server_for_lies_inside_the_tool() -> None:
    sent: dict[str, str] = {}

    @touchdown.tool
    def ask() -> None:
        sent.update(touchdown.headers())

    with capture() as caller, touchdown.task("goal"):
        ask()
        (asked,) = caller.tools
        with capture() as server:
            with touchdown.joined(sent):
                look()
            (tool,) = server.tools
        assert tool.inside == asked.id


def test_without_ids_it_is_a_task_of_the_trace() -> None:
    with capture() as seen:
        with touchdown.joined({"TraceParent": THEIRS, "baggage": "user=7"}):
            look()
            assert baggage.get_baggage("user") == "7"
        (account,) = seen.accounts
        assert (account.task.name, account.tool_calls) == (f"trace {'a' * 8}", 1)


def test_nothing_stands_still_current_and_tasks_without_headers_are_their_own() -> None:
    with capture() as seen:
        with touchdown.joined({}), touchdown.task("own"):
            look()
        assert [account.task.name for account in seen.accounts] == ["own"]
    assert touchdown.headers() == {}


@pytest.mark.parametrize(
    "headers",
    [
        {"traceparent": "nonsense"},
        {"traceparent": "00-" + "0" * 32 + "-" + "b" * 16 + "-01"},
        {"traceparent": "ff" + THEIRS[2:]},
        {"baggage": "touchdown.task=../../etc,touchdown.agent=x"},
        {"baggage": "touchdown.task=task-1-1;;;,=,%%%"},
        [(b"traceparent", b"\xff\xfe"), (b"baggage", b"\x00")],
        5,
    ],
)
def test_malformed_headers_are_passed_over(headers: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "touchdown")
    with capture() as seen:
        for _ in range(2):
            with touchdown.joined(headers):
                look()
        assert [account.task.name for account in seen.accounts] == ["process"]
    ours = [record for record in caplog.records if record.name == "touchdown"]
    assert len(ours) <= 1


def test_an_error_of_the_server_is_its_own() -> None:
    with (
        capture(),
        pytest.raises(ValueError, match="theirs"),
        touchdown.joined({"traceparent": THEIRS}),
    ):
        raise ValueError("theirs")


async def test_asgi() -> None:
    passed: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        passed.append(scope["type"])
        if scope["type"] == "http":
            look()

    served = touchdown.AsgiMiddleware(app)
    with capture() as seen:
        with touchdown.task("caller") as task:
            sent = [(k.encode(), v.encode()) for k, v in touchdown.headers().items()]
        await served({"type": "lifespan"}, None, None)  # type: ignore[arg-type]
        await served({"type": "http", "headers": sent}, None, None)  # type: ignore[arg-type]
        (tool,) = seen.tools
        assert tool.task_id == task.id
    assert passed == ["lifespan", "http"]


def test_wsgi_and_an_answer_that_is_made_as_it_is_read() -> None:
    closed = []

    def app(environ: dict[str, Any], start: Any) -> Iterator[bytes]:
        try:
            look()
            yield b"one"
            look()
            yield b"two"
        finally:
            closed.append(True)

    served = touchdown.WsgiMiddleware(app)
    with capture() as seen:
        with touchdown.task("caller") as task:
            sent = touchdown.headers()
        environ = {f"HTTP_{name.upper()}": value for name, value in sent.items()}
        answer = served(environ, None)  # type: ignore[arg-type]
        assert list(answer) == [b"one", b"two"]
        answer.close()  # type: ignore[attr-defined]
        assert {tool.task_id for tool in seen.tools} == {task.id}
        assert len(seen.tools) == 2
        plain = touchdown.WsgiMiddleware(lambda environ, start: [b"whole"])
        assert plain({}, None) == [b"whole"]  # type: ignore[arg-type]
    assert closed == [True]


def test_only_hosts_that_were_named_are_told() -> None:
    def headers_sent(**options: Any) -> dict[str, str]:
        with Provider(lambda _request: "ok") as provider:
            named = provider.url.split("//")[1]
            chosen = {key: [named] for key in options}
            with (
                capture(**chosen),
                touchdown.task("goal"),
                openai.OpenAI(api_key="k", base_url=provider.openai_url) as client,
            ):
                client.chat.completions.create(
                    model="gpt-5.4",
                    messages=[{"role": "user", "content": "hi"}],
                    extra_headers={"x-own": "kept"},
                )
            return provider.requests[0].headers

    without = headers_sent()
    assert not {"traceparent", "baggage"} & without.keys()
    told = headers_sent(propagate_to=True)
    assert told["baggage"].startswith("touchdown.task=task-")
    assert told["traceparent"].startswith("00-")
    assert told["x-own"] == "kept"


def test_the_journals_of_both_are_one_bill(tmp_path: Path) -> None:
    journal = tmp_path / "server.jsonl"
    with capture(), touchdown.task("goal") as task:
        sent = touchdown.headers()
        with capture(journal=journal), touchdown.joined(sent):
            look()
    kept = [r for r in read_journal(journal) if isinstance(r, (ToolCall, ModelCall))]
    assert [record.task_id for record in kept] == [task.id]
