"""OTLP over HTTP: what is taken in, what is refused and with which words, and that nothing bad stops it."""

import gzip
import http.client
import json
import socket
import struct
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.sdk.trace.export import SpanExportResult

from tests.collect.exported import Collected, call_of, collecting, exported, parent_number, rows
from touchdown.collect.limits import Limits
from touchdown.records import TaskRecord

PROTOBUF = {"Content-Type": "application/x-protobuf"}
JSON = {"Content-Type": "application/json; charset=utf-8"}
SMALL = Limits(request_bytes=10_000, request_s=1.0, idle_s=1.0, busy_s=0.05)


@pytest.fixture
def collected() -> Iterator[Collected]:
    with collecting(limits=SMALL) as found:
        yield found


def post(
    to: Collected,
    body: Any = b"",
    headers: Any = PROTOBUF,
    path: str = "/v1/traces",
    by: str = "POST",
) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", to.receiver.http_port, timeout=10)
    connection.request(by, path, body, headers)
    answer = connection.getresponse()
    answer.body = answer.read()  # type: ignore[attr-defined]
    connection.close()
    return answer


def request_of(count: int = 1, spoil: int = 0) -> bytes:
    message = ExportTraceServiceRequest()
    spans = message.resource_spans.add().scope_spans.add().spans
    for number in range(count):
        spans.add(name="x", trace_id=b"t" * 16, span_id=struct.pack(">Q", number + 1))
    for span in spans[:spoil]:
        span.span_id = bytes(8)
    return message.SerializeToString()  # type: ignore[no-any-return]


GZIP = {"Content-Encoding": "gzip"}
BAD = {
    "no protobuf": (400, b"\x0a\xff\xffnonsense", PROTOBUF, "protobuf"),
    "no JSON": (400, b"{", JSON, "JSON"),
    "JSON that is not UTF-8": (400, b'{"resourceSpans": ["\xff"]}', JSON, "JSON"),
    "a list": (400, b"[1]", JSON, "resourceSpans"),
    "a number for spans": (400, b'{"resourceSpans": 5}', JSON, "resourceSpans"),
    "text for a group": (400, b'{"resourceSpans": ["x"]}', JSON, "resourceSpans"),
    "deep JSON": (400, b'{"resourceSpans":' + b"[" * 4000 + b"]" * 4000 + b"}", JSON, "JSON"),
    "no gzip": (400, b"plain", PROTOBUF | GZIP, "gzip"),
    "gzip cut off": (400, gzip.compress(request_of())[:-9], PROTOBUF | GZIP, "cut off"),
    "no content type": (415, b"x", {}, "content type"),
    "another type": (415, b"x", {"Content-Type": "text/html"}, "content type"),
    "another encoding": (415, b"x", PROTOBUF | {"Content-Encoding": "br"}, "encoding"),
    "too large": (413, bytes(10_001), PROTOBUF, "10,000 bytes"),
    "a bomb": (413, gzip.compress(bytes(2_000_000)), PROTOBUF | GZIP, "10,000 bytes"),
    "a length that is none": (400, b"", PROTOBUF | {"Content-Length": "-5"}, "content-length"),
}


@pytest.mark.parametrize("bad", BAD)
def test_bad_requests_are_refused_with_a_status_and_counted(bad: str, collected: Collected) -> None:
    status, body, headers, word = BAD[bad]
    answer = post(collected, body, headers)
    assert answer.status == status
    if headers is JSON:
        assert answer.headers["Content-Type"] == "application/json"
        told = json.loads(answer.body)["message"]  # type: ignore[attr-defined]
    else:
        assert answer.headers["Content-Type"] == "application/x-protobuf"
        told = Status.FromString(answer.body).message  # type: ignore[attr-defined]
    assert word in told
    assert collected.counts == {f"refused {status}": 1}
    assert post(collected, request_of()).status == 200


def test_paths_and_methods(collected: Collected) -> None:
    assert post(collected, request_of(), path="/v1/trace").status == 404
    assert post(collected, request_of(), path="/").status == 404
    for method in ("GET", "PUT", "DELETE", "OPTIONS", "WHATEVER"):
        answer = post(collected, by=method)
        assert (answer.status, answer.headers["Allow"]) == (405, "POST")
    assert post(collected, by="GET", path="/metrics").status == 404
    assert post(collected, request_of(), path="/v1/traces/?x=1").status == 200


def test_spans_without_ids_are_rejected_and_the_others_taken(collected: Collected) -> None:
    answer = post(collected, request_of(5, spoil=2))
    told = ExportTraceServiceResponse.FromString(answer.body)  # type: ignore[attr-defined]
    assert answer.status == 200
    assert told.partial_success.rejected_spans == 2
    assert "trace id" in told.partial_success.error_message
    assert collected.counts["spans"] == 3
    assert collected.counts["spans rejected"] == 2
    span = {"name": "x", "traceId": "5b" * 16, "spanId": "ee" * 8}
    spans = [span, {**span, "traceId": "0" * 32}, {**span, "spanId": "zz"}]
    body = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}).encode()
    answer = post(collected, body, JSON)
    told = json.loads(answer.body)  # type: ignore[attr-defined]
    assert told["partialSuccess"]["rejectedSpans"] == "2"
    assert collected.counts["spans"] == 4


def test_metrics_and_logs_are_taken_and_a_whole_success_says_nothing(collected: Collected) -> None:
    for path, kind in (
        ("metrics", ExportMetricsServiceRequest),
        ("logs", ExportLogsServiceRequest),
    ):
        answer = post(collected, kind().SerializeToString(), path=f"/v1/{path}")
        assert (answer.status, answer.body) == (200, b"")  # type: ignore[attr-defined]
    answer = post(collected, b'{"resourceMetrics": []}', JSON, "/v1/metrics")
    assert (answer.status, answer.body) == (200, b"{}")  # type: ignore[attr-defined]
    assert collected.counts == {"metrics requests": 2, "logs requests": 1}


def raw(to: Collected, *parts: bytes, pause_s: float = 0.0) -> bytes:
    with socket.create_connection(("127.0.0.1", to.receiver.http_port), 10) as line:
        line.settimeout(10)
        try:
            for part in parts:
                line.sendall(part)
                time.sleep(pause_s)
            found = b""
            while data := line.recv(65_536):
                found += data
        except OSError:
            return b""
        return found


HEAD = b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"


def test_chunks_are_read(collected: Collected) -> None:
    body = request_of(3)
    chunks = [b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:7], body[7:])]
    assert b" 200 " in raw(collected, CHUNKED, *chunks, b"0\r\n\r\n")
    assert collected.counts["spans"] == 3
    for bad in (b"zz\r\n", b"-5\r\n", b"3\r\nabcdef\r\n", b"\r\n"):
        assert b" 400 " in raw(collected, CHUNKED, bad)
    assert b" 413 " in raw(collected, CHUNKED, b"ffffff\r\n")
    both = CHUNKED.replace(b"\r\n\r\n", b"\r\nContent-Length: 3\r\n\r\n")
    assert b" 400 " in raw(collected, both)
    assert b" 411 " in raw(collected, HEAD + b"\r\n")


def test_two_requests_on_one_line_and_a_bad_one_between(collected: Collected) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", collected.receiver.http_port, timeout=10)
    for body, status in ((request_of(), 200), (b"\x0a\xff", 400), (request_of(), 200)):
        connection.request("POST", "/v1/traces", body, PROTOBUF)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == status
    connection.close()
    assert collected.counts["spans"] == 2


def test_who_is_slow_is_cut_and_others_are_served_meanwhile(collected: Collected) -> None:
    lines = [
        socket.create_connection(("127.0.0.1", collected.receiver.http_port)) for _ in range(3)
    ]
    lines[1].sendall(b"POST /v1/tra")
    lines[2].sendall(HEAD + b"Content-Length: 100\r\n\r\nabc")
    assert post(collected, request_of()).status == 200
    for line in lines:
        line.settimeout(10)
        answer = b""
        while data := line.recv(1000):
            answer += data
        assert answer == b"" or b" 408 " in answer
        line.close()


def test_a_trickle_of_a_body_has_an_end(collected: Collected) -> None:
    began = time.monotonic()
    drops = [b"x"] * 40
    raw(collected, HEAD + b"Content-Length: 100\r\n\r\n", *drops, pause_s=0.1)
    assert time.monotonic() - began < 15
    assert collected.counts.get("spans") is None


def test_more_connections_than_there_is_room_for_are_refused() -> None:
    with collecting(limits=Limits(connections=2, idle_s=5)) as collected:
        held = [
            socket.create_connection(("127.0.0.1", collected.receiver.http_port)) for _ in range(2)
        ]
        for line in held:
            line.sendall(b"POST /v1")
        until = time.monotonic() + 10
        while collected.counts.get("connections refused", 0) == 0 and time.monotonic() < until:
            raw(collected, b"")
        assert collected.counts["connections refused"] >= 1
        for line in held:
            line.close()


def test_when_nothing_is_read_more_is_asked_to_come_again_and_then_nothing_is_lost() -> None:
    limits = Limits(waiting_bytes=1, busy_s=0.05)
    with collecting(limits=limits) as collected:
        with collected.receiver._intake._reading:
            answers = [post(collected, request_of(2)) for _ in range(4)]
            assert {answer.status for answer in answers[1:]} == {503}
            assert {answer.headers["Retry-After"] for answer in answers[1:]} == {"1"}
        result = exported(collected.endpoint, rows("vllm", "llm_request"))
    assert result is SpanExportResult.SUCCESS
    taken = sum(2 for answer in answers if answer.status == 200)
    assert collected.counts["spans"] == taken + 5
    assert collected.counts["refused 503"] >= 3


def test_a_reader_that_breaks_loses_that_request_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    with collecting() as collected:
        take = collected.books.take

        def broken(spans: Any, now_s: float) -> None:
            monkeypatch.setattr(collected.books, "take", take)
            raise RuntimeError("on purpose")

        monkeypatch.setattr(collected.books, "take", broken)
        for _ in range(2):
            exported(collected.endpoint, rows("vllm", "llm_request"))
            collected.receiver.drain(0.0)
        assert collected.counts["requests not read"] == 1
        assert collected.books.joined == {"waiting": 5}


@pytest.mark.parametrize("compression", [Compression.NoCompression, Compression.Gzip])
@pytest.mark.parametrize(("engine", "name"), [("vllm", "llm_request"), ("sglang", " Req ")])
def test_what_engines_export_reaches_the_bill(
    engine: str, name: str, compression: Compression
) -> None:
    with collecting() as collected:
        requests = rows(engine, name)
        calls = [call_of(row, parent_number(row)) for row in requests]
        began = min(call.sent_at_ns for call in calls)
        collected.accountant.fold(TaskRecord("task-1", "fix", began, 10**12))
        exported(collected.endpoint, rows(engine), compression=compression)
        for call in calls:
            collected.accountant.fold(call)
            collected.books._spans.engines.call(call, 0.0)
        collected.finish()
        (account,) = collected.accountant.accounts()
        assert account.time.taxes["queue"] > 0
        assert collected.books.joined == {"parent": len(calls)}
        assert collected.counts["spans"] == len(rows(engine))


def test_the_exporter_is_content_with_every_answer(collected: Collected) -> None:
    exporter = OTLPSpanExporter(f"{collected.endpoint}/v1/traces")
    assert exporter.export([]) is SpanExportResult.SUCCESS
    exporter.shutdown()


def test_when_it_is_closed_nobody_reads_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    inside, beside = threading.Event(), []

    def slow(now_s: float) -> None:
        inside.set()
        time.sleep(0.3)
        beside.append(now_s)

    collected = Collected()
    monkeypatch.setattr(collected.books, "tick", slow)
    collected.receiver.start()
    assert inside.wait(10)
    collected.receiver.close()
    ticked = len(beside)
    assert ticked >= 1
    time.sleep(0.4)
    assert len(beside) == ticked
    collected.accountant.close()
