"""Requests that are made while they are sent, and what is held of one that a backend does not take."""

import time
from typing import Any

import pytest
import requests
from opentelemetry.exporter.otlp.proto.http import Compression

from tests.telemetry.receiver import Receiver, receiving
from tests.telemetry.test_otlp_exporter import KNOWN
from tests.telemetry.test_own_spans import backend, call
from touchdown.telemetry import SpanSink, body, otlp_exporter, waiting
from touchdown.telemetry.encoded import Pack
from touchdown.telemetry.wire import bytes_of

__all__ = ["backend"]

pytestmark = pytest.mark.skipif(not KNOWN, reason="the SDK makes every span")


def test_a_large_request_is_made_while_it_is_sent(
    backend: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of compressed and of loose spans: what arrives is what they say, in order, with its length told."""
    monkeypatch.setattr(otlp_exporter, "LARGE", 1)
    monkeypatch.setattr(body, "AT_ONCE", 10_000)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", backend.endpoint)
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100000000")
    monkeypatch.setattr(waiting, "LATE_S", -1.0)
    bodies: list[body.Body] = []
    monkeypatch.setattr(otlp_exporter, "Body", kept(bodies))
    sink = SpanSink()
    for number in range(150):
        call(sink)
        if number == 99:
            sink.tend()
    assert sink.shutdown(10.0) == []

    assert len(bodies) == 1
    assert b"".join(bodies[0]) == b"".join(map(bytes_of, bodies[0]._pieces))
    assert len(list(bodies[0])) > 10
    assert len(backend.spans()) == len({span.span_id for span in backend.spans()}) == 150


def test_the_spans_of_a_request_that_is_stuck_are_compressed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Once nothing else holds them; nobody has to make another call for that."""
    with receiving(hangs=True) as backend:
        monkeypatch.setattr(otlp_exporter, "LARGE", 1)
        monkeypatch.setattr(waiting, "STUCK_S", 0.0)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", backend.endpoint)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100000000")
        monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "100")
        packs: list[Any] = []
        monkeypatch.setattr(waiting, "Pack", lambda group: packs.append(Pack(group)))
        sink = SpanSink()
        for _ in range(100):
            call(sink)
        tracing: Any = sink._tracers
        held = tracing.private._processors[0]._waiting
        until = time.monotonic() + 20
        while not held._going and time.monotonic() < until:
            time.sleep(0.01)
        sink.tend()
        backend.let_go.set()

        assert sum(len(pack._sizes) for pack in packs) == 100
        sink.shutdown(10.0)


@pytest.mark.parametrize("what", ["a session of its own", "credentials", "compression"])
def test_who_must_see_the_whole_body_is_given_it(what: str) -> None:
    class Signing(requests.Session):
        """Signs what is sent."""

    exporter: Any = otlp_exporter.QuickSpanExporter(
        "http://127.0.0.1:9", session=Signing() if what == "a session of its own" else None
    )
    plain: Any = otlp_exporter.QuickSpanExporter("http://127.0.0.1:9")
    if what == "credentials":
        exporter._client._transport._session.auth = ("user", "secret")
    elif what == "compression":
        exporter._client._compression = Compression.Gzip

    assert body.takes_parts(plain._client)
    assert not body.takes_parts(exporter._client)
    assert not body.takes_parts(None)


def kept(bodies: list[body.Body]) -> Any:
    def make(pieces: Any) -> body.Body:
        bodies.append(body.Body(pieces))
        return bodies[-1]

    return make
