"""The anthropic SDK traces itself: one CLIENT span per call, whoever is set up first."""

from typing import Any

import anthropic
import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from tests.clients import async_shapes, shapes
from tests.clients.apis import BETA, MESSAGES, Api
from tests.clients.conftest import Desk, make_client
from touchdown.testing import Fault, Reply, ToolUse, capture

pytestmark = [
    pytest.mark.skipif(
        not hasattr(anthropic.Anthropic, "open_telemetry"), reason="this SDK does not trace itself"
    ),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

OURS = "touchdown.call.id"


class Host:
    """A host that configured the SDK's tracing with a provider of its own."""

    def __init__(self) -> None:
        self.memory = InMemorySpanExporter()
        self.provider = TracerProvider(shutdown_on_exit=False)
        self.provider.add_span_processor(SimpleSpanProcessor(self.memory))
        self.settings = {"open_telemetry": {"tracer_provider": self.provider}}

    def client(self, desk: Desk, **more: Any) -> Any:
        return make_client("anthropic", desk.url("anthropic"), **self.settings, **more)

    @property
    def spans(self) -> list[ReadableSpan]:
        return list(self.memory.get_finished_spans())


@pytest.fixture
def host() -> Host:
    return Host()


def client_spans(*spans: list[ReadableSpan]) -> list[ReadableSpan]:
    return [span for some in spans for span in some if span.kind is SpanKind.CLIENT]


RUNS = [shapes.create, shapes.raw, shapes.read, shapes.read_in_with, shapes.closed_early]


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.__name__)
@pytest.mark.parametrize("made", ["before", "inside"])
@pytest.mark.parametrize("api", [MESSAGES, BETA], ids=str)
def test_the_hosts_span_is_the_one(api: Api, made: str, run: Any, desk: Desk, host: Host) -> None:
    client = host.client(desk) if made == "before" else None
    with capture() as seen:
        client = client or host.client(desk)
        run(api, client)
        (call,) = seen.calls
        (span,) = client_spans(host.spans, seen.spans)
    assert span in host.spans
    assert f"{span.context.span_id:016x}" == call.span_id
    assert span.attributes[OURS] == call.id
    assert span.attributes["gen_ai.request.model"] == api.ask["model"]
    client.close()


def test_what_the_host_set_is_kept(desk: Desk, host: Host) -> None:
    host.settings["open_telemetry"]["conversation_id"] = "talk-7"
    client = host.client(desk)
    shapes.create(MESSAGES, client)
    with capture() as seen:
        shapes.create(MESSAGES, client)
        assert seen.calls
    alone, enriched = client_spans(host.spans)
    assert alone.name == enriched.name
    measured = ("anthropic.request.id", "gen_ai.response.id")
    theirs = {key: value for key, value in alone.attributes.items() if key not in measured}
    assert theirs.items() <= dict(enriched.attributes).items()
    assert enriched.attributes["gen_ai.conversation.id"] == "talk-7"
    client.close()


def test_one_that_the_host_did_not_configure_is_left_out(desk: Desk, claude: Any) -> None:
    with capture() as seen:
        shapes.create(MESSAGES, claude)
        (span,) = seen.spans
    assert span.attributes[OURS] == seen.calls[0].id
    assert span.instrumentation_scope.name.startswith("touchdown")


def test_a_call_that_fails_and_one_that_is_retried(desk: Desk, host: Host) -> None:
    client = host.client(desk, max_retries=1)
    desk.script(Fault(429), Fault(500))
    with capture() as seen:
        with pytest.raises(anthropic.InternalServerError):
            client.messages.create(**MESSAGES.ask)
        (call,) = seen.calls
        (span,) = client_spans(host.spans, seen.spans)
    assert [attempt.status for attempt in call.attempts] == [429]
    assert (call.status, call.http_status) == ("error", 500)
    assert f"{span.context.span_id:016x}" == call.span_id
    client.close()


def test_the_sdk_has_its_own_back_afterwards(desk: Desk, host: Host) -> None:
    client = host.client(desk)
    with capture():
        shapes.create(MESSAGES, client)
    shapes.create(MESSAGES, client)
    enriched, own = client_spans(host.spans)
    assert OURS in enriched.attributes
    assert OURS not in own.attributes
    assert not any(key.startswith("touchdown.") for key in own.attributes)
    client.close()


@pytest.mark.parametrize("run", [async_shapes.create, async_shapes.read, async_shapes.raw])
async def test_async(run: Any, desk: Desk, host: Host) -> None:
    client = host.client(desk, asynchronous=True)
    with capture() as seen:
        await run(MESSAGES, client)
        (call,) = seen.calls
        (span,) = client_spans(host.spans, seen.spans)
    assert span in host.spans
    assert f"{span.context.span_id:016x}" == call.span_id
    await client.close()


@pytest.mark.parametrize("configured", [False, True], ids=["by nobody", "by the host"])
def test_the_tool_runner(configured: bool, desk: Desk, host: Host, claude: Any) -> None:
    """Its own spans of runs and tools stay as they are; each model call has one."""

    @anthropic.beta_tool
    def run_tests(pattern: str) -> str:
        """Runs the tests.

        Args:
            pattern: Which ones.
        """
        return "1 failed"

    client = host.client(desk) if configured else claude
    asked = {"model": "claude-opus-4-8", "max_tokens": 99, "tools": [run_tests]}

    def run() -> Any:
        desk.begin()
        host.memory.clear()
        desk.script(Reply("", [ToolUse("run_tests", {"pattern": "sum"})]), "It is test_sum.")
        question = [{"role": "user", "content": "Which fails?"}]
        client.beta.messages.tool_runner(**asked, messages=question).until_done()
        return sorted((span.name, span.kind.name) for span in host.spans)

    without = run()
    with capture() as seen:
        assert run() == without
        spans = client_spans(host.spans, seen.spans)
        assert len(seen.calls) == len(spans) == 2
        assert len(seen.tools) == 0
        assert [(row.name, row.calls) for row in seen.account.tools] == [("run_tests", 1)]
    if configured:
        client.close()
