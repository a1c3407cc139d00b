"""One CLIENT span per model call: where somebody else makes it, it is enriched."""

import sys
from types import ModuleType

import pytest
from msgspec.structs import replace
from opentelemetry import context as otel_context
from opentelemetry.trace import SpanKind, use_span

from tests.telemetry.conftest import Seen
from tests.telemetry.samples import BARE_CALL, CALL, CALL_START, VERDICT
from touchdown.telemetry.attributes import NESTED_INFERENCE_KEY

ADOPTING = replace(CALL_START, adopt=True)


def test_the_hosts_span_is_enriched_and_left_open(seen: Seen) -> None:
    tracer = seen.provider.get_tracer("com.anthropic.sdk.python")
    theirs = tracer.start_span(
        "anthropic.messages.create",
        kind=SpanKind.CLIENT,
        attributes={"gen_ai.request.model": "claude-as-they-say", "gen_ai.operation.name": "chat"},
    )
    with use_span(theirs):
        opened = seen.sink.open(ADOPTING)
    assert opened is not None
    assert opened.span_id == f"{theirs.get_span_context().span_id:016x}"
    opened.close(CALL, VERDICT)
    assert seen.spans() == []
    theirs.end()
    span = seen.only()
    assert span["name"] == "anthropic.messages.create"
    assert span["attributes"]["gen_ai.request.model"] == "claude-as-they-say"
    assert span["attributes"]["gen_ai.usage.input_tokens"] == 1_000
    assert span["attributes"]["touchdown.cost.usd"] == 0.0265


def test_a_span_that_ended_first_is_told_of_in_a_child(seen: Seen) -> None:
    theirs = seen.provider.get_tracer("host").start_span("theirs", kind=SpanKind.CLIENT)
    with use_span(theirs, end_on_exit=True):
        opened = seen.sink.open(ADOPTING)
    assert opened is not None
    opened.close(CALL, VERDICT)
    first, beside = seen.spans()
    assert first["attributes"]["touchdown.call.id"] == "call-1"
    assert (beside["name"], beside["kind"]) == ("touchdown.call", "INTERNAL")
    assert beside["attributes"]["touchdown.call.id"] == "call-1"
    assert beside["attributes"]["touchdown.cost.usd"] == 0.0265
    # Nothing in it that a backend would count as another call.
    assert all(name.startswith("touchdown.") for name in beside["attributes"])
    parent = seen.memory.get_finished_spans()[1].parent
    assert parent is not None
    assert parent.span_id == theirs.get_span_context().span_id


def test_a_second_call_under_the_same_foreign_span_does_not_mix_with_the_first(seen: Seen) -> None:
    theirs = seen.provider.get_tracer("host").start_span("theirs", kind=SpanKind.CLIENT)
    with use_span(theirs):
        first = seen.sink.open(ADOPTING)
        second = seen.sink.open(replace(ADOPTING, id="call-2"))
    assert first is not None
    assert second is not None
    first.close(BARE_CALL, None)
    second.close(replace(CALL, id="call-2"), VERDICT)
    theirs.end()
    beside, theirs_told = seen.spans()
    assert beside["attributes"]["touchdown.call.id"] == "call-2"
    assert theirs_told["attributes"]["touchdown.call.id"] == "call-1"
    assert "touchdown.cost.usd" not in theirs_told["attributes"]


def test_without_a_span_of_the_sdks_the_call_gets_its_own(seen: Seen) -> None:
    opened = seen.sink.open(ADOPTING)
    assert opened is not None
    opened.close(BARE_CALL, None)
    assert seen.only()["name"] == "chat gpt-5"


def test_a_span_that_is_not_a_clients_is_not_taken_for_the_sdks(seen: Seen) -> None:
    with seen.provider.get_tracer("host").start_as_current_span("a request that is served"):
        opened = seen.sink.open(ADOPTING)
    assert opened is not None
    opened.close(BARE_CALL, None)
    assert seen.spans()[1]["name"] == "chat gpt-5"


def test_inside_an_inference_of_a_genai_instrumentation_its_span_is_enriched(seen: Seen) -> None:
    theirs = seen.provider.get_tracer("genai").start_span("chat gpt-5", kind=SpanKind.CLIENT)
    with use_span(theirs):
        told = otel_context.set_value(NESTED_INFERENCE_KEY, object())
        token = otel_context.attach(told)
        try:
            opened = seen.sink.open(CALL_START)
        finally:
            otel_context.detach(token)
    assert opened is not None
    opened.close(CALL, VERDICT)
    theirs.end()
    assert seen.only()["attributes"]["touchdown.cost.usd"] == 0.0265


def test_a_genai_instrumentation_inside_our_call_is_told_so(
    seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    class InferenceData:
        """Stands for the class of opentelemetry-util-genai 1.3b0, which is compared by type."""

    module = ModuleType("opentelemetry.util.genai.invocation")
    module.InferenceData = InferenceData  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    opened = seen.sink.open(CALL_START)
    assert opened is not None
    with opened.activate():
        assert isinstance(otel_context.get_value(NESTED_INFERENCE_KEY), InferenceData)
    assert otel_context.get_value(NESTED_INFERENCE_KEY) is None
