"""What engines told later joins a ledger: in any order, exactly, and abstaining where two contradict."""

import itertools
import math
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.accounting.build import FixedPrices
from tests.collect.exported import call_of, parent_number, rows, view
from tests.engines.captured import timings
from touchdown.accounting.ledger import Ledger, refold
from touchdown.accounting.served import TWO_ENGINES, TWO_REQUESTS, with_reports
from touchdown.live.journal import Journal, read_journal
from touchdown.records import EngineReport, EngineTiming, Kept, ModelCall, TaskRecord
from touchdown.telemetry.reading import SpanRecords
from touchdown.telemetry.serving.joining import Joiner


def of_capture(engine: str, name: str) -> tuple[list[ModelCall], list[EngineReport]]:
    joiner, calls = Joiner(), []
    for row in rows(engine):
        joiner.span(view(row), 0.0)
        if name in row["name"]:
            calls.append(call_of(row, parent_number(row)))
            joiner.call(calls[-1], 0.0)
    return calls, joiner.joined(0.0)


def told(calls: list[ModelCall], reports: list[EngineReport]) -> list[Kept]:
    began = min(call.sent_at_ns for call in calls)
    ended = max(call.ended_at_ns for call in calls)
    task = TaskRecord("task-1", "fix", began)
    return [task, *calls, *reports, replace(task, duration_ns=ended - began, revision=1)]


@pytest.mark.parametrize(("engine", "name"), [("vllm", "llm_request"), ("sglang", " Req ")])
def test_the_time_ledger_has_the_queue_and_still_adds_up(engine: str, name: str) -> None:
    calls, reports = of_capture(engine, name)
    whole = refold(told(calls, reports), FixedPrices()).account().time
    bare = refold(told(calls, []), FixedPrices()).account().time
    queue_ns = sum(report.timing.queue_ns or 0 for report in reports)
    assert queue_ns > 0
    assert whole.taxes["queue"] == queue_ns
    assert "queue" not in bare.taxes
    for time in (whole, bare):
        assert time.total_ns is not None
        assert time.work_ns + sum(time.taxes.values()) + time.unexplained_ns == time.total_ns


def test_whatever_the_order_the_ledger_is_the_same() -> None:
    calls, reports = of_capture("vllm", "llm_request")
    calls, reports = calls[:2], [one for one in reports if one.call_id in ("call-1", "call-2")]
    records = told(calls, reports)
    expected = refold(records, FixedPrices()).account()
    for order in itertools.permutations(records):
        ledger = Ledger(FixedPrices())
        for one in order:
            if isinstance(one, EngineReport):
                ledger.note(one)
                ledger.note(one)
            else:
                ledger.add(one)  # type: ignore[arg-type]
        assert ledger.account() == expected
        assert refold(order, FixedPrices()).account() == expected


def test_a_journal_keeps_it(tmp_path: Path) -> None:
    records = told(*of_capture("sglang", " Req "))
    journal = Journal(tmp_path / "j.jsonl")
    for record in records:
        journal.write(record)
    journal.close()
    again = list(read_journal(tmp_path / "j.jsonl"))
    assert again == records
    assert refold(again, FixedPrices()).account() == refold(records, FixedPrices()).account()


def test_an_answer_and_a_span_fill_each_other() -> None:
    answers = timings("vllm", "vllm", "flags-responses.json")
    (row, *_) = rows("vllm", "llm_request")
    calls, reports = of_capture("vllm", "llm_request")
    answered = replace(calls[0], engine=answers[0])
    told = with_reports(answered, [one for one in reports if one.call_id == answered.id]).engine
    assert told is not None
    assert told.queue_ns == answers[0].queue_ns
    assert told.evidence["queue_ns"] == "metrics.queue_time_ms"
    assert answers[0].frontend_ns is None
    assert told.frontend_ns == pytest.approx(10_384_411)
    assert told.basis["frontend_ns"] == "derived"
    assert "frontend_ns" not in told.not_observable
    assert row["attributes"]["gen_ai.latency.e2e"] * 1e9 == pytest.approx(told.total_ns)


def test_behind_a_router_the_phases_are_the_engines_and_the_rest_is_front_end() -> None:
    (row, *_) = rows("vllm", "llm_request")
    (front, *_) = rows("dynamo-vllm", "http-request")
    joiner = Joiner()
    call = call_of(row, 1)
    joiner.call(call, 0.0)
    lasted_ns = int(row["end_ns"]) - int(row["start_ns"])
    around = {**front, "start_ns": row["start_ns"], "end_ns": str(int(row["end_ns"]) + 5_000_000)}
    for one in (row, around):
        joiner.span(view(one), 0.0)
    reports = joiner.joined(math.inf)
    told = with_reports(call, reports).engine
    assert told is not None
    assert told.engine == "dynamo"
    assert told.worker == "12436026817218902569"
    alone = next(report.timing for report in reports if report.timing.engine == "vllm")
    assert (told.queue_ns, told.prefill_ns, told.decode_ns) == (
        alone.queue_ns,
        alone.prefill_ns,
        alone.decode_ns,
    )
    assert alone.frontend_ns is not None
    assert alone.total_ns is not None
    assert told.total_ns == lasted_ns + 5_000_000
    assert told.frontend_ns == told.total_ns - alone.total_ns + alone.frontend_ns
    assert sum(told.phases_ns.values()) <= told.total_ns
    assert with_reports(call, list(reversed(reports))) == with_reports(call, reports)


def test_two_requests_or_two_engines_of_one_call_are_not_guessed_between() -> None:
    calls, reports = of_capture("vllm", "llm_request")
    (first, *_) = reports
    call = next(call for call in calls if call.id == first.call_id)
    twin = replace(first, span_id="12" * 8)
    told = with_reports(call, [first, twin]).engine
    assert told is not None
    assert told.phases_ns == {}
    assert set(told.not_observable.values()) == {TWO_REQUESTS}
    other = replace(first, timing=replace(first.timing, engine="sglang"), span_id="34" * 8)
    told = with_reports(call, [first, other]).engine
    assert told is not None
    assert told.phases_ns == {}
    assert set(told.not_observable.values()) == {TWO_ENGINES}
    account = refold([call, first, other], FixedPrices()).account()
    assert "queue" not in account.time.taxes
    assert account.not_observable["queue"] == TWO_ENGINES


def test_where_nothing_tells_the_engines_requests_apart_the_routers_word_counts() -> None:
    """One worker prefilled and another one decoded: two requests of the engine, one of the router."""
    calls, reports = of_capture("vllm", "llm_request")
    first = reports[0]
    call = next(call for call in calls if call.id == first.call_id)
    said = EngineTiming("dynamo", worker="7", fabric_ns=3, basis={"fabric_ns": "estimated"})
    router = EngineReport(call.task_id, call.id, said, "parent", routed=True, span_id="56" * 8)
    told = with_reports(call, [first, replace(first, span_id="12" * 8), router]).engine
    assert told == said


def test_an_answer_stands_where_the_spans_contradict() -> None:
    answers = timings("vllm", "vllm", "flags-responses.json")
    calls, reports = of_capture("vllm", "llm_request")
    call = replace(next(c for c in calls if c.id == reports[0].call_id), engine=answers[0])
    told = with_reports(call, [reports[0], replace(reports[0], span_id="12" * 8)]).engine
    assert told == answers[0]


def test_cached_tokens_of_a_span_mend_a_usage_that_has_none() -> None:
    calls, reports = of_capture("sglang", " Req ")
    by_call = {report.call_id: report for report in reports}
    for call in calls:
        told = with_reports(call, [by_call[call.id]])
        assert told.usage.cache_read == by_call[call.id].timing.cached_tokens
        assert told.usage.input_tokens == call.usage.input_tokens


def test_a_file_of_spans_joins_engines_as_the_receiver_does() -> None:
    agent = {
        "name": "chat gpt-4.1",
        "scope": "opentelemetry.instrumentation.openai_v2",
        "parent_span_id": "00000000000000aa",
        "resource": {},
        "events": [],
    }
    found = rows("vllm", "llm_request")
    spans = SpanRecords()
    for row in found:
        told = row["attributes"]
        spans.take(view(row))
        usage = {
            "gen_ai.usage.input_tokens": told["gen_ai.usage.prompt_tokens"],
            "gen_ai.usage.output_tokens": told["gen_ai.usage.completion_tokens"],
        }
        names = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4.1"}
        made = {"span_id": row["parent_span_id"], "attributes": {**names, **usage}}
        spans.take(view({**row, **agent, **made}))
    rest = list(spans.rest())
    reports = [one for one in rest if isinstance(one, EngineReport)]
    calls = [one for one in rest if isinstance(one, ModelCall)]
    assert len(calls) == len(reports) == len(found)
    time = refold(rest, FixedPrices()).account().time
    assert time.taxes["queue"] > 0


def test_a_report_says_nothing_of_a_call_that_is_not_there() -> None:
    stranger = EngineReport("task-1", "call-9", EngineTiming("vllm", queue_ns=5))
    calls, _ = of_capture("vllm", "llm_request")
    assert (
        refold([*calls, stranger], FixedPrices()).account()
        == refold(calls, FixedPrices()).account()
    )
