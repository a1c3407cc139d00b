"""Spans that say strange things: nothing breaks, nothing is joined for it, and the receiver goes on."""

import json
import math
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.collect.exported import call_of, collecting, exported, parent_number, rows, view
from tests.collect.test_http import JSON, PROTOBUF, post
from tests.collect.test_joining import ENGINES, joined, moved
from touchdown.collect.wire import SIGNALS, Refused, read_export
from touchdown.records import ModelCall
from touchdown.telemetry.serving.joining import Joiner

REQUESTS = [row for engine, name in ENGINES.items() for row in rows(engine, name)]
NAMES = sorted({name for row in REQUESTS for name in row["attributes"]})
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.lists(st.integers(), max_size=2),
    st.binary(max_size=4),
)


@given(
    row=st.sampled_from(REQUESTS),
    changes=st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=4),
    times=st.tuples(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1)),
)
@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_its_attributes_say(
    row: dict[str, Any], changes: dict[str, Any], times: tuple[int, int]
) -> None:
    strange = moved(row, attributes=changes, start_ns=str(times[0]), end_ns=str(times[1]))
    for report in joined(view(strange), call_of(row, parent_number(row))):
        figures = report.timing.phases_ns
        assert all(isinstance(ns, int) and ns >= 0 for ns in figures.values())
        assert set(figures) <= set(report.timing.basis)


def test_a_circle_of_parents_has_an_end() -> None:
    (row, *_) = rows("vllm", "llm_request")
    above = moved(
        row, name="router", span_id="12" * 8, parent_span_id=row["span_id"], attributes={}
    )
    below = moved(row, parent_span_id="12" * 8, attributes={"gen_ai.request.id": "x"})
    assert joined(view(above), view(below)) == []


def test_spans_of_nobody_and_many_traces_stay_within_bounds() -> None:
    joiner = Joiner()
    (row, *_) = rows("vllm", "llm_request")
    for number in range(3):
        joiner.span(view(moved(row, trace_id="", span_id=str(number), parent_span_id="")), 0.0)
    assert joiner.joined(math.inf) == []


def status_of(signal: Any, data: bytes, kind: str, encoding: str = "") -> int:
    """The answer to such a request, once its spans were read."""
    try:
        export = read_export(signal, data, kind, encoding, 100_000)
    except Refused as refused:
        return refused.status
    list(export.views())
    return 200


@given(data=st.binary(max_size=300), as_json=st.booleans())
@settings(deadline=None, max_examples=150)
def test_any_bytes_are_answered(data: bytes, as_json: bool) -> None:
    kind = "application/json" if as_json else "application/x-protobuf"
    for signal in SIGNALS:
        for encoding in ("", "gzip"):
            assert status_of(signal, data, kind, encoding) in (200, 400, 413)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["resource", "scopeSpans", "spans", "attributes", "key", "value", "name"]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=12,
)


@given(groups=st.lists(JSON_VALUES, max_size=3))
@settings(deadline=None, max_examples=150)
def test_any_json_is_answered(groups: list[Any]) -> None:
    data = json.dumps({"resourceSpans": groups, "resourceLogs": groups}).encode()
    for signal in ("traces", "logs"):
        assert status_of(signal, data, "application/json") in (200, 400)


@pytest.mark.parametrize("as_json", [False, True])
def test_a_mad_span_beside_good_ones_takes_nothing_from_them(as_json: bool) -> None:
    good = rows("vllm", "llm_request")
    with collecting() as collected:
        for row in good:
            call: ModelCall = call_of(row, parent_number(row))
            collected.accountant.fold(call)
            collected.books._spans.engines.call(call, 0.0)
        request = ExportTraceServiceRequest()
        spans = request.resource_spans.add().scope_spans.add().spans
        mad = spans.add(name="llm_request", trace_id=b"t" * 16, span_id=b"s" * 8)
        mad.start_time_unix_nano = 2**64 - 1
        for name in NAMES:
            mad.attributes.add(key=name).value.array_value.values.add().double_value = math.nan
        body = request.SerializeToString()
        if as_json:
            attributes = [
                {"key": name, "value": {"arrayValue": {"values": [{"doubleValue": "NaN"}]}}}
                for name in NAMES
            ]
            span = {"traceId": "74" * 16, "spanId": "73" * 8, "attributes": attributes, "name": 5}
            body = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).encode()
        assert post(collected, body, JSON if as_json else PROTOBUF).status == 200
        exported(collected.endpoint, good)
        collected.finish()
        assert collected.books.joined["parent"] == len(good)
        assert collected.counts.get("requests not read") is None
