"""Calls outside any ``task()``: one task per local trace, else one of the process, closed when quiet."""

from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

import touchdown
from touchdown.runtime import implicit
from touchdown.testing import Capture, Fault, Provider, Reply, capture

TRACER = TracerProvider(shutdown_on_exit=False).get_tracer("host")
SECOND = 1_000_000_000


@touchdown.tool
def mark() -> str:
    return "x"


class Hands:
    """A clock that goes on when it is told."""

    def __init__(self, seen: Capture) -> None:
        self.tasks = seen._runtime.implicit
        self.now = self.tasks.clock()
        self.tasks.clock = lambda: self.now

    def go_on(self, seconds: float) -> None:
        self.now += int(seconds * SECOND)
        self.tasks.close_idle()


def tasks(seen: Capture) -> list[tuple[str, int, bool]]:
    return [(a.task.name, a.tool_calls, a.open) for a in seen.accounts]


def test_the_trace_of_the_host_is_the_task_else_the_process() -> None:
    with capture() as seen:
        mark()
        with TRACER.start_as_current_span("request") as request:
            mark()
            with TRACER.start_as_current_span("deeper"):
                mark()
                with touchdown.task("named"):
                    mark()
            assert touchdown.current_task() is not None
        with TRACER.start_as_current_span("another request"):
            mark()
        mark()
        name = f"trace {trace.format_trace_id(request.get_span_context().trace_id)[:8]}"
        found = {account.task.name: account.tool_calls for account in seen.accounts}
        assert (found["process"], found[name], found["named"], len(found)) == (2, 2, 1, 4)
        assert seen.summary.tasks == 4
        assert not any(span.name.startswith("invoke_workflow trace") for span in seen.spans)


def test_it_closes_a_minute_after_its_last_record_and_a_new_one_opens() -> None:
    with capture() as seen:
        hands = Hands(seen)
        began = hands.now
        mark()
        hands.go_on(59)
        mark()
        hands.go_on(60)
        assert tasks(seen) == [("process", 2, True)]
        hands.go_on(1)
        assert tasks(seen) == [("process", 2, False)]
        (closed,) = (task for task in seen.tasks if task.duration_ns is not None)
        assert abs(closed.started_at_ns + (closed.duration_ns or 0) - began - 59 * SECOND) < SECOND
        mark()
        assert tasks(seen) == [("process", 2, False), ("process", 1, True)]
        hands.now += 61 * SECOND  # nobody looked in between
        mark()
        assert [calls for _, calls, _ in tasks(seen)] == [2, 1, 1]


def test_what_still_runs_keeps_it_open() -> None:
    openai = pytest.importorskip("openai")
    asked: dict[str, Any] = {"model": "gpt-5.4", "messages": [{"role": "user", "content": "x"}]}
    script = [Reply("a long answer", chunk_chars=2), Fault(400), "left"]
    with Provider(script) as provider, capture() as seen:
        client = openai.OpenAI(base_url=provider.openai_url, api_key="k", max_retries=0)
        hands = Hands(seen)
        stream = client.chat.completions.create(**asked, stream=True)
        next(stream)
        hands.go_on(500)
        list(stream)
        with pytest.raises(openai.BadRequestError):
            client.chat.completions.create(**asked)
        hands.go_on(60)
        assert [(a.model_calls, a.open) for a in seen.accounts] == [(2, True)]
        hands.go_on(1)
        assert [(a.model_calls, a.open) for a in seen.accounts] == [(2, False)]
        left = client.chat.completions.create(**asked, stream=True)
        hands.go_on(3_600)
        assert [a.open for a in seen.accounts] == [False, True]
        hands.go_on(1)
        assert [a.open for a in seen.accounts] == [False, False]
        left.close()


def test_the_worker_closes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("touchdown.runtime.delivery.TEND_S", 0.0)
    with capture() as seen:
        hands = Hands(seen)
        mark()
        hands.now += 61 * SECOND
        delivery = seen._runtime.delivery
        delivery.tend()
        assert tasks(seen) == [("process", 1, False)]


def test_at_the_end_all_are_closed() -> None:
    with capture() as seen:
        mark()
    assert tasks(seen) == [("process", 1, False)]


def test_too_many_open_traces_are_one_task_that_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(implicit, "MAX_OPEN", 3)
    with capture() as seen:
        hands = Hands(seen)
        for _ in range(5):
            with TRACER.start_as_current_span("request"):
                mark()
        found = tasks(seen)
        assert [calls for _, calls, _ in found] == [1, 1, 1, 2]
        assert found[-1] == ("other", 2, True)
        hands.go_on(61)
        assert seen.accounts[-1].task.tags == {"folded": "2"}
        with TRACER.start_as_current_span("request"):
            mark()
        assert tasks(seen)[-1][0].startswith("trace ")
        assert seen.summary.tasks == 5
    assert caplog.messages == [
        "touchdown: more than 3 traces without a task() are open; further ones count as 'other'"
    ]
