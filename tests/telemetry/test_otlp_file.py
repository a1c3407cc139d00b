"""Requests of OTLP files that are longer than what is held: said, passed over, and the rest is read."""

import gzip
import json
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from touchdown.telemetry import otlp_file
from touchdown.telemetry.otlp import read_spans

MOST = 4096


@pytest.fixture(autouse=True)
def small_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit as a small number, so that the files of these tests are small."""
    monkeypatch.setattr(otlp_file, "MOST_BYTES", MOST)


def request(name: str, size: int = 0) -> dict[str, object]:
    said = [{"key": "said", "value": {"stringValue": "x" * size}}]
    span = {"name": name, "traceId": "1" * 32, "spanId": "2" * 16, "attributes": said}
    return {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}


def as_line(name: str, size: int = 0) -> bytes:
    return json.dumps(request(name, size)).encode() + b"\n"


def as_message(name: str, size: int = 0) -> bytes:
    message = ExportTraceServiceRequest()
    message.resource_spans.add().resource.attributes.add().key = "service.name"
    span = message.resource_spans[0].scope_spans.add().spans.add(name=name)
    span.attributes.add(key="said").value.string_value = "x" * size
    return message.SerializeToString()


def framed(*messages: bytes) -> bytes:
    return b"".join(len(one).to_bytes(4, "big") + one for one in messages)


def read(path: Path, data: bytes) -> tuple[list[str], list[str]]:
    """The names of the spans, and what was said without the path."""
    path.write_bytes(data)
    said: list[str] = []
    names = [span.name for span in read_spans(path, said.append)]
    return names, [line.removeprefix(str(path)) for line in said]


@pytest.mark.parametrize("packed", [bytes, gzip.compress])
@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_line_that_is_too_long_is_passed_over(tmp_path: Path, at: int, packed: type) -> None:
    lines = [as_line("a"), as_line("b"), as_line("c")]
    lines[at] = as_line("long", 3 * MOST)
    left = [name for place, name in enumerate("abc") if place != at]

    names, said = read(tmp_path / "spans", packed(b"".join(lines)))

    assert names == left
    assert said == [f":{at + 1}: a request of more than {MOST // 2**20} MiB"]


def test_a_long_document_over_many_lines_is_refused_once(tmp_path: Path) -> None:
    document = json.dumps([request(str(n), 100) for n in range(100)], indent=1).encode()

    assert read(tmp_path / "spans", document) == (
        [],
        [f": one JSON document of more than {MOST // 2**20} MiB"],
    )


def test_a_document_over_many_lines_is_read_where_it_can_be_held(tmp_path: Path) -> None:
    document = json.dumps([request("a"), request("b")], indent=1).encode()

    assert read(tmp_path / "spans", document) == (["a", "b"], [])


def test_a_broken_first_line_does_not_hide_the_many_behind_it(tmp_path: Path) -> None:
    lines = [as_line(str(n), 100) for n in range(60)]

    names, said = read(tmp_path / "spans", b'{"resourceSpans": [\n' + b"".join(lines))

    assert len(b"".join(lines)) > MOST
    assert names == [str(n) for n in range(60)]
    assert len(said) == 1
    assert said[0].startswith(":1: not OTLP JSON")


def test_a_protobuf_request_that_is_too_long_is_passed_over(tmp_path: Path) -> None:
    long, short = as_message("long", 3 * MOST), as_message("short")

    assert read(tmp_path / "one", long) == (
        [],
        [f": one request of more than {MOST // 2**20} MiB"],
    )
    assert read(tmp_path / "many", framed(short, long, short)) == (
        ["short", "short"],
        [f": a request of more than {MOST // 2**20} MiB"],
    )
