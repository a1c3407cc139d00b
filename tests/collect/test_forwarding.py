"""Forwarding: byte for byte, in order, with the user's headers; what fails is counted and held by nobody."""

import gzip
import time
from typing import Any

import pytest

from tests.collect.exported import Collected, collecting, exported, rows
from tests.collect.test_http import GZIP, JSON, PROTOBUF, post, request_of
from touchdown.collect import forwarding
from touchdown.collect.forwarding import check_url
from touchdown.collect.limits import Limits
from touchdown.testing.provider.answer import Answer
from touchdown.testing.provider.server import LoopbackServer, Received


class Backend:
    """The next one: takes what comes, or answers another status a number of times."""

    def __init__(self, status: int = 200, times: int = 10**9) -> None:
        self.received: list[Received] = []
        self.status, self.times = status, times
        self.server = LoopbackServer(self._respond)

    def _respond(self, received: Received) -> Answer:
        self.received.append(received)
        if self.status != 200 and len(self.received) <= self.times:
            return Answer(status=self.status, body=b"")
        return Answer(body=b"", content_type="application/x-protobuf")

    def __enter__(self) -> "Backend":
        self.server.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.server.close()


def settled(collected: Collected, count: int) -> dict[str, int]:
    """The counts once that many requests were forwarded or given up."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        counts = collected.counts
        if sum(counts.get(n, 0) for n in ("forwarded", "forward: failed")) >= count:
            return counts
        time.sleep(0.01)
    return collected.counts


def test_all_of_it_goes_on_byte_for_byte() -> None:
    metrics = b'{"resourceMetrics": [],  "unknown":1}'
    sent: list[tuple[str, bytes, Any]] = [
        ("/v1/traces", request_of(3, spoil=1), PROTOBUF),
        ("/v1/traces", gzip.compress(request_of(4)), PROTOBUF | GZIP),
        ("/v1/metrics", metrics, JSON),
        ("/v1/logs", b"", PROTOBUF),
    ]
    headers = {"authorization": "Bearer of-the-user"}
    with Backend() as backend:
        to = f"{backend.server.url}/otlp/"
        with collecting(forward=to, forward_headers=headers) as collected:
            for path, body, about in sent:
                assert post(collected, body, about, path).status == 200
            assert post(collected, b"\x0a\xff").status == 400
            exported(collected.endpoint, rows("vllm", "llm_request"))
            assert settled(collected, 5)["forwarded"] == 5
        came = backend.received
    assert [(one.target, one.body) for one in came[:4]] == [
        (f"/otlp{path}", body) for path, body, _ in sent
    ]
    for one, (_, _, about) in zip(came, sent, strict=False):
        told = {name.lower(): value for name, value in one.headers.items()}
        assert told["content-type"] == about["Content-Type"]
        assert told.get("content-encoding") == about.get("Content-Encoding")
        assert told["authorization"] == "Bearer of-the-user"
    assert len(came) == 5


def test_what_may_come_again_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forwarding, "PAUSE_S", 0.01)
    with Backend(503, times=2) as backend, collecting(forward=backend.server.url) as collected:
        post(collected, request_of())
        counts = settled(collected, 1)
    assert counts["forwarded"] == 1
    assert counts["forward: tried again"] == 2
    assert len({one.body for one in backend.received}) == 1


@pytest.mark.parametrize("status", [400, 401, 404, 500])
def test_a_refusal_is_counted_and_said(status: int, caplog: pytest.LogCaptureFixture) -> None:
    with Backend(status) as backend, collecting(forward=backend.server.url) as collected:
        post(collected, request_of())
        assert settled(collected, 1)["forward: failed"] == 1
        assert collected.receiver.forward is not None
        assert f"answers {status}" in collected.receiver.forward.problem
    assert len(backend.received) == 1
    assert f"answers {status}" in caplog.text


def test_nobody_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forwarding, "PAUSE_S", 0.01)
    with collecting(forward="http://127.0.0.1:9") as collected:
        assert post(collected, request_of()).status == 200
        assert settled(collected, 1)["forward: failed"] == 1
        assert collected.counts["spans"] == 1


def test_a_backend_that_hangs_holds_neither_the_sender_nor_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(forwarding, "TIMEOUT_S", 60.0)
    import socket

    with socket.create_server(("127.0.0.1", 0)) as hung:
        to = f"http://127.0.0.1:{hung.getsockname()[1]}"
        collected = Collected(forward=to, limits=Limits(forward_bytes=500))
        collected.receiver.start()
        statuses = [post(collected, request_of(10)).status for _ in range(20)]
        lost = collected.receiver.close(0.2)
        collected.accountant.close()
    assert statuses == [200] * 20
    assert any("not forwarded" in said for said in lost)
    counts = collected.counts
    assert counts["forward: no room"] + counts["forward: failed"] == 20
    assert counts["spans"] == 200


@pytest.mark.parametrize("url", ["", "here", "ftp://x", "http://", "http://x:y"])
def test_a_wrong_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="no address"):
        check_url(url)
