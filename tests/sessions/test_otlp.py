"""OTLP files as a source: touchdown's own spans and others', mixed, in every form of the file."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import touchdown
from tests.sessions.reading import read_all, read_one
from tests.sessions.test_pool import gather
from touchdown.prices.book import PriceBook
from touchdown.report.analysis import Analysis, AnalysisView
from touchdown.testing import Provider, capture

CHAT = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o-mini",
    "gen_ai.usage.input_tokens": 1000,
    "gen_ai.usage.output_tokens": 10,
    "operation.cost": 0.5,
}


def theirs() -> list[ReadableSpan]:
    """An agent of another instrumentation with two calls, and the sum of them on itself."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("pydantic-ai")
    agent = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "planner"}
    with tracer.start_as_current_span(
        "agent", attributes={**agent, "gen_ai.usage.input_tokens": 2000}
    ):
        for _ in range(2):
            tracer.start_span("chat", attributes=CHAT).end()
    return list(exporter.get_finished_spans())


def write(path: Path, spans: list[ReadableSpan], form: str = "protobuf") -> Path:
    message = encode_spans(spans)
    data = message.SerializeToString()
    if form == "framed":
        data = len(data).to_bytes(4, "big") + data
    elif form == "gzip":
        data = gzip.compress(data)
    elif form == "json":
        from google.protobuf.json_format import MessageToDict  # type: ignore[import-untyped]

        data = json.dumps(MessageToDict(message)).encode()
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("form", ["protobuf", "framed", "gzip", "json"])
def test_others_spans_are_a_session_for_each_trace(tmp_path: Path, form: str) -> None:
    session = read_one(write(tmp_path / "spans.bin", theirs(), form))
    assert (session.session.source, session.session.name) == ("otlp", "planner")
    account = session.account(PriceBook())
    assert (account.model_calls, account.usage.uncached_input) == (2, 2000)
    assert session.session.reported is not None
    assert (session.session.reported.usd, account.money.total_usd) != (None, None)
    assert str(session.session.reported.usd) == "1.0"


def test_our_own_spans_give_the_live_ledger_with_others_beside_them(tmp_path: Path) -> None:
    anthropic = pytest.importorskip("anthropic")
    with Provider(["yes"]) as provider, capture() as seen:
        client = anthropic.Anthropic(base_url=provider.url, api_key="k")
        with client, touchdown.task("ours") as task:
            messages: list[Any] = [{"role": "user", "content": "hi"}]
            client.messages.create(model="claude-sonnet-5", max_tokens=9, messages=messages)
        live = task.totals
        ours = seen.spans
    found, problems = read_all(write(tmp_path / "spans", [*theirs(), *ours]))
    assert problems == []
    by_name = {one.session.name: one for one in found}
    assert set(by_name) == {"ours", "planner"}
    assert by_name["ours"].account(PriceBook()) == live


def log(name: str, **attributes: object) -> dict[str, Any]:
    told = [{"key": k, "value": {"stringValue": str(v)}} for k, v in attributes.items()]
    return {
        "timeUnixNano": "2000000000",
        "body": {"stringValue": f"claude_code.{name}"},
        "attributes": [{"key": "event.name", "value": {"stringValue": name}}, *told],
    }


def test_claude_codes_log_events_are_a_session(tmp_path: Path) -> None:
    told = {"session.id": "s1", "model": "claude-sonnet-5", "duration_ms": 500}
    counts = {"input_tokens": 10, "output_tokens": 5, "cache_read_tokens": 90, "cost_usd": 0.2}
    one = log("api_request", **told, **counts, request_id="req_1", **{"event.sequence": 1})
    other = log("tool_result", tool_name="Bash", success="false", **{"session.id": "s1"})
    scope = {"scope": {"name": "com.anthropic.claude_code.events"}, "logRecords": [one, other]}
    path = tmp_path / "logs.jsonl"
    path.write_text(json.dumps({"resourceLogs": [{"scopeLogs": [scope]}]}) + "\n")
    session = read_one(path)
    assert session.session.id == "s1"
    (call,) = session.calls
    assert (call.usage.uncached, call.usage.cache_read) == (10, 90)
    assert (call.sent_at_ns, call.duration_ns) == (1_500_000_000, 500_000_000)
    assert [(tool.name, tool.failed) for tool in session.tools] == [("Bash", True)]


def test_events_of_a_resumed_session_whose_count_began_anew_are_all_there(tmp_path: Path) -> None:
    counts = {"session.id": "s1", "model": "claude-sonnet-5", "event.sequence": 1}
    records = [
        log("api_request", input_tokens=10, output_tokens=5, **counts) | {"timeUnixNano": f"{at}"}
        for at in (2_000_000_000, 9_000_000_000, 9_000_000_000)
    ]
    scope = {"scope": {"name": "com.anthropic.claude_code.events"}, "logRecords": records}
    (tmp_path / "a.jsonl").write_text(json.dumps({"resourceLogs": [{"scopeLogs": [scope]}]}))
    assert [call.sent_at_ns for call in read_one(tmp_path / "a.jsonl").calls] == [
        2 * 10**9,
        9 * 10**9,
    ]


def test_a_span_that_lies_in_two_files_is_counted_once(tmp_path: Path) -> None:
    """Its provider's id may be missing; the span's own is there."""
    spans = theirs()
    write(tmp_path / "a", spans, "json")
    write(tmp_path / "b", spans, "protobuf")
    gathered = gather(tmp_path)
    assert sum(account.model_calls for account in gathered.accounts) == 2


@pytest.mark.parametrize(
    ("place", "wrong"),
    [
        ("attributes", 3.5),
        ("attributes", True),
        ("endTimeUnixNano", 1e308),
        ("startTimeUnixNano", "9" * 400),
        ("traceId", {"type": 5}),
    ],
)
def test_a_field_of_another_type_is_taken_as_missing(
    tmp_path: Path, place: str, wrong: object
) -> None:
    path = write(tmp_path / "spans.json", theirs(), "json")
    request = json.loads(path.read_text())
    agent, *calls = request["resourceSpans"][0]["scopeSpans"][0]["spans"][::-1]
    agent[place] = wrong
    path.write_text(json.dumps(request))
    gathered = gather(tmp_path)
    assert gathered.problems == []
    assert sum(account.model_calls for account in gathered.accounts) == len(calls) == 2
    assert str(AnalysisView(Analysis(accounts=gathered.accounts)))


def test_a_count_that_is_no_number_is_unknown_and_not_0(tmp_path: Path) -> None:
    path = write(tmp_path / "spans.json", theirs(), "json")
    path.write_text(path.read_text().replace('{"intValue": "10"}', '{"intValue": "ten"}'))
    assert {call.usage.output for call in read_one(path).calls} == {None}


def test_content_in_a_log_record_joins_its_span(tmp_path: Path) -> None:
    spans = theirs()
    path = write(tmp_path / "spans.jsonl", spans, "json")
    place = spans[0].context
    assert place is not None
    messages = json.dumps([{"role": "user", "parts": [{"type": "text", "content": "hi"}]}])
    record = {
        "eventName": "gen_ai.client.inference.operation.details",
        "timeUnixNano": "1",
        "traceId": f"{place.trace_id:032x}",
        "spanId": f"{place.span_id:016x}",
        "attributes": [
            {"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}},
            {"key": "gen_ai.input.messages", "value": {"stringValue": messages}},
        ],
    }
    logs = {"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]}
    path.write_text(f"{path.read_text()}\n{json.dumps(logs)}\n")
    session = read_one(path)
    assert [len(call.context.new) for call in session.calls] == [1, 0]
    assert session.account().usage.uncached_input == 2000


def test_a_request_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    path = write(tmp_path / "spans.jsonl", theirs(), "json")
    good = path.read_text()
    path.write_text(f"{good}\n{good[:200]}\n{good}\n")
    found, problems = read_all(path)
    assert len(found) == 1
    assert len(problems) == 1
    assert problems[0].startswith(f"{path}:2: not OTLP JSON")
    assert problems[0].endswith("; it is left out")
