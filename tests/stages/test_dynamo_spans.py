"""NVIDIA Dynamo's own spans of our calls (``DYNAMO_URL``), which it sends by gRPC to ``DYNAMO_OTLP_PORT``."""

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import openai
import pytest

import touchdown
from tests.stages.checks import SETTLE_S
from tests.stages.talk import ask, begin, go_on
from touchdown.engines.hosts import HOSTS
from touchdown.testing import capture

pytestmark = pytest.mark.stage_dynamo

TRACE_EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


@contextmanager
def receiving_grpc(port: int) -> Iterator[list[Any]]:
    """A backend that takes OTLP over gRPC: the spans that came."""
    grpc = pytest.importorskip("grpc")
    from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as protocol

    spans: list[Any] = []

    def take(request: Any, _context: object) -> Any:
        for resource in request.resource_spans:
            for scope in resource.scope_spans:
                spans.extend(scope.spans)
        return protocol.ExportTraceServiceResponse()

    class Handler(grpc.GenericRpcHandler):  # type: ignore[misc,name-defined]
        def service(self, details: Any) -> Any:
            if details.method != TRACE_EXPORT:
                return None
            return grpc.unary_unary_rpc_method_handler(
                take,
                request_deserializer=protocol.ExportTraceServiceRequest.FromString,
                response_serializer=protocol.ExportTraceServiceResponse.SerializeToString,
            )

    server = grpc.server(ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers((Handler(),))
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    try:
        yield spans
    finally:
        server.stop(0).wait()


def test_our_span_and_dynamos_are_in_one_trace() -> None:
    url = os.environ["DYNAMO_URL"]
    host = touchdown.engine(url, "dynamo")
    messages = begin("traced")
    with (
        receiving_grpc(int(os.environ["DYNAMO_OTLP_PORT"])) as spans,
        openai.OpenAI(base_url=f"{url}/v1", api_key="none") as client,
        capture(stream_usage=True) as seen,
    ):
        with touchdown.task("mend the option"):
            for turn in range(3):
                go_on(messages, ask(client, messages, stream=turn % 2 == 1), turn)
        calls = {call.span_id: call for call in seen.calls}
        deadline = time.monotonic() + SETTLE_S
        below: dict[str, Any] = {}
        while calls.keys() - below.keys() and time.monotonic() < deadline:
            below = {span.parent_span_id.hex(): span for span in list(spans)}
            time.sleep(0.2)
    HOSTS.forget(host)
    for span_id, call in calls.items():
        assert below[span_id].name == "http-request"
        assert below[span_id].trace_id.hex() == call.trace_id
