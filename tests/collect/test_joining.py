"""Engines' requests find the calls that they are of, whatever comes first, and no others."""

import itertools
import math
import random
from typing import Any

import pytest
from msgspec.structs import replace

from tests.collect.exported import TRACE, Row, call_of, parent_number, rows, view
from touchdown.records import Attempt, EngineReport, ModelCall, Usage
from touchdown.telemetry.serving.joining import KEEP_S, STEPS_S, WAIT_S, Joiner
from touchdown.telemetry.span import SpanView

ENGINES = {"vllm": "llm_request", "sglang": " Req ", "dynamo": "http-request"}


def joined(*told: SpanView | ModelCall, at_s: float = math.inf) -> list[EngineReport]:
    joiner = Joiner()
    for one in told:
        if isinstance(one, ModelCall):
            joiner.call(one, 0.0)
        else:
            joiner.span(one, 0.0)
    return joiner.joined(at_s)


def moved(row: Row, **changes: Any) -> Row:
    """The same span elsewhere."""
    attributes = {**row["attributes"], **changes.pop("attributes", {})}
    return {**row, "attributes": attributes, **changes}


@pytest.mark.parametrize("engine", ENGINES)
def test_every_request_of_a_capture_joins_its_call_by_the_parent(engine: str) -> None:
    found = rows(engine)
    requests = [row for row in found if ENGINES[engine] in row["name"]]
    calls = [call_of(row, parent_number(row)) for row in requests]
    for order in (found, list(reversed(found))):
        spans = [view(row) for row in order]
        for told in ([*calls, *spans], [*spans, *calls]):
            reports = joined(*told, at_s=0.0)
            assert len(reports) == len(requests) >= 3
            assert {report.joined_by for report in reports} == {"parent"}
            assert {report.call_id for report in reports} == {call.id for call in calls}
            by_call = {report.call_id: report.timing for report in reports}
            for row, call in zip(requests, calls, strict=True):
                timing = by_call[call.id]
                assert timing.engine == engine
                assert timing.prompt_tokens == call.usage.input_tokens
                lasted_ns = int(row["end_ns"]) - int(row["start_ns"])
                assert timing.total_ns == pytest.approx(lasted_ns, rel=0.01)
                assert (timing.queue_ns is None) == (engine == "dynamo")


def test_a_request_below_a_routers_spans_finds_its_call_once_these_are_there() -> None:
    (row, *_) = rows("vllm", "llm_request")
    router = [
        one for one in rows("dynamo-vllm") if one["name"] in ("handle_payload", "http-request")
    ]
    payload = next(one for one in router if one["name"] == "handle_payload")
    call = call_of(row, 1)
    below = moved(row, parent_span_id=payload["span_id"])
    chain = list(rows("dynamo-vllm"))
    joiner = Joiner()
    joiner.call(call, 0.0)
    joiner.span(view(below), 0.0)
    assert joiner.joined(0.0) == []
    for one in chain:
        joiner.span(view(one), 1.0)
    engines = {report.timing.engine: report for report in joiner.joined(1.0)}
    assert engines["vllm"].joined_by == "parent"
    assert engines["vllm"].call_id == "call-1"


def test_a_router_that_breaks_the_trace_leaves_the_ids() -> None:
    (row, *_) = rows("sglang", " Req ")
    lost = moved(row, trace_id="ab" * 16, parent_span_id=None)
    answered = call_of(row, response_id=row["attributes"]["rid"])
    (report,) = joined(view(lost), answered, at_s=STEPS_S)
    assert report.joined_by == "request_id"
    (vllm, *_) = rows("vllm", "llm_request")
    name = f"chatcmpl-{answered.id}"
    sent = moved(vllm, trace_id="cd" * 16, attributes={"gen_ai.request.id": name})
    (report,) = joined(call_of(vllm), view(sent), at_s=0.0)
    assert report.joined_by == "request_id"


@pytest.mark.parametrize("engine", ["sglang", "dynamo"])
def test_a_request_waits_a_while_for_the_spans_below_it(engine: str) -> None:
    """They come from another process, which exports at another time."""
    found = rows(engine)
    root = next(row for row in found if ENGINES[engine] in row["name"])
    below = [view(row) for row in found if row["trace_id"] == root["trace_id"] and row != root]
    early, late = Joiner(), Joiner()
    for joiner in (early, late):
        joiner.call(call_of(root), 0.0)
        joiner.span(view(root), 0.0)
        assert joiner.joined(STEPS_S - 1) == []
    for span in below:
        early.span(span, STEPS_S - 1)
    (whole,) = (r for r in early.joined(STEPS_S - 1) if r.span_id == root["span_id"])
    (alone,) = late.joined(STEPS_S)
    figure = "queue_ns" if engine == "sglang" else "frontend_ns"
    assert getattr(whole.timing, figure) is not None
    if engine == "dynamo":
        assert alone.timing.frontend_ns is None
    else:
        assert alone.timing.not_observable["queue_ns"] == "its slices were sampled away"


def test_a_router_that_begins_a_new_trace_names_the_call_by_its_own_span() -> None:
    (row, *_) = rows("vllm", "llm_request")
    router = moved(
        rows("smg", "http_request")[-1], trace_id="ab" * 16, attributes={"request_id": "call-1"}
    )
    below = moved(
        row,
        trace_id="ab" * 16,
        parent_span_id=router["span_id"],
        attributes={"gen_ai.request.id": "another"},
    )
    for told in itertools.permutations([view(router), view(below), call_of(row)]):
        (report,) = joined(*told, at_s=0.0)
        assert report.joined_by == "request_id"


def test_without_any_id_time_and_tokens_decide_after_a_while_and_it_is_said() -> None:
    (row, other, *_) = rows("vllm", "llm_request")
    lost = moved(row, trace_id="ab" * 16, attributes={"gen_ai.request.id": "x"})
    call, elsewhere = call_of(row), call_of(other, 2)
    joiner = Joiner()
    joiner.call(call, 0.0)
    joiner.call(elsewhere, 0.0)
    joiner.span(view(lost), 0.0)
    assert joiner.joined(WAIT_S / 2) == []
    (report,) = joiner.joined(WAIT_S)
    assert (report.call_id, report.joined_by) == (call.id, "window")
    assert set(report.timing.basis.values()) == {"estimated"}
    assert all("inferred" in said for said in report.timing.evidence.values())
    assert joiner.counts["window"] == 1


@pytest.mark.parametrize("late", [False, True])
def test_a_window_that_fits_two_calls_or_two_requests_decides_nothing(late: bool) -> None:
    (row, *_) = rows("vllm", "llm_request")
    lost = moved(row, trace_id="ab" * 16, attributes={"gen_ai.request.id": "x"})
    twin = moved(lost, span_id="12" * 8, trace_id="cd" * 16)
    call, twin_call = call_of(row), call_of(row, 2)
    order = reversed if late else list
    assert joined(*order([view(lost), call, twin_call])) == []
    assert joined(*order([view(lost), view(twin), call])) == []
    assert len(joined(*order([view(lost), call]))) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"usage": Usage()},
        {"usage": Usage(uncached=512, output=25)},
        {"sent_at_ns": 0},
        {"duration_ns": 1},
    ],
    ids=["no usage", "other tokens", "another time", "too short"],
)
def test_a_window_needs_the_tokens_and_the_time(changes: dict[str, Any]) -> None:
    (row, *_) = rows("vllm", "llm_request")
    lost = moved(row, trace_id="ab" * 16, attributes={"gen_ai.request.id": "x"})
    early = moved(lost, start_ns=str(int(row["start_ns"]) - 60 * 10**9))
    span = early if "duration_ns" in changes else lost
    assert joined(view(span), call_of(row, **changes)) == []


def test_in_one_trace_the_only_call_that_fits_is_it_though_the_spans_between_were_sampled_away() -> (
    None
):
    found = rows("vllm", "llm_request")
    spans = [view(moved(row, parent_span_id="99" * 8)) for row in found]
    calls = [call_of(row, parent_number(row), usage=Usage()) for row in found]
    reports = joined(*calls, *spans)
    assert {report.call_id for report in reports} == {call.id for call in calls}
    assert {report.joined_by for report in reports} == {"window"}
    known = [call_of(row, parent_number(row)) for row in found]
    assert {report.joined_by for report in joined(*known, *spans)} == {"trace"}


def test_health_checks_and_start_up_are_of_no_call() -> None:
    found = [row for engine in ENGINES for row in rows(engine)]
    everything = [view(row) for row in found]
    assert joined(*everything) == []
    joiner = Joiner()
    for one in everything:
        joiner.span(one, 0.0)
    waiting = joiner.waiting
    assert waiting == sum(len(rows(engine, name)) for engine, name in ENGINES.items())
    joiner.joined(KEEP_S)
    assert (joiner.waiting, joiner.counts["no_call"]) == (0, waiting)


def test_a_request_that_comes_twice_counts_once() -> None:
    (row, *_) = rows("vllm", "llm_request")
    joiner = Joiner()
    joiner.call(call_of(row), 0.0)
    joiner.span(view(row), 0.0)
    joiner.span(view(row), 0.0)
    assert len(joiner.joined(0.0)) == 1
    joiner.span(view(row), 1.0)
    assert joiner.joined(math.inf) == []
    assert joiner.counts == {"parent": 1, "repeated": 2}


def test_an_attempt_that_was_sent_again_is_not_the_answer() -> None:
    (row, *_) = rows("vllm", "llm_request")
    call = call_of(row, attempts=(Attempt(500, 0.1),))
    failed = moved(row, span_id="12" * 8, attributes={"gen_ai.request.id": "chatcmpl-call-1"})
    answered = moved(row, attributes={"gen_ai.request.id": "chatcmpl-call-1.1"})
    for told in itertools.permutations([call, view(failed), view(answered)]):
        (report,) = joined(*told)
        assert report.span_id == row["span_id"]


def test_slices_that_come_late_or_never_leave_the_queue_unknown() -> None:
    found = rows("sglang")
    (root, *_) = [row for row in found if " Req " in row["name"]]
    (report,) = joined(call_of(root, parent_number(root)), view(root))
    assert report.timing.queue_ns is None
    assert report.timing.not_observable["queue_ns"] == "its slices were sampled away"
    (whole,) = [
        report
        for report in joined(call_of(root, parent_number(root)), *(view(row) for row in found))
        if report.span_id == root["span_id"]
    ]
    assert whole.timing.queue_ns


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    from touchdown.telemetry.serving import joining

    for name in ("MOST_CALLS", "MOST_REQUESTS", "MOST_LINKS"):
        monkeypatch.setattr(joining, name, 50)
    (row, *_) = rows("vllm", "llm_request")
    joiner = Joiner()
    for number in range(500):
        name = f"{random.getrandbits(128):032x}"
        spot = {"trace_id": name, "attributes": {"gen_ai.request.id": f"x{number}"}}
        joiner.span(view(moved(row, **spot)), 0.0)
        joiner.call(replace(call_of(row, number), trace_id=TRACE), 0.0)
        joiner.joined(0.0)
    held = [value for value in vars(joiner).values() if hasattr(value, "__len__")]
    assert max(map(len, held)) <= 500
    assert joiner.waiting == 50
    assert joiner.counts["no_call"] == 450
    for shelf in (joiner._links, joiner._anchors, joiner._in_trace, joiner._by_id, joiner._calls):
        assert len(shelf) <= 50
