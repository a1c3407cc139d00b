"""Making a span current: again and again, in other contexts, and without a trace of it afterwards."""

import asyncio
import contextvars
import logging

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import get_current_span

from tests.telemetry.conftest import Seen
from tests.telemetry.samples import BARE_CALL, CALL_START, TASK_START, TOOL, TOOL_START
from touchdown.telemetry import SpanSink


def test_what_begins_inside_is_a_child(seen: Seen) -> None:
    task = seen.sink.open(TASK_START)
    assert task is not None
    with task.activate():
        assert seen.sink.current_trace_id() == task.trace_id
        tool = seen.sink.open(TOOL_START)
    assert seen.sink.current_trace_id() == ""
    assert tool is not None
    tool.close(TOOL, None)
    (span,) = seen.memory.get_finished_spans()
    assert span.parent is not None
    assert f"{span.parent.span_id:016x}" == task.span_id
    assert tool.trace_id == task.trace_id


def test_it_may_be_entered_again_and_inside_itself(seen: Seen) -> None:
    opened = seen.sink.open(CALL_START)
    assert opened is not None
    for _ in range(2):
        with opened.activate(), opened.activate():
            assert seen.sink.current_trace_id() == opened.trace_id
    assert seen.sink.current_trace_id() == ""


def test_leaving_in_another_context_is_quiet(seen: Seen, caplog: pytest.LogCaptureFixture) -> None:
    opened = seen.sink.open(CALL_START)
    assert opened is not None
    entered = opened.activate()
    contextvars.copy_context().run(entered.__enter__)
    with caplog.at_level(logging.DEBUG):
        entered.__exit__(None, None, None)
        entered.__exit__(None, None, None)
    assert caplog.records == []
    assert seen.sink.current_trace_id() == ""


async def test_tasks_of_one_loop_do_not_see_each_others_spans(seen: Seen) -> None:
    async def one(name: str) -> tuple[str, str]:
        opened = seen.sink.open(CALL_START)
        assert opened is not None
        with opened.activate():
            await asyncio.sleep(0)
            return opened.trace_id, seen.sink.current_trace_id()

    pairs = await asyncio.gather(*(one(str(index)) for index in range(5)))
    assert all(own == current for own, current in pairs)
    assert len({own for own, _ in pairs}) == 5


def test_an_unsampled_span_gives_no_ids_and_keeps_its_children_unsampled() -> None:
    provider = TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False)
    sink = SpanSink(tracer_provider=provider)
    opened = sink.open(CALL_START)
    assert opened is not None
    assert (opened.trace_id, opened.span_id) == ("", "")
    with opened.activate():
        here = get_current_span().get_span_context()
        assert here.is_valid
        assert not here.trace_flags.sampled
    opened.close(BARE_CALL, None)
