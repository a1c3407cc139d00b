"""OTLP over gRPC, by OpenTelemetry's own exporter."""

import pytest

from tests.collect.exported import collecting, rows, sdk_span
from tests.collect.test_forwarding import Backend, settled
from touchdown.collect.limits import Limits

grpc = pytest.importorskip("grpc")

from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter  # noqa: E402
from opentelemetry.sdk.trace.export import SpanExportResult  # noqa: E402

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


def test_what_an_engine_exports_is_taken_and_handed_on() -> None:
    with Backend() as backend, collecting(grpc_port=0, forward=backend.server.url) as collected:
        exporter = OTLPSpanExporter(
            endpoint=f"http://127.0.0.1:{collected.receiver.grpc_port}", insecure=True
        )
        spans = [sdk_span(row) for row in rows("sglang")]
        assert exporter.export(spans) is SpanExportResult.SUCCESS
        exporter.shutdown()
        settled(collected, 1)
        collected.finish()
        assert collected.counts["spans"] == len(spans)
    (one,) = backend.received
    assert one.target == "/v1/traces"


def test_what_is_no_message_is_refused_and_too_much_is_too() -> None:
    limits = Limits(request_bytes=10_000)
    with collecting(grpc_port=0, limits=limits) as collected:
        with grpc.insecure_channel(f"127.0.0.1:{collected.receiver.grpc_port}") as channel:
            export = channel.unary_unary(EXPORT)
            with pytest.raises(grpc.RpcError) as refused:
                export(b"\x0a\xff\xff", timeout=10)
            assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
            with pytest.raises(grpc.RpcError) as refused:
                export(bytes(20_000), timeout=10)
            assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            with pytest.raises(grpc.RpcError) as refused:
                channel.unary_unary("/some.Service/Other")(b"", timeout=10)
            assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED
            assert export(b"", timeout=10) == b""
        assert collected.counts["refused 400"] == 1


def test_when_there_is_no_room_it_says_unavailable() -> None:
    with collecting(grpc_port=0, limits=Limits(waiting_bytes=1, busy_s=0.05)) as collected:
        body = b"\x0a\x00"
        with grpc.insecure_channel(f"127.0.0.1:{collected.receiver.grpc_port}") as channel:
            export = channel.unary_unary(EXPORT)
            with collected.receiver._intake._reading:
                codes = []
                for _ in range(3):
                    try:
                        export(body, timeout=10)
                    except grpc.RpcError as error:
                        codes.append(error.code())
            assert codes[-1] is grpc.StatusCode.UNAVAILABLE
            assert export(body, timeout=10) == b""


def test_a_taken_port_leaves_http() -> None:
    with collecting(grpc_port=0) as first, collecting(grpc_port=first.receiver.grpc_port) as second:
        assert second.receiver.grpc_port is None
        assert "gRPC" in second.receiver.grpc_problem


def test_without_the_extra_http_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "grpc", None)
    with collecting(grpc_port=0) as collected:
        assert collected.receiver.grpc_port is None
        assert "extra" in collected.receiver.grpc_problem
