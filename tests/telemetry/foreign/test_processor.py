"""The live processor: what only others see is counted, what touchdown sees too is counted once."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import pytest
from opentelemetry.context import Context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import Span, set_span_in_context

import touchdown
from touchdown.testing import Provider, capture
from touchdown.testing.capturing import Capture

USAGE = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o-mini",
    "gen_ai.usage.input_tokens": 1_000_000,
    "gen_ai.usage.output_tokens": 0,
}


class Theirs:
    """Another instrumentation, with the processor on its provider."""

    def __init__(self) -> None:
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(touchdown.SpanProcessor())
        self.tracer = provider.get_tracer("theirs")

    @contextmanager
    def span(self, attributes: dict[str, Any], context: Context | None = None) -> Iterator[Span]:
        with self.tracer.start_as_current_span("theirs", context) as span:
            yield span
            span.set_attributes(attributes)


@pytest.fixture
def seen() -> Iterator[Capture]:
    with capture() as seen:
        yield seen


@pytest.fixture
def theirs() -> Theirs:
    return Theirs()


def ask(provider: Provider) -> str:
    openai = pytest.importorskip("openai")
    messages = [{"role": "user", "content": "hi"}]
    with openai.OpenAI(base_url=f"{provider.url}/v1", api_key="k", max_retries=0) as client:
        return str(client.chat.completions.create(model="gpt-4o-mini", messages=messages).id)


def test_a_call_that_only_they_see_is_in_the_task(seen: Capture, theirs: Theirs) -> None:
    with touchdown.task("work") as task, theirs.span(USAGE):
        pass
    (call,) = seen.calls
    assert (call.task_id, call.usage.uncached) == (task.id, 1_000_000)
    assert task.totals.money.total_usd == Decimal("0.15")


def test_their_agents_and_tools_give_the_structure(seen: Capture, theirs: Theirs) -> None:
    agent = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "helper"}
    tool = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "search"}
    with touchdown.task("work") as task:
        with theirs.tracer.start_as_current_span("helper", attributes=agent):
            with theirs.span(tool):
                pass
            with theirs.span(USAGE):
                pass
        with theirs.span(USAGE):
            pass
    (run,) = seen.agents
    (found,) = seen.tools
    assert (run.name, run.task_id, run.parent_id) == ("helper", task.id, task.id)
    assert (found.name, found.agent_id, found.source) == ("search", run.id, "integration")
    assert [call.agent_id for call in seen.calls] == [run.id, task.id]


def test_outside_any_task_their_trace_is_one(seen: Capture, theirs: Theirs) -> None:
    with theirs.span({}), theirs.span(USAGE):
        pass
    assert [task.implicit for task in seen.tasks] == [True]
    assert seen.account.model_calls == 1


@pytest.mark.parametrize("response_id", ["theirs", "ours", ""])
def test_their_span_around_our_call_counts_nothing(
    seen: Capture, theirs: Theirs, response_id: str
) -> None:
    around = theirs.tracer.start_as_current_span
    with Provider(["yes"]) as provider, touchdown.task("work") as task, around("theirs") as span:
        answered = ask(provider)
        told = answered if response_id == "ours" else response_id
        span.set_attributes({**USAGE, "gen_ai.response.id": told})
    assert task.totals.model_calls == 1
    assert [call.vendor for call in seen.calls] == ["openai"]


def test_their_span_inside_our_call_counts_nothing(seen: Capture, theirs: Theirs) -> None:
    openai = pytest.importorskip("openai")
    # httpx or httpx2, whichever this SDK is built on
    httpx = sys.modules[openai.DefaultHttpxClient.__mro__[1].__module__.partition(".")[0]]

    class Traced(httpx.HTTPTransport):  # type: ignore[misc, name-defined]
        def handle_request(self, request: Any) -> Any:
            with theirs.span(USAGE):
                return super().handle_request(request)

    with Provider(["yes"]) as provider, touchdown.task("work") as task:
        http = httpx.Client(transport=Traced())
        with openai.OpenAI(base_url=f"{provider.url}/v1", api_key="k", http_client=http) as client:
            messages = [{"role": "user", "content": "hi"}]
            client.chat.completions.create(model="gpt-4o-mini", messages=messages)
    assert task.totals.model_calls == 1


@pytest.mark.parametrize("ends", ["before", "after"])
def test_a_span_that_is_never_current_is_known_by_its_response_id(
    seen: Capture, theirs: Theirs, ends: str
) -> None:
    openai = pytest.importorskip("openai")
    with Provider(["yes, of course"]) as provider, touchdown.task("work") as task:
        span = theirs.tracer.start_span("theirs")
        client = openai.OpenAI(base_url=f"{provider.url}/v1", api_key="k", max_retries=0)
        chunks = iter(
            client.chat.completions.create(
                model="gpt-4o-mini",
                messages=[{"role": "user", "content": "hi"}],
                stream=True,
                stream_options={"include_usage": True},
            )
        )
        span.set_attributes({**USAGE, "gen_ai.response.id": next(chunks).id})
        if ends == "before":
            span.end()
            assert seen.calls == []
        for _ in chunks:
            pass
        client.close()
        if ends == "after":
            span.end()
    assert task.totals.model_calls == 1
    assert task.totals.usage.output < 100


def test_the_end_of_a_stream_that_came_first_waits_for_ours(seen: Capture, theirs: Theirs) -> None:
    """Logfire tells of a stream when it has been read, as a span that began after the call was sent."""
    openai = pytest.importorskip("openai")
    with Provider(["yes, of course"]) as provider, touchdown.task("work") as task:
        client = openai.OpenAI(base_url=f"{provider.url}/v1", api_key="k", max_retries=0)
        messages = [{"role": "user", "content": "hi"}]
        chunks = client.chat.completions.create(model="gpt-4o-mini", messages=messages, stream=True)
        end = theirs.tracer.start_span("streaming response")
        end.set_attributes({**USAGE, "gen_ai.response.id": next(iter(chunks)).id})
        end.end()
        assert seen.calls == []
        for _ in chunks:
            pass
        client.close()
    assert task.totals.model_calls == 1


def test_of_two_others_around_one_call_one_counts(seen: Capture, theirs: Theirs) -> None:
    with touchdown.task("work") as task, theirs.span(USAGE), theirs.span(USAGE):
        pass
    assert task.totals.model_calls == 1
    with touchdown.task("again") as task, theirs.span(USAGE):
        tool = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "ask"}
        with theirs.tracer.start_as_current_span("tool", attributes=tool), theirs.span(USAGE):
            pass
    assert task.totals.model_calls == 2


def test_one_tool_that_both_see_is_one_tool_call(seen: Capture, theirs: Theirs) -> None:
    tool = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "search"}

    @touchdown.tool
    def search() -> str:
        with theirs.span(tool):
            return "found"

    with touchdown.task("work"):
        search()
        with theirs.span(tool):
            search()
    assert [found.source for found in seen.tools] == ["decorator", "decorator"]


def test_a_task_in_another_thread_of_control_is_not_their_parents(
    seen: Capture, theirs: Theirs
) -> None:
    agent = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "outer"}
    with theirs.tracer.start_as_current_span("outer", attributes=agent) as outer:
        context = set_span_in_context(outer)
        with touchdown.task("inner") as task, theirs.span(USAGE, context):
            pass
    assert [call.agent_id for call in seen.calls] == [task.id]


def test_without_instrumentation_it_does_nothing(theirs: Theirs) -> None:
    with theirs.span(USAGE), theirs.span({"gen_ai.usage.input_tokens": "x"}):
        pass
