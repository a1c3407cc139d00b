"""Spans sent with our own encoder arrive; what it does not take, the SDK's own exporter sends or refuses."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult

from tests.telemetry.receiver import Receiver, receiving
from touchdown.telemetry import otlp_exporter
from touchdown.telemetry.otlp_exporter import QuickSpanExporter

KNOWN = hasattr(QuickSpanExporter("http://127.0.0.1:9"), "_max_request_size")
"""Whether the SDK is of a version that takes encoded spans; others send everything themselves."""


@pytest.fixture
def backend() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def send(backend: Receiver, told: dict[str, Any], **options: Any) -> QuickSpanExporter:
    exporter = QuickSpanExporter(f"{backend.endpoint}/v1/traces", **options)
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    provider.get_tracer("t").start_span("s", attributes=told).end()
    return exporter


def told_in(backend: Receiver) -> dict[str, Any]:
    (span,) = backend.spans()
    return {pair.key: pair.value for pair in span.attributes}


@pytest.mark.skipif(not KNOWN, reason="the SDK encodes")
def test_our_encoder_sends(backend: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(otlp_exporter.OTLPSpanExporter, "export", None)
    send(backend, {"a": 1})
    assert told_in(backend)["a"].int_value == 1


@pytest.mark.skipif(not KNOWN, reason="the SDK of that version drops such values")
@pytest.mark.parametrize("told", [{"a": b"bytes"}, {"a": {"b": 1}}], ids=["bytes", "map"])
def test_the_sdk_sends_what_is_unusual(backend: Receiver, told: dict[str, Any]) -> None:
    send(backend, told)
    assert told_in(backend)["a"].WhichOneof("value") in ("bytes_value", "kvlist_value")


@pytest.mark.skipif(not KNOWN, reason="there is no such attribute")
@pytest.mark.parametrize("name", ["_client", "_max_request_size"])
def test_another_version_of_the_sdk(backend: Receiver, name: str) -> None:
    exporter = QuickSpanExporter(f"{backend.endpoint}/v1/traces")
    assert exporter.takes_bytes
    delattr(exporter, name)
    assert not exporter.takes_bytes
    assert exporter._request([], []) is None


@pytest.mark.skipif(not KNOWN, reason="there is no such limit")
def test_what_is_too_large_is_said_by_the_sdk(
    backend: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        send(backend, {"a": "x" * 500}, max_request_size=200)
    assert not backend.spans()
    assert "exceeds max_request_size" in caplog.text


def test_a_refusal_is_a_failure() -> None:
    with receiving(status=400) as backend:
        exporter = send(backend, {"a": 1})
        assert exporter.export([]) is SpanExportResult.FAILURE
        exporter.shutdown()
        assert exporter.export([]) is SpanExportResult.FAILURE
